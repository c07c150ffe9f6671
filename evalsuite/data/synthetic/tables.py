"""Tables of research papers as plain data, and their HTML in the form of PubTabNet."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evalsuite.data.synthetic.randomness import SeededRandom

_STUBS = (
    "Age",
    "Weight",
    "Height",
    "Pulse",
    "Sodium",
    "Glucose",
    "Iron",
    "Urea",
    "Zinc",
    "Albumin",
    "Calcium",
    "Protein",
)
_GROUPS = ("Control", "Treated", "Placebo", "Low dose", "High dose", "Baseline", "Week 12")
_MEASURES = ("Mean", "SD", "n", "Median", "Range", "Min", "Max", "P value")
_SECTIONS = ("Men", "Women", "Children", "Blood", "Urine", "Before", "After")


@dataclass(frozen=True, slots=True)
class Cell:
    text: str
    colspan: int = 1
    rowspan: int = 1
    bold: bool = False

    def html(self) -> str:
        spans = "".join(
            f' {name}="{value}"' for name, value in (("colspan", self.colspan), ("rowspan", self.rowspan)) if value > 1
        )
        text = html.escape(self.text, quote=False)
        return f"<td{spans}>{f'<b>{text}</b>' if self.bold and text else text}</td>"


Row = tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows hold the cells that begin in them, as in HTML."""

    head: tuple[Row, ...]
    body: tuple[Row, ...]
    text_scale: float = 1.0
    width: int = 1024

    @property
    def row_height(self) -> int:
        return int(46 * max(self.text_scale, 0.5))

    @property
    def height(self) -> int:
        return (len(self.head) + len(self.body)) * self.row_height + 48

    def html(self) -> str:
        """A whole document, headers in ``<b>``; ``&``, ``<`` and ``>`` of the text are escaped."""
        return (
            f"<html><body><table><thead>{_rows_html(self.head)}</thead>"
            f"<tbody>{_rows_html(self.body)}</tbody></table></body></html>"
        )

    def grid(self) -> list[tuple[int, int, Cell]]:
        """Row and column where each cell begins, after the rules of HTML for spans."""
        return place_cells((*self.head, *self.body))

    def column_count(self) -> int:
        return max(column + cell.colspan for _, column, cell in self.grid())


def _rows_html(rows: Iterable[Row]) -> str:
    return "".join(f"<tr>{''.join(cell.html() for cell in row)}</tr>" for row in rows)


def place_cells(rows: Sequence[Row]) -> list[tuple[int, int, Cell]]:
    """Each cell takes the first free columns of its row; cells that span rows block those below.

    >>> [(r, c) for r, c, _ in place_cells([(Cell("a", rowspan=2), Cell("b")), (Cell("c"),)])]
    [(0, 0), (0, 1), (1, 1)]
    """
    taken: set[tuple[int, int]] = set()
    placed = []
    for row, cells in enumerate(rows):
        column = 0
        for cell in cells:
            while (row, column) in taken:
                column += 1
            placed.append((row, column, cell))
            taken |= {(row + down, column + right) for down in range(cell.rowspan) for right in range(cell.colspan)}
    return placed


def make_table(
    rng: SeededRandom, max_rows: int = 8, max_columns: int = 6, spans: bool = True, text_scale: float = 1.0
) -> Table:
    """2 to ``max_rows`` rows of body and 3 to ``max_columns`` columns; with ``spans`` most tables merge some cells."""
    columns = rng.integer(3, max(3, max_columns))
    grouped = spans and columns >= 5 and rng.chance(0.6)
    head = _grouped_head(rng, columns) if grouped else _plain_head(rng, columns)
    style = rng.choice(("plain", "section rows", "row groups")) if spans else "plain"
    body = _body(rng, rng.integer(2, max(2, max_rows)), columns, style)
    return Table(head, body, text_scale)


def _plain_head(rng: SeededRandom, columns: int) -> tuple[Row, ...]:
    names = rng.sample((*_GROUPS, *_MEASURES), columns - 1)
    first = rng.choice(("", "Variable", "Parameter"))
    return (tuple(Cell(name, bold=True) for name in (first, *names)),)


def _grouped_head(rng: SeededRandom, columns: int) -> tuple[Row, ...]:
    """Two rows: a corner that spans both, groups that span two or three columns, and measures below them."""
    widths, left = [], columns - 1
    while left > 0:
        widths.append(left if left <= 3 else 2)
        left -= widths[-1]
    groups = rng.sample(_GROUPS, len(widths))
    corner = Cell(rng.choice(("Variable", "Parameter", "Group")), rowspan=2, bold=True)
    upper = (corner, *(Cell(name, colspan=width, bold=True) for name, width in zip(groups, widths, strict=True)))
    lower = tuple(Cell(name, bold=True) for width in widths for name in rng.sample(_MEASURES, width))
    return upper, lower


def _body(rng: SeededRandom, rows: int, columns: int, style: str) -> tuple[Row, ...]:
    stubs, sections = rng.sample(_STUBS, rows), rng.shuffled(_SECTIONS)
    body: list[Row] = []
    for index, stub in enumerate(stubs):
        if style == "section rows" and index % 3 == 0:
            body.append((Cell(sections[index // 3], colspan=columns, bold=rng.chance(0.5)),))
        if style == "row groups":
            # The first column holds a group of up to two rows, the second the name of the row.
            first = (Cell(sections[index // 2], rowspan=min(2, rows - index)),) if index % 2 == 0 else ()
            body.append((*first, Cell(stub), *(_value(rng) for _ in range(columns - 2))))
        else:
            body.append((Cell(stub), *(_value(rng) for _ in range(columns - 1))))
    return tuple(body)


def _value(rng: SeededRandom) -> Cell:
    whole, part = rng.integer(0, 180), rng.integer(0, 99)
    text = rng.choice(
        (f"{whole}", f"{whole}.{part:02d}", f"{whole}.{part // 10} ± {part % 10}.{whole % 10}", "<0.001", "-", "")
    )
    return Cell(text)
