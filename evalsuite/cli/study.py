"""``evalsuite study``."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalsuite.cli.groups import SuggestingGroup
from evalsuite.cli.printing import say, say_json

if TYPE_CHECKING:
    from evalsuite.studies.grid import Cell
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

    with QuietProgress() if quiet else LinesProgress() as observer:
        states = run_study(
            spec, folder, specs=specs, observer=observer, jobs=jobs or os.cpu_count() or 1, on_cell=announce
        )
    _print(states, as_json)
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
    _print(study_states(spec, _folder(out, spec.name)), as_json)
    return 0


def _folder(out: Path | None, name: str) -> Path:
    import re

    return out if out is not None else Path("studies") / (re.sub(r"[^A-Za-z0-9.-]+", "_", name).strip(".") or "study")


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
