"""From result rows to the tables of a run: value, interval, and the paper's number beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from evalsuite.reports.answer_shares import SHARE_COLUMNS, explanation, share_cells
from evalsuite.reports.published import Published, has_table, published_cell
from evalsuite.reports.rows import ResultRow, not_comparable
from evalsuite.reports.tables import COUNT, DIFFERENCE, INTERVAL, METRIC, PART, TASK, Cell, Column, Table
from evalsuite.runs.answer_counts import KINDS

_COLUMNS = (
    Column("run", "Run"),
    TASK,
    PART,
    METRIC,
    Column("value", "Value", "number"),
    INTERVAL,
    *SHARE_COLUMNS,
    Column("published", "Published", "number"),
    DIFFERENCE,
    Column("published_for", "Published for"),
    COUNT,
    Column("errors", "Errors", "number"),
    Column("signature", "Signature", "code"),
)


_ONE_VALUE_TABLES = (
    "paligemma1_table1",
    "paligemma2_table4",
    "paligemma2_table7",
    "paligemma2_table13",
    "paligemma2_table15",
)
"""Tables that print one value per row: it stands for the headline metric only."""


def is_headline(row: ResultRow) -> bool:
    """Whether a row belongs in the first table: the task's headline value, not one of many unnamed strata."""
    return row.headline and (bool(row.paper_name) or not row.stratum)


def published_for(row: ResultRow) -> Published | None:
    """The published value beside a result: the cell of the run's size and resolution, else the 3B 224 px one.

    None for the benchmark's own rule where that is not the papers', for secondary metrics of a paper row (the paper
    prints one) unless the table names its metrics, for rows of no table, and for tables that are not shipped.
    """
    if not row.paper_name or not has_table(row.reference) or row.protocol == "official":
        return None
    if not row.headline and row.reference.startswith(_ONE_VALUE_TABLES):
        return None
    size, resolution = row.attributes.get("size"), row.attributes.get("resolution")
    return published_cell(
        row.reference,
        row.paper_name,
        row.metric,
        size=None if size in (None, "") else str(size),
        resolution=_pixels(resolution),
    )


def _pixels(resolution: object) -> int | None:
    """224, "224" and "224px" alike; -1, which no table prints, for a resolution that is no number."""
    if resolution in (None, ""):
        return None
    text = str(resolution).lower().removesuffix("px").strip()
    return int(text) if text.isdigit() else -1


def difference(row: ResultRow, published: Published | None) -> float | None:
    """Ours minus the paper's; None where the two must not be compared."""
    if published is None or row.value is None or not_comparable(row):
        return None
    return round(row.value - published.value, 6)


def run_table(rows: Iterable[ResultRow], *, headline: bool = True) -> Table:
    """The table of the headline values (or, with ``headline=False``, of all others), in the order of the rows."""
    chosen = [row for row in rows if is_headline(row) == headline]
    notes: list[str] = []
    lines = tuple(_line(row, notes) for row in chosen)
    title = "Results" if headline else "Secondary metrics and strata"
    table = Table(title, _COLUMNS, lines, caption(chosen), tuple(dict.fromkeys(notes)))
    if len({row.run for row in chosen}) < 2:
        table = table.without("run")
    return table.without_empty("ci", *KINDS, "published", "published_for", "difference", "signature")


def run_tables(rows: Iterable[ResultRow]) -> list[Table]:
    """The headline table, and a second one where there are secondary values."""
    rows = list(rows)
    second = run_table(rows, headline=False)
    return [run_table(rows), *([second] if second.rows else [])]


def caption(rows: Sequence[ResultRow]) -> str:
    """What a reader must know: whether values can be compared with published ones, what intervals and shares are."""
    reasons: dict[str, list[ResultRow]] = {}
    for row in rows:
        if reason := not_comparable(row):
            reasons.setdefault(reason, []).append(row)
    sentences = [
        f"Values{_of_which(meant, rows)} are not comparable with published numbers: {reason}."
        for reason, meant in reasons.items()
    ]
    if any(row.ci_low is not None for row in rows):
        sentences.append("Intervals are 95% intervals over the examples.")
    if any(difference(row, published_for(row)) is not None for row in rows):
        sentences.append("Difference is this value minus the published one.")
    sentences.append(explanation(row.answer_counts for row in rows))
    return " ".join(filter(None, sentences))


def _of_which(meant: Sequence[ResultRow], rows: Sequence[ResultRow]) -> str:
    """`` of ...`` for some of the rows: the runs where whole runs are meant, else the tasks; "" for all of them."""
    if len(meant) == len(rows):
        return ""
    runs = {row.run for row in meant}
    whole = len(meant) == sum(row.run in runs for row in rows)
    names = dict.fromkeys(row.run if whole else task_name(row) for row in meant)
    return f" of {', '.join(names)}"


def part_name(row: ResultRow) -> str:
    """Split and stratum of a row, such as ``test, subset=human``."""
    return ", ".join(filter(None, [row.split, row.stratum]))


def metric_name(row: ResultRow) -> str:
    """Metric with unit, the protocol where it is not the paper's, and a word where less is better."""
    protocol = "official protocol" if row.protocol == "official" else ""
    return metric_label(row.metric, row.unit, protocol, higher_is_better=row.higher_is_better)


def metric_label(name: str, *more: str, higher_is_better: bool) -> str:
    """A value's name, with its unit and what else there is to say in brackets, and a word where less is better.

    >>> metric_label("l1", "", higher_is_better=False)
    'l1 (lower is better)'
    """
    shown = ", ".join(filter(None, [*more, "" if higher_is_better else "lower is better"]))
    return f"{name} ({shown})" if shown else name


def task_name(row: ResultRow) -> str:
    """The paper's name of the row where it has one, else the task's title."""
    return row.paper_name or row.title or row.task


def _line(row: ResultRow, notes: list[str]) -> tuple[Cell, ...]:
    published = published_for(row)
    if row.reference and row.paper_name and not has_table(row.reference):
        notes.append(f"{task_name(row)}: no published table {row.reference!r} is shipped.")
    if published and published.note:
        notes.append(f"{task_name(row)}, {published.label} in {published.source}: {published.note}.")
    return (
        Cell.of_text(row.run),
        Cell.of_text(task_name(row)),
        Cell.of_text(part_name(row)),
        Cell.of_text(metric_name(row)),
        Cell.of_number(row.value) if row.value is not None else Cell("undefined", None),
        Cell.of_interval(row.ci_low, row.ci_high),
        *share_cells(row.answer_counts, row.n),
        _published_cell(published),
        Cell.of_number(difference(row, published), 1, sign=True),
        Cell.of_text(published.label if published else ""),
        Cell.of_number(row.n, 0),
        Cell.of_number(row.errors, 0),
        Cell.of_text(row.signature),
    )


def _published_cell(published: Published | None) -> Cell:
    if published is None:
        return Cell("", None)
    spread = "" if published.std is None else f" ± {published.std:.1f}"
    return Cell(f"{published.value:.1f}{spread}", published.value)
