"""A table as data, and its four faces: Markdown, CSV, HTML and the terminal.

Cells keep their value beside the text that is shown, so that CSV holds full precision. Text in a table may come from
a data set or a model: every renderer escapes it for its own language.
"""

from __future__ import annotations

import csv
import dataclasses
import html
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from rich.table import Table as RichTable

CellValue = str | float | int | None | tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Column:
    """``key`` heads the CSV column, ``title`` the others. Numbers, intervals and shares stand to the right."""

    key: str
    title: str
    kind: Literal["text", "number", "interval", "share", "code"] = "text"

    @property
    def align(self) -> Literal["left", "right"]:
        return "right" if self.kind in ("number", "interval", "share") else "left"


TASK, PART, METRIC = Column("task", "Task"), Column("part", "Split"), Column("metric", "Metric")
COUNT, INTERVAL = Column("n", "n", "number"), Column("ci", "95% interval", "interval")
DIFFERENCE = Column("difference", "Difference", "number")
"""Columns that several tables of results have; :func:`to_terminal` leaves some of them out where space is short."""


MARK = "†"
"""Behind a value that stands alone in its cell and has a note below the table."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What a reader sees, and the value behind it: for an interval both ends, for a share count and percent.

    warn: the reader should not miss it.
    """

    text: str
    value: CellValue
    warn: bool = False

    @classmethod
    def of_text(cls, text: str) -> Cell:
        return cls(text, text)

    @classmethod
    def of_number(cls, value: float | None, decimals: int = 2, *, sign: bool = False) -> Cell:
        """Empty for None."""
        if value is None:
            return cls("", None)
        return cls(f"{value:{'+' if sign else ''}.{decimals}f}", value)

    @classmethod
    def of_interval(cls, low: float | None, high: float | None, decimals: int = 2) -> Cell:
        if low is None or high is None:
            return cls("", (None, None))
        return cls(f"{low:.{decimals}f} to {high:.{decimals}f}", (low, high))

    def marked(self, wanted: bool = True) -> Cell:
        """The same value with a MARK behind its text."""
        return dataclasses.replace(self, text=self.text + MARK) if wanted else self


@dataclass(frozen=True, slots=True)
class Table:
    """caption: what a reader must know before the numbers; notes: footnotes below them."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    caption: str = ""
    notes: tuple[str, ...] = ()

    def without(self, *keys: str) -> Table:
        """The table without these columns."""
        kept = [index for index, column in enumerate(self.columns) if column.key not in keys]
        columns = tuple(self.columns[index] for index in kept)
        rows = tuple(tuple(row[index] for index in kept) for row in self.rows)
        return Table(self.title, columns, rows, self.caption, self.notes)

    def without_empty(self, *keys: str) -> Table:
        """The table without those of these columns that hold nothing."""
        empty = [
            column.key for index, column in enumerate(self.columns) if not any(row[index].text for row in self.rows)
        ]
        return self.without(*set(keys).intersection(empty))


# --- Markdown ------------------------------------------------------------------------------------------------------


def to_markdown(table: Table, heading: str = "##") -> str:
    """GitHub-flavoured Markdown with title, caption and notes."""
    lines = [f"{heading} {escape_markdown(table.title)}", ""]
    if table.caption:
        lines += [escape_markdown(table.caption), ""]
    lines.append(_markdown_line([escape_markdown(column.title) for column in table.columns]))
    lines.append(_markdown_line(["---:" if column.align == "right" else ":---" for column in table.columns]))
    for row in table.rows:
        cells = zip(table.columns, row, strict=True)
        lines.append(_markdown_line([_markdown_cell(column, cell) for column, cell in cells]))
    if table.notes:
        lines += ["", *(f"- {escape_markdown(note)}" for note in table.notes)]
    return "\n".join(lines) + "\n"


def _markdown_line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown_cell(column: Column, cell: Cell) -> str:
    text = escape_markdown(cell.text, code=column.kind == "code")
    return f"**{text}**" if cell.warn and text else text


def escape_markdown(text: str, code: bool = False) -> str:
    """Text on one line that Markdown prints as it is; ``code`` sets it as code where that is possible."""
    text = one_line(text)
    if code and text and "`" not in text:
        return "`" + text.replace("|", r"\|") + "`"
    text = html.escape(text, quote=False)
    return re.sub(r"([\\`*\[\]|~])", r"\\\1", text)


# --- CSV -----------------------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def to_csv(tables: Sequence[Table]) -> str:
    """One CSV of tables with the same columns; the first column, ``table``, names the table.

    Numbers have full precision; an interval becomes two columns, and so does a share (count and percent). Text that a
    spreadsheet would run as a formula gets a leading apostrophe. A column that one of the tables lacks stays empty
    there.
    """
    columns: dict[str, Column] = {column.key: column for table in tables for column in table.columns}
    header = ["table"]
    for column in columns.values():
        header += [column.key + ending for ending in _CSV_ENDINGS.get(column.kind, ("",))]
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    for table in tables:
        for row in table.rows:
            cells = {column.key: cell for column, cell in zip(table.columns, row, strict=True)}
            line: list[str] = [_csv(table.title)]
            for column in columns.values():
                line += _csv_cells(column, cells.get(column.key))
            writer.writerow(line)
    return buffer.getvalue()


_CSV_ENDINGS = {"interval": ("_low", "_high"), "share": ("", "_percent")}


def _csv_cells(column: Column, cell: Cell | None) -> list[str]:
    value = None if cell is None else cell.value
    if column.kind in _CSV_ENDINGS:
        ends = value if isinstance(value, tuple) else (None, None)
        return [_csv(end) for end in ends]
    return [_csv(value)]


def _csv(value: CellValue) -> str:
    if value is None:
        return ""
    # The csv module leaves a lone carriage return unquoted, and readers take it for the end of the line.
    return neutral(re.sub(r"\r\n?", "\n", value)) if isinstance(value, str) else str(value)


_FORMULA_BEGINS = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "|", "%", "＝", "＋", "－", "＠")
"""Full-width signs count in some languages of Excel; ``|`` and ``%`` begin commands of older programs."""


def neutral(text: str) -> str:
    """Text that no spreadsheet takes for a formula.

    >>> neutral("=1+1"), neutral("-3.5"), neutral("plain")
    ("'=1+1", '-3.5', 'plain')
    """
    if text.lstrip(" ")[:1] in _FORMULA_BEGINS and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


# --- HTML ----------------------------------------------------------------------------------------------------------


def to_html(table: Table, graphics: Mapping[str, Sequence[str]] | None = None) -> str:
    """A ``<table>`` with its notes, without style; the classes ``number``, ``code``, ``text`` and ``warn`` mark cells.

    graphics: for the column of that key, trusted markup (an SVG) per row that stands in place of the cell's text.
    """
    graphics = graphics or {}
    parts = ["<table>"]
    if table.caption:
        parts.append(f"<caption>{html.escape(one_line(table.caption))}</caption>")
    heads = "".join(f'<th scope="col" class="{_class(c)}">{html.escape(c.title)}</th>' for c in table.columns)
    parts.append(f"<thead><tr>{heads}</tr></thead>\n<tbody>")
    for number, row in enumerate(table.rows):
        cells = []
        for column, cell in zip(table.columns, row, strict=True):
            drawn = graphics.get(column.key)
            inner = html.escape(one_line(cell.text)) if drawn is None else drawn[number]
            cells.append(f'<td class="{_class(column)}{" warn" if cell.warn else ""}">{inner}</td>')
        parts.append(f"<tr>{''.join(cells)}</tr>")
    parts.append("</tbody></table>")
    if table.notes:
        notes = "".join(f"<li>{html.escape(one_line(note))}</li>" for note in table.notes)
        parts.append(f'<ul class="notes">{notes}</ul>')
    return "\n".join(parts)


def _class(column: Column) -> str:
    return "number" if column.align == "right" else column.kind


# --- terminal ------------------------------------------------------------------------------------------------------


def to_terminal(table: Table, width: int | None = None) -> RichTable:
    """A rich table, to be printed by ``rich.console.Console``. Control characters of the text are removed.

    Code columns (signatures) are long: each of their values is printed once below the table instead. width: columns of
    the terminal; where they do not suffice, the least needed columns of the table are left out.
    """
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    below = [table.caption, *table.notes]
    for index, column in enumerate(table.columns):
        if column.kind == "code":
            codes = dict.fromkeys(row[index].text for row in table.rows if row[index].text)
            below.append(f"{column.title}: {', '.join(codes)}")
    table = table.without(*(column.key for column in table.columns if column.kind == "code"))
    table = _fitting(table, width)
    rich_table = RichTable(
        title=Text(one_line(table.title)),
        caption=Text("\n".join(one_line(line) for line in below if line)),
        box=box.SIMPLE_HEAD,
        title_justify="left",
        caption_justify="left",
        padding=(0, 1, 0, 0),
    )
    for column in table.columns:
        rich_table.add_column(Text(column.title), justify=column.align, overflow="fold", no_wrap=column.kind != "text")
    for row in table.rows:
        rich_table.add_row(*(Text(one_line(cell.text), style="bold yellow" if cell.warn else "") for cell in row))
    return rich_table


_LEAST_NEEDED = ("published_for", INTERVAL.key, "errors", DIFFERENCE.key, "published", COUNT.key, PART.key)


def _fitting(table: Table, width: int | None) -> Table:
    """The table without as many columns as it takes to fit, the least needed first."""
    for key in _LEAST_NEEDED:
        if width is None or _natural_width(table) <= width:
            break
        table = table.without(key)
    return table


def _natural_width(table: Table) -> int:
    """Characters that a line takes when no cell is folded."""
    lines = [[column.title for column in table.columns], *([cell.text for cell in row] for row in table.rows)]
    return 2 + sum(max(map(len, column)) + 2 for column in zip(*lines, strict=True))


def one_line(text: str) -> str:
    """The text without line breaks and control characters (a model's text could move the cursor)."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]+", " ", text).strip()
