"""``evalsuite data``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalsuite.cli.groups import SuggestingGroup
from evalsuite.cli.printing import say, say_json
from evalsuite.errors import UnknownName, UsageError
from evalsuite.settings.words import parse_names

if TYPE_CHECKING:
    from evalsuite.inspection.checking import DataCheck, SplitFacts
    from evalsuite.inspection.columns import ColumnFact
    from evalsuite.inspection.locking import Locking
    from evalsuite.inspection.views import ExampleView

MOST_REFERENCES = 5
MOST_CHARACTERS = 300

_data_dir_option = click.option(
    "--data-dir", type=click.Path(path_type=Path), help="Folder with one subfolder per task, as for run."
)
_specs_option = click.option(
    "--specs", multiple=True, type=click.Path(path_type=Path), help="Folder with task specs of your own."
)
_seed_option = click.option("--data-seed", default=0, show_default=True, help="Seed of the synthetic world.")


def _data_option(default: str, kinds: str) -> Callable[..., Any]:
    return click.option("--data", default=default, show_default=True, help=f"Where examples come from: {kinds}.")


@click.group("data", cls=SuggestingGroup)
def command() -> None:
    """Check, pin and look at the data of tasks."""


@command.command("check")
@click.argument("tasks", nargs=-1, required=True)
@_data_option("synthetic", "synthetic, hub, files")
@_data_dir_option
@_seed_option
@click.option(
    "--split", "--splits", "splits", metavar="NAMES", help="Splits, comma-separated. [default: the reported ones]"
)
@click.option("--limit", type=click.IntRange(min=1), help="Read at most N examples of a split; its size stays unknown.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with the images too.")
@_specs_option
@click.option("--json", "as_json", is_flag=True, help="One array with an object per task.")
def check(tasks: tuple[str, ...], html: Path | None, as_json: bool, **given: Any) -> int:
    """Compare the data of TASKS with their specs, and name everything that is wrong.

    The exit status is 1 when something would stop a run. Sizes that differ from the published ones are warnings.
    """
    from evalsuite import api

    _check_kind(given["data"], given["data_dir"])
    given["splits"] = parse_names(given["splits"])
    found = api.check_data(",".join(tasks), html=html, **given)
    if as_json:
        say_json([_as_json(check) for check in found])
    else:
        for result in found:
            _print_check(result)
        if html is not None:
            say(f"page: {html}")
    return 0 if all(result.ok for result in found) else 1


@command.command("lock")
@click.argument("tasks", nargs=-1)
@_data_option("hub", "hub, files")
@_data_dir_option
@click.option("--splits", metavar="NAMES", help="Splits, comma-separated. [default: the reported ones]")
@click.option(
    "--out", type=click.Path(path_type=Path), default="evalsuite.lock.json", show_default=True, metavar="FILE"
)
@click.option("--check", "only_check", is_flag=True, help="Compare with the file and say what differs; write nothing.")
@_specs_option
def lock(tasks: tuple[str, ...], out: Path, only_check: bool, **given: Any) -> int:
    """Write down which data TASKS (default: all) are made of, for run --lock.

    Of each split: revision or files, number of examples, and a fingerprint of their ids, prompts and references. Tasks
    that the file holds already and that are not among TASKS stay as they are. The exit status is 1 when a task cannot
    be read or, with --check, differs.
    """
    from evalsuite import api

    selection = ",".join(tasks) or None
    if only_check:
        data_dir, specs = given["data_dir"], given["specs"]
        done = api.check_lock(selection, lock=out, data_dir=data_dir, specs=specs, observe=_print_locked)
    else:
        _check_kind(given["data"], given["data_dir"])
        given["splits"] = parse_names(given["splits"])
        done = api.lock_data(selection or "all", out=out, observe=_print_locked, **given)
    return _end_lock(done, out, only_check)


@command.command("preview")
@click.argument("task")
@_data_option("synthetic", "synthetic, hub, files")
@_data_dir_option
@_seed_option
@click.option("--count", type=click.IntRange(min=1), default=24, show_default=True, help="Examples to show.")
@click.option("--split", help="Split to show. [default: the first reported one]")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="[default: TASK-DATA.html]")
@_specs_option
def preview(task: str, **given: Any) -> int:
    """Write an HTML page with examples of TASK: prompts, references, and images with what these say drawn on them."""
    from evalsuite import api

    _check_kind(given["data"], given["data_dir"])
    say(f"page: {api.preview_data(task, **given)}")
    return 0


@command.command("convert-refcoco")
@click.argument("refs", type=click.Path(path_type=Path))
@click.argument("instances", type=click.Path(path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
def convert_refcoco(refs: Path, instances: Path, folder: Path) -> int:
    """Turn REFS, such as 'refs(unc).p', and its INSTANCES.json into the files that --data files reads from FOLDER.

    FOLDER is DATA_DIR/refcoco, DATA_DIR/refcocop or DATA_DIR/refcocog. The pickle is read as plain data: one that names
    a class or a function is refused.
    """
    from evalsuite.data.refer import convert

    for split, count in convert(refs, instances, folder).items():
        say(f"{folder / split}.jsonl: {count:,} expressions")
    return 0


def _check_kind(data: str, data_dir: Path | None) -> None:
    from evalsuite.data import KINDS

    if data not in KINDS:
        raise UnknownName("data source", data, KINDS, "--data")
    if data == "files" and data_dir is None:
        raise UsageError("--data files needs --data-dir DIR, the folder with one subfolder per task")


def _print_check(result: DataCheck) -> None:
    say(f"{result.spec.id} ({result.data})")
    columns: Sequence[ColumnFact] = ()
    for split in result.splits:
        _print_split(split, [] if split.columns == columns else split.columns)
        columns = split.columns
    if not result.problems:
        say("  no problem found")
    for problem in result.problems:
        place = f"{problem.split}: " if problem.split else ""
        say(f"  {problem.level}: {place}{problem.message}")
    say("")


def _print_split(split: SplitFacts, columns: Sequence[ColumnFact]) -> None:
    """columns: those that were not printed for another split before."""
    counted = "not counted" if split.examples is None else f"{split.examples:,} examples"
    published = f", published {split.published:,}" if split.published else ""
    say(f"  split {split.name}: {counted}{published}")
    for column in columns:
        use = "needed" if column.required else "read" if column.read else "not read"
        say(f"    {column.name}: {column.type or 'not there'} ({use})")
    for place, example in zip(("first", "last"), split.shown, strict=False):
        _print_example(place, example)


def _print_example(place: str, example: ExampleView) -> None:
    say(f"    {place} example {example.id}")
    if example.prompt:
        say(f"      prompt      {example.prompt}")
    for view in example.references[:MOST_REFERENCES]:
        text = " ".join(view.text.split()) if view.long else view.text
        times = f" (x {view.times})" if view.times > 1 else ""
        say(f"      reference   {text[:MOST_CHARACTERS]}{'…' if len(text) > MOST_CHARACTERS else ''}{times}")
    if len(example.references) > MOST_REFERENCES:
        say(f"      and {len(example.references) - MOST_REFERENCES} more")
    for name, value in example.strata.items():
        say(f"      {name:<11} {value}")
    if example.media:
        say(f"      images      {example.media}")


def _as_json(result: DataCheck) -> dict[str, Any]:
    import dataclasses

    return {
        "task": result.spec.id,
        "data": result.data,
        "ok": result.ok,
        "problems": [dataclasses.asdict(problem) for problem in result.problems],
        "splits": [
            {
                "name": split.name,
                "examples": split.examples,
                "published": split.published,
                "columns": [dataclasses.asdict(column) for column in split.columns],
                "shown": [_example_as_json(example) for example in split.shown],
            }
            for split in result.splits
        ],
    }


def _example_as_json(example: ExampleView) -> dict[str, Any]:
    return {
        "id": example.id,
        "position": example.position,
        "prompt": example.prompt,
        "references": [view.text for view in example.references for _ in range(view.times)],
        "strata": dict(example.strata),
        "image_sizes": [list(size) for size in example.sizes],
        "error": example.error or None,
    }


def _print_locked(task: str, locked: Any) -> None:
    from evalsuite.inspection.locking import described

    for line in described({task: locked}):
        say("  ".join(line))


def _end_lock(done: Locking, out: Path, only_check: bool) -> int:
    for task, changes in done.differences.items():
        for change in changes:
            say(f"{task}: {change}", err=True)
    for task, message in done.failures.items():
        say(f"failed: {task}: {message}", err=True)
    if only_check:
        say(f"{out}: {'nothing differs' if done.ok else 'differs'}")
    elif done.tasks:
        say(f"lock file: {out}")
    return 0 if done.ok else 1
