"""What stands below tables and plots whose values stand alone: which of them have answers that were no proper ones."""

from __future__ import annotations

import dataclasses
import textwrap
from collections.abc import Sequence

from evalsuite.reports.answer_shares import MEANING, shown_share
from evalsuite.reports.results_table import is_headline, part_name, task_name
from evalsuite.reports.rows import ResultRow
from evalsuite.reports.scaling.plots import Plot
from evalsuite.reports.tables import MARK, Table
from evalsuite.runs.answer_counts import KINDS

RUNS_NAMED = 3
NOTES_OF_A_PLOT = 4
_SIGNS_PER_INCH, _LINE_INCHES = 17, 0.11  # of letters of six points


def footnotes(rows: Sequence[ResultRow]) -> list[str]:
    """A note for each task and split of whose headline answers some were unread, cut, empty or withheld."""
    found: dict[tuple[str, str], list[ResultRow]] = {}
    for row in rows:
        if is_headline(row):
            found.setdefault((task_name(row), part_name(row)), []).append(row)
    notes = []
    for (task, part), runs in found.items():
        if parts := [text for kind in KINDS if (text := _in_runs(kind, runs))]:
            notes.append(f"{MARK} {task}, {part}: of the answers {'; '.join(parts)}.")
    return notes


def with_footnotes(table: Table, notes: Sequence[str]) -> Table:
    """The table with these notes where a cell of it is marked."""
    marked = any(MARK in cell.text for row in table.rows for cell in row)
    return dataclasses.replace(table, notes=(*table.notes, *notes)) if marked else table


def plot_with_footnotes(plot: Plot, notes: Sequence[str]) -> Plot:
    """The plot with the first of these notes: above the figure, below the chart."""
    if not notes:
        return plot
    shown, more = list(notes[:NOTES_OF_A_PLOT]), len(notes) - NOTES_OF_A_PLOT
    if more > 0:
        shown.append(f"{MARK} and {more} more; the tables have all.")
    width = int(plot.figure.get_figwidth() * _SIGNS_PER_INCH)
    lines = [line for note in shown for line in textwrap.wrap(note, width)]
    plot.figure.set_figheight(plot.figure.get_figheight() + _LINE_INCHES * len(lines))
    plot.figure.suptitle("\n".join(lines), fontsize=6, x=0.01, ha="left", parse_math=False)
    return Plot(plot.figure, dataclasses.replace(plot.chart, notes=tuple(shown)))


def _in_runs(kind: str, rows: Sequence[ResultRow]) -> str:
    """``up to 12.5% are empty (in 2 of 9 runs: a, b)``, "" for none."""
    some = [row for row in rows if getattr(row, kind)]
    if not some:
        return ""
    worst = max(some, key=lambda row: getattr(row, kind) / max(1, row.n))
    named = ", ".join(dict.fromkeys(row.run for row in some[:RUNS_NAMED]))
    more = f" and {len(some) - RUNS_NAMED} more" if len(some) > RUNS_NAMED else ""
    share = shown_share(getattr(worst, kind), worst.n)
    up_to = "up to " if len(some) > 1 else ""
    return f"{up_to}{share} {MEANING[kind]} (in {len(some)} of {len(rows)} runs: {named}{more})"
