"""``evalsuite gate``."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalsuite.cli.printing import say, table_console
from evalsuite.errors import EvalsuiteError

if TYPE_CHECKING:
    from evalsuite.comparison.gate import Verdict
    from evalsuite.reports import Table

CANNOT_JUDGE = 3
"""Exit status when there is no verdict: a wrong path, a damaged baseline. 0, 1 and 2 are verdicts."""


@click.command("gate")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--baseline",
    "baseline_file",
    type=click.Path(path_type=Path),
    required=True,
    help="The file that `evalsuite baseline` wrote.",
)
@click.option(
    "--allow",
    multiple=True,
    type=click.Choice(["missing", "changed", "fewer"]),
    help="What is no failure: missing tasks, changed specs or metrics, fewer examples than the baseline's.",
)
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write JUnit XML to this file.")
@click.option(
    "--markdown",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Append a Markdown summary to this file, such as $GITHUB_STEP_SUMMARY.",
)
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write JSON to this file.")
@click.option("--specs", multiple=True, type=click.Path(path_type=Path), help="Folder with task specs of your own.")
@click.option(
    "--resamples", type=click.IntRange(min=1), default=1000, show_default=True, help="Bootstrap resamples of intervals."
)
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Processes that score heavy metrics. [default: number of cores]"
)
def command(
    run: Path,
    baseline_file: Path,
    allow: tuple[str, ...],
    junit: Path | None,
    markdown: Path | None,
    json_file: Path | None,
    specs: tuple[Path, ...],
    resamples: int,
    jobs: int | None,
) -> int:
    """May RUN replace the baseline? Exit status 0: pass, 1: regression, 2: inconclusive, 3: no verdict.

    By default a task regresses when its paired 95% interval lies below zero, and is inconclusive when a drop of more
    than one point cannot be ruled out. The baseline file may set other tolerances, for all tasks or for one.
    """
    from evalsuite import api
    from evalsuite.cli.show import print_warnings
    from evalsuite.comparison.gate import EXIT_STATUS, overall, verdict_warnings

    try:
        verdicts = api.gate(
            run, baseline_file, specs=specs, allow=allow, resamples=resamples, jobs=jobs or os.cpu_count() or 1
        )
        _write(verdicts, run.name, junit, markdown, json_file)
    except (EvalsuiteError, OSError) as error:
        say(f"error: {error}", err=True)
        return CANNOT_JUDGE
    _print(verdicts)
    print_warnings(verdict_warnings(verdicts, run.name))
    return EXIT_STATUS[overall(verdicts)]


def _write(
    verdicts: Sequence[Verdict], run: str, junit: Path | None, markdown: Path | None, json_file: Path | None
) -> None:
    from evalsuite.comparison.outputs import as_json, as_junit, as_markdown

    if junit is not None:
        junit.write_bytes(as_junit(verdicts))
    if markdown is not None:
        with markdown.open("a", encoding="utf-8", errors="replace") as file:
            file.write(as_markdown(verdicts, run))
    if json_file is not None:
        json_file.write_text(json.dumps(as_json(verdicts), indent=1, ensure_ascii=False) + "\n", "utf-8")


def _print(verdicts: Sequence[Verdict]) -> None:
    from evalsuite.comparison.gate import overall
    from evalsuite.reports import to_terminal

    console = table_console()
    console.print(to_terminal(_table(verdicts), console.width))
    say(f"verdict: {overall(verdicts)}")


def _table(verdicts: Sequence[Verdict]) -> Table:
    from evalsuite.reports.tables import METRIC, PART, TASK, Cell, Column, Table

    columns = (
        Column("verdict", "Verdict"),
        TASK,
        PART,
        METRIC,
        Column("baseline", "Baseline", "number"),
        Column("value", "Run", "number"),
        Column("reason", "Why"),
    )
    rows = tuple(
        (
            Cell.of_text(item.verdict),
            Cell.of_text(item.task),
            Cell.of_text(item.split),
            Cell.of_text(item.metric),
            Cell.of_number(item.baseline),
            Cell.of_number(item.value),
            Cell.of_text(item.reason),
        )
        for item in verdicts
    )
    return Table("Gate", columns, rows)
