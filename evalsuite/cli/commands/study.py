"""``evalsuite study``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalsuite.cli.groups import SuggestingGroup
from evalsuite.cli.interrupts import INTERRUPTED, INTERRUPTED_MESSAGE, end_cleanly_when_interrupted
from evalsuite.cli.printing import say, say_json

if TYPE_CHECKING:
    from evalsuite.studies.grid import Cell
    from evalsuite.studies.planning import Estimate
    from evalsuite.studies.running import CellState

_file = click.argument("file", type=click.Path(path_type=Path))
_out = click.option("--out", type=click.Path(path_type=Path), help="Folder. [default: studies/ and the study's name]")


@click.group("study", cls=SuggestingGroup)
def command() -> None:
    """Run a grid of runs from one YAML file, and show what of it is done."""


@command.command("run")
@_file
@_out
@click.option("--specs", multiple=True, type=click.Path(path_type=Path), help="Folder with task specs of your own.")
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Processes that score heavy metrics. [default: number of cores]"
)
@click.option("--quiet", is_flag=True, help="No progress.")
@click.option("--json", "as_json", is_flag=True, help="Print the state of every cell as JSON.")
def run(file: Path, out: Path | None, specs: tuple[Path, ...], jobs: int | None, quiet: bool, as_json: bool) -> int:
    """Run every cell of the study in FILE.

    The same command again resumes: what is stored is never asked twice, and a cell that failed is tried again. The exit
    status is 0 only when every cell is done.
    """
    from evalsuite.cli.progress import LinesProgress, QuietProgress
    from evalsuite.studies.running import DONE, run_study
    from evalsuite.studies.spec import load_study

    spec = load_study(file)
    folder = _folder(out, spec.name)

    def announce(cell: Cell) -> None:
        if not quiet:
            say(f"cell {cell.name}" + (f" on {', '.join(cell.splits)}" if cell.splits else ""), err=True)

    end_cleanly_when_interrupted()
    try:
        with QuietProgress() if quiet else LinesProgress() as observer:
            states = run_study(
                spec, folder, specs=specs, observer=observer, jobs=jobs or os.cpu_count() or 1, on_cell=announce
            )
    except KeyboardInterrupt:
        say(INTERRUPTED_MESSAGE, err=True)
        return INTERRUPTED
    _print(states, as_json)
    _warn(folder)
    if not as_json:
        say(f"\nstudy folder: {folder}\nreport: evalsuite report {folder}")
    return 0 if all(state.state == DONE for state in states) else 1


@command.command("status")
@_file
@_out
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def status(file: Path, out: Path | None, as_json: bool) -> int:
    """Show what of the study in FILE is done, running or failed."""
    from evalsuite.studies.running import study_states
    from evalsuite.studies.spec import load_study

    spec = load_study(file)
    folder = _folder(out, spec.name)
    _print(study_states(spec, folder), as_json)
    _warn(folder)
    return 0


@command.command("plan")
@_file
@click.option(
    "--calibration",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Run folder that says how fast the machine is and how long answers are; may be given several times.",
)
@click.option("--specs", multiple=True, type=click.Path(path_type=Path), help="Folder with task specs of your own.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def plan(file: Path, calibration: tuple[Path, ...], specs: tuple[Path, ...], as_json: bool) -> int:
    """Estimate what the study in FILE takes: examples, tokens, compute, storage, and time.

    Without a calibration run answers count with their greatest length, and time is left open. To make one, on the
    machine of the study: evalsuite run --limit 50 --set size=3B --set resolution=224 ...
    """
    import dataclasses

    from evalsuite.specs import TaskRegistry
    from evalsuite.studies.planning import calibrate, plan_study, total
    from evalsuite.studies.spec import load_study

    registry = TaskRegistry(specs)
    measured = calibrate(calibration, registry) if calibration else None
    estimates = plan_study(load_study(file), registry, measured)
    if as_json:
        say_json([dataclasses.asdict(item) for item in [*estimates, total(estimates)]])
    else:
        _print_plan([*estimates, total(estimates)])
    return 0


def _print_plan(estimates: Sequence[Estimate]) -> None:
    from evalsuite.cli.show import print_columns

    header = ["cell", "examples", "prefix tokens", "answer tokens", "PFLOP", "hours", "storage"]
    rows = [
        [
            item.name,
            f"{item.examples:,}",
            f"{item.prefix_tokens:,}",
            f"{item.answer_tokens:,}",
            "?" if item.operations is None else f"{item.operations / 1e15:,.1f}",
            "?" if item.hours is None else f"{item.hours:,.2f}",
            f"{item.storage / 1e6:,.1f} MB",
        ]
        for item in estimates
    ]
    print_columns(header, rows)
    if unknown := estimates[-1].unknown:
        shown = ", ".join(unknown[:8]) + (", …" if len(unknown) > 8 else "")
        say(f"\nleft out, as no paper gives their size: {shown}")
    if estimates[-1].hours is None:
        say("\nhours need a run on your machine: --calibration RUN, with its size (--set size=3B)")


def _folder(out: Path | None, name: str) -> Path:
    from evalsuite.studies.running import study_folder

    return out if out is not None else study_folder(name)


def _warn(folder: Path) -> None:
    """What is wrong with the answers of the runs that are scored."""
    from evalsuite.cli.show import print_warnings
    from evalsuite.errors import StoreError
    from evalsuite.reports.answer_shares import row_warnings
    from evalsuite.reports.rows import read_rows
    from evalsuite.runs.folder import RESULTS

    if not any(folder.glob(f"*/{RESULTS}")):
        return
    try:
        print_warnings(row_warnings(read_rows([folder])))
    except StoreError as error:  # the states of the cells stand without it
        say(f"note: {error}", err=True)


def _print(states: Sequence[CellState], as_json: bool) -> None:
    from evalsuite.cli.show import print_columns

    if as_json:
        records = [
            {
                "cell": state.cell.name,
                "attributes": dict(state.cell.attributes),
                "state": state.state,
                "tasks": dict(state.tasks),
                "message": state.message,
            }
            for state in states
        ]
        say_json(records)
        return
    rows = [[state.cell.name, state.state, f"{state.done}/{len(state.tasks)}", state.message] for state in states]
    print_columns(["cell", "state", "tasks done", ""], rows)
    counts = Counter(state.state for state in states)
    say("\n" + ", ".join(f"{count} {name}" for name, count in counts.items()))
