"""``evalsuite compare``."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalsuite.cli.printing import say, say_json, table_console
from evalsuite.errors import UsageError

if TYPE_CHECKING:
    from evalsuite.comparison.runs import SplitComparison
    from evalsuite.reports import Table


@click.command("compare")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--specs", multiple=True, type=click.Path(path_type=Path), help="Folder with task specs of your own.")
@click.option("--anyway", is_flag=True, help="Compare even where prompt, decoding, metric or data differ.")
@click.option("--flips", default=0, metavar="N", type=click.IntRange(min=0), help="Name N changed examples per task.")
@click.option(
    "--resamples", type=click.IntRange(min=1), default=1000, show_default=True, help="Bootstrap resamples of intervals."
)
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Processes that score heavy metrics. [default: number of cores]"
)
@click.option("--json", "as_json", is_flag=True, help="Print the comparison as JSON, all changed examples by id.")
def command(
    runs: tuple[Path, ...],
    specs: tuple[Path, ...],
    anyway: bool,
    flips: int,
    resamples: int,
    jobs: int | None,
    as_json: bool,
) -> int:
    """Compare RUNS with the first of them, task by task, on the examples they share.

    The difference has a paired bootstrap interval, p comes from exchanging the two runs' answers at random and is
    corrected over the tasks (Holm). Tasks whose prompt, decoding, metric or data differ are named and not compared.
    """
    from evalsuite import api
    from evalsuite.cli.show import print_warnings
    from evalsuite.comparison.runs import comparison_warnings

    if len(runs) < 2:
        raise UsageError("compare needs at least two run folders: evalsuite compare BEFORE AFTER")
    rows = api.compare(*runs, specs=specs, anyway=anyway, resamples=resamples, jobs=jobs or os.cpu_count() or 1)
    if as_json:
        say_json([_record(row) for row in rows])
    else:
        _print(rows, flips)
    print_warnings(comparison_warnings(rows))
    return 0


def _record(row: SplitComparison) -> dict[str, Any]:
    record: dict[str, Any] = {
        name: getattr(row, name) for name in ("task", "title", "split", "first", "second", "reasons", "notes")
    }
    if row.found is not None:
        found = row.found
        record |= {
            "metric": found.value.name,
            "unit": found.value.unit,
            "higher_is_better": found.value.higher_is_better,
            "n": found.n,
            "first_value": found.before,
            "second_value": found.after,
            "first_answers": found.counts[0] and dataclasses.asdict(found.counts[0]),
            "second_answers": found.counts[1] and dataclasses.asdict(found.counts[1]),
            "difference": found.difference,
            "ci_low": found.low,
            "ci_high": found.high,
            "p": found.p,
            "p_adjusted": row.adjusted,
            "better": list(row.better),
            "worse": list(row.worse),
            "tied": found.tied,
        }
    return record


def _print(rows: Sequence[SplitComparison], flips: int) -> None:
    from evalsuite.reports import to_terminal

    console = table_console()
    for second in dict.fromkeys(row.second for row in rows):
        chosen = [row for row in rows if row.second == second]
        console.print(to_terminal(_table(chosen), console.width))
        for row in chosen:
            place = f"{row.task}, {row.split}" if row.split else row.task
            for reason in row.reasons:
                say(f"{'compared anyway' if row.found else 'not compared'}: {place}: {reason}")
            for note in row.notes:
                say(f"note: {place}: {note}")
            for word, ids in (("better", row.better), ("worse", row.worse)):
                if flips and ids:
                    more = ", …" if len(ids) > flips else ""
                    say(f"{word}: {place}: {', '.join(ids[:flips])}{more}")


def _table(rows: Sequence[SplitComparison]) -> Table:
    from evalsuite.reports.answer_shares import in_words
    from evalsuite.reports.results_table import metric_label
    from evalsuite.reports.tables import COUNT, DIFFERENCE, INTERVAL, MARK, METRIC, PART, TASK, Cell, Column, Table

    columns = (
        TASK,
        PART,
        METRIC,
        COUNT,
        Column("first", "First", "number"),
        Column("second", "Second", "number"),
        DIFFERENCE,
        INTERVAL,
        Column("p", "p (Holm)", "number"),
        Column("changes", "Better/worse/equal", "number"),
    )
    lines, notes = [], []
    for row in rows:
        found = row.found
        if found is None:
            continue
        said = [in_words(counts, found.n) if counts else "" for counts in found.counts]
        for name, words in zip((row.first, row.second), said, strict=True):
            if words:
                notes.append(f"{MARK} {row.task}, {row.split}: of the answers of {name} {words}.")
        counted = found.better or found.worse or found.tied
        changes = f"{len(found.better)}/{len(found.worse)}/{found.tied}" if counted else ""
        metric = metric_label(found.value.name, found.value.unit, higher_is_better=found.value.higher_is_better)
        lines.append(
            (
                Cell.of_text(row.task),
                Cell.of_text(row.split),
                Cell.of_text(metric),
                Cell.of_number(found.n, 0),
                Cell.of_number(found.before).marked(bool(said[0])),
                Cell.of_number(found.after).marked(bool(said[1])),
                Cell.of_number(found.difference, sign=True),
                Cell.of_interval(found.low, found.high),
                Cell.of_number(row.adjusted, 4),
                Cell.of_text(changes),
            )
        )
    title = f"{rows[0].first} -> {rows[0].second}"
    caption = "Difference is the second value minus the first; p is corrected over these tasks."
    return Table(title, columns, tuple(lines), caption, tuple(notes))
