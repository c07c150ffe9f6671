"""Tables as grids of cells, from HTML or from annotated cells, as GriTS reads them.

The rules follow ``src/grits.py`` of microsoft/table-transformer: every ``tr`` begins a row, every ``td`` and ``th`` is
a cell at the first column of its row that is free, and a cell fills all grid positions that it spans. The official
program reads HTML as XML and stops with an error at anything that is not well formed, and at a grid with holes.
Here that is ``strict``; otherwise an HTML parser reads what can be read, holes are filled and counted.
"""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from evalsuite.errors import ScoringError

MAX_POSITIONS = 2**16
"""Most grid positions of a table, its spans included. Tables of benchmarks have a few hundred."""

MAX_SCATTERED = 2**10
"""Most rows or columns of an annotated cell that do not follow one another."""

MAX_TEXT = 2**22
"""Most characters of all cells together. Only nested cells, whose text counts again for each, can reach it."""

NO_BOX = (0.0, 0.0, 0.0, 0.0)
_TOKEN = re.compile(r"<loc(\d{4})>")
_LEADING_DIGITS = re.compile(r"\s*\+?(\d{1,9})")

Box = tuple[float, float, float, float]
Content = Callable[[Any], Hashable]
"""What a metric compares of a cell, from its element (HTML) or its dict (annotated cells)."""


class UnreadableTable(ValueError):
    """Not a table, or in strict mode a table at which the official program stops."""


class TableTooLarge(ValueError):
    """More than MAX_POSITIONS or MAX_TEXT."""


class Cell(NamedTuple):
    """A cell: the rows and columns that it fills, counted from 0, and what is compared of it."""

    rows: Sequence[int]
    columns: Sequence[int]
    content: Hashable


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of ``rows`` x ``columns`` positions; a later cell covers an earlier one. Both are 0 without cells."""

    rows: int
    columns: int
    cells: Sequence[Cell]


def read_html(html: str | None, content: Content, *, strict: bool = False) -> Grid:
    """The grid of all cells of a document, in document order.

    content: gets each ``td`` and ``th`` element. Not strict: a colspan or rowspan that is no number counts 1, cells
    before the first ``tr`` are in a row of their own. Nested tables and a second table add their rows to the same grid
    (officially so). Raises UnreadableTable and TableTooLarge.
    """
    elements = _parse_xml(html).iter() if strict else _parse_html(html).iter("tr", "td", "th")
    return _located(elements, content, strict)


def read_cells(cells: Iterable[Mapping[str, Any]], content: Content) -> Grid:
    """The grid of annotated cells with ``row_nums`` and ``column_nums``. ``content`` gets each dict.

    Raises UnreadableTable for a cell without rows or columns, TableTooLarge, and ScoringError for other data.
    """
    found = []
    for cell in cells:
        try:
            filled = [_places(cell[key]) for key in ("row_nums", "column_nums")]
            found.append(Cell(filled[0], filled[1], content(dict(cell))))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            message = "a cell needs row_nums, column_nums and what the metric compares (cell_text or bbox)"
            raise ScoringError(f"{message}, not {cell!r:.120}: {type(error).__name__} {error}") from error
    if not all(cell.rows and cell.columns for cell in found):
        raise UnreadableTable("a cell has no rows or no columns")
    rows = 1 + max((max(cell.rows) for cell in found), default=-1)
    columns = 1 + max((max(cell.columns) for cell in found), default=-1)
    positions = max(max(rows, 0) * max(columns, 0), sum(len(cell.rows) * len(cell.columns) for cell in found))
    if positions > MAX_POSITIONS:
        raise TableTooLarge(f"{rows} rows and {columns} columns: more than {MAX_POSITIONS} grid positions")
    return Grid(rows, columns, found)


def _places(numbers: Iterable[Any]) -> Sequence[int]:
    """Rows or columns of a cell: a range where they follow one another. Raises TableTooLarge for many that do not."""
    places = [int(place) for place in numbers]
    if not places or places != list(range(places[0], places[0] + len(places))):
        if len(places) > MAX_SCATTERED:
            raise TableTooLarge(f"a cell in {len(places)} rows or columns that do not follow one another")
        return places
    return range(places[0], places[0] + len(places))


def first_and_last(places: Sequence[int]) -> tuple[int, int]:
    """Of the rows or columns of a cell; asked for at each of its positions, so that a range is not gone through."""
    return (places[0], places[-1]) if isinstance(places, range) else (min(places), max(places))


def number_positions(
    grid: Grid, features: Callable[[Cell, int, int], Hashable], hole: Hashable | None
) -> tuple[list[list[int]], list[Any], int]:
    """The feature of each grid position as a number, the distinct features in that order, and the number of holes.

    features: of a cell at row i and column j. hole: the feature of a position that no cell fills; None forbids holes
    (UnreadableTable).
    """
    numbers: dict[Hashable, int] = {}
    places = [[-1] * grid.columns for _ in range(grid.rows)]
    try:
        for cell in grid.cells:
            for i in cell.rows:
                for j in cell.columns:
                    places[i][j] = numbers.setdefault(features(cell, i, j), len(numbers))
    except IndexError as error:  # a negative place counts from the end, as officially, but may be beyond that
        raise UnreadableTable("a cell lies outside of the grid") from error
    holes = sum(row.count(-1) for row in places)
    if holes:
        if hole is None:
            raise UnreadableTable(f"{holes} grid positions are not filled")
        filler = numbers.setdefault(hole, len(numbers))
        places = [[filler if number < 0 else number for number in row] for row in places]
    return places, list(numbers), holes


# --- what is compared of a cell -------------------------------------------------------------------------------------


def cell_text(cell: Any) -> str:
    """All pieces of text of a ``td`` joined by one space (officially so: ``x<sup>2</sup>`` is "x 2"), or cell_text."""
    if isinstance(cell, dict):
        text = cell["cell_text"]
        if not isinstance(text, str):
            raise TypeError(f"cell_text must be a string, not {text!r:.40}")
        return text
    return " ".join(cell.itertext()) if len(cell) else cell.text or ""


def cell_box(cell: Any, order: Sequence[str], scale: tuple[float, float] = (1.0, 1.0)) -> Box:
    """(xmin, ymin, xmax, ymax), from the four ``<loc>`` tokens of the attribute ``coords`` in that order, or from bbox.

    Tokens are 0 to 1023. A ``td`` without four such tokens has the box 0, 0, 0, 0. scale: factors for x and y of bbox.
    """
    if isinstance(cell, dict):
        xmin, ymin, xmax, ymax = map(float, cell["bbox"])
        return xmin * scale[0], ymin * scale[1], xmax * scale[0], ymax * scale[1]
    tokens = [int(digits) for digits in _TOKEN.findall(cell.get("coords", ""))]
    if len(tokens) != 4 or max(tokens) > 1023:
        return NO_BOX
    named = dict(zip(order, tokens, strict=True))
    return float(named["xmin"]), float(named["ymin"]), float(named["xmax"]), float(named["ymax"])


def pixel_scale(size: Any) -> tuple[float, float]:
    """Factors that turn pixels of an image of ``size`` [width, height] into token units, 1024 to a side."""
    try:
        width, height = map(float, size)
    except (TypeError, ValueError) as error:
        raise ScoringError(f"size must be [width, height] in pixels, not {size!r:.80}") from error
    if not (0 < width < math.inf and 0 < height < math.inf):
        raise ScoringError(f"size must be positive, not {size!r:.80}")
    return 1024 / width, 1024 / height


# --- from markup to cells -------------------------------------------------------------------------------------------


def _parse_xml(html: str | None) -> Any:
    from xml.etree import ElementTree

    try:
        return ElementTree.fromstring(html or "")
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise UnreadableTable(f"not well-formed XML: {error}") from error


def _parse_html(html: str | None) -> Any:
    from lxml import etree

    # Lone surrogates are in no encoding, and older parsers end at a NUL.
    data = (html or "").replace("\0", "").encode("utf-8", "replace")
    try:
        root = etree.fromstring(data, _html_parser())
    except (ValueError, etree.LxmlError) as error:
        raise UnreadableTable(f"not HTML: {error}") from error
    if root is None or next(root.iter("table", "tr", "td", "th"), None) is None:
        raise UnreadableTable("there is no table")
    return root


@functools.lru_cache(maxsize=1)
def _html_parser() -> Any:
    from lxml import etree

    return etree.HTMLParser(remove_comments=True, remove_pis=True, encoding="utf-8")


def _located(elements: Iterable[Any], content: Content, strict: bool) -> Grid:
    """The grid of the ``tr``, ``td`` and ``th`` among ``elements``."""
    cells: list[Cell] = []
    taken: dict[int, set[int]] = {}  # places filled by cells of earlier rows
    row, column = -1, 0
    rows = columns = positions = characters = 0
    for element in elements:
        tag = element.tag
        if tag == "tr":
            row, column = row + 1, 0
        elif tag in ("td", "th"):
            if row < 0 and not strict:
                row = 0
            height, width = _span(element.get("rowspan"), strict), _span(element.get("colspan"), strict)
            if taken:
                while column in taken.get(row, ()):
                    column += 1
            value = content(element)
            positions += height * width
            if isinstance(value, str):
                characters += len(value)
            if positions > MAX_POSITIONS or characters > MAX_TEXT:
                raise TableTooLarge(f"more than {MAX_POSITIONS} grid positions or {MAX_TEXT} characters")
            below, beside = row + height, column + width
            cells.append(Cell(range(row, below), range(column, beside), value))
            for other in range(row + 1, below):
                taken.setdefault(other, set()).update(range(column, beside))
            rows, columns = max(rows, below), max(columns, beside)
            column = beside
    if rows * columns > MAX_POSITIONS:
        raise TableTooLarge(f"{rows} rows and {columns} columns: more than {MAX_POSITIONS} grid positions")
    return Grid(rows, columns, cells)


def _span(text: str | None, strict: bool) -> int:
    if text is None:
        return 1
    try:
        span = int(text)
        if span > 0:
            return span
    except ValueError:
        span = 0
    if strict:
        raise UnreadableTable(f"a span must be a positive number, not {text!r:.40}")
    digits = _LEADING_DIGITS.match(text)
    return max(1, int(digits[1])) if digits else 1
