"""GriTS: how alike two tables are, as grids of cells. Topology, content and location."""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from evalsuite.errors import ScoringError
from evalsuite.metrics.base import Array, Flags, Metric, Value, ratio
from evalsuite.metrics.tables.grid import (
    NO_BOX,
    Cell,
    Content,
    Grid,
    TableTooLarge,
    UnreadableTable,
    cell_box,
    cell_text,
    first_and_last,
    number_positions,
    pixel_scale,
    read_cells,
    read_html,
)

MAX_PAIRS = 2**25
"""Most pairs of grid positions of two tables: 5,800 each, twenty times what benchmarks hold; under a second."""

_CORNERS = ("xmin", "ymin", "xmax", "ymax")


class Similarity(NamedTuple):
    """Of one prediction to one reference; the flags are 0 or 1."""

    f1: float = 0.0
    precision: float = 0.0
    recall: float = 0.0
    upper_bound: float = 0.0
    unparseable: float = 0.0
    ragged: float = 0.0
    too_large: float = 0.0


def _values(name: str) -> tuple[Value, ...]:
    parts = [f"{name}{suffix}" for suffix in ("", "_precision", "_recall", "_upper_bound")]
    flags = [f"{name}{suffix}" for suffix in ("_unparseable", "_ragged", "_too_large")]
    return (*map(Value, parts), *(Value(flag, higher_is_better=False) for flag in flags))


@dataclass(frozen=True)
class _Grits(Metric):
    """What the three GriTS metrics share; they differ in what a grid position holds and how two are compared."""

    heavy: ClassVar[bool] = True
    source: ClassVar[str] = "https://github.com/microsoft/table-transformer (src/grits.py)"
    hole: ClassVar[Any]
    equal_is_best: ClassVar[bool] = True  # whether equal grids always have the score 1

    strict: bool = False

    @abstractmethod
    def content(self, scale: tuple[float, float]) -> Content:
        """What is read of a cell; ``scale`` are factors for the x and y of boxes."""

    def feature(self, cell: Cell, row: int, column: int) -> Any:
        """What the grid holds at ``row`` and ``column``, which ``cell`` fills."""
        return cell.content

    @abstractmethod
    def rewards(self, true: list[Any], predicted: list[Any]) -> Array:
        """How alike features are, in [0, 1]. Shape (len(true), len(predicted))."""

    def statistics(self, prediction: Any, references: Sequence[Any]) -> Array:
        """(f1, precision, recall, upper bound, unparseable, ragged, too large, 1) for the reference nearest in f1.

        Raises ScoringError for references that are neither HTML nor cells.
        """
        if isinstance(references, str) or not references:
            raise ScoringError(f"{self.name}: references must be a list of tables, not {references!r:.80}")
        return np.array([*max(self.compare(prediction, reference) for reference in references), 1.0])

    def unread(self, predictions: Sequence[Any], references: Sequence[Sequence[Any]], statistics: Array) -> Flags:
        """Answers without a table, or with one too large to compare."""
        return np.asarray(statistics[:, 4] + statistics[:, 6], bool)

    def finalize(self, total: Array) -> dict[str, Array]:
        return {value.name: ratio(total[..., k], total[..., -1]) for k, value in enumerate(self.values)}

    def example(self, prediction: Any, references: Sequence[Any]) -> float:
        """F1 of one example."""
        return float(self.statistics(prediction, references)[0])

    def compare(self, prediction: Any, reference: Any) -> Similarity:
        """Similarity of two tables, each HTML, a list of cells or a dict with cells."""
        try:
            true, predicted = self._read(reference), self._read(prediction)
            return self._similarity(true, predicted)
        except UnreadableTable:
            return Similarity(unparseable=1.0)
        except TableTooLarge:
            return Similarity(too_large=1.0)

    def _read(self, table: Any) -> Grid:
        if table is None or isinstance(table, str):
            return read_html(table, self.content((1.0, 1.0)), strict=self.strict)
        cells, scale = table, (1.0, 1.0)
        if isinstance(table, Mapping):
            cells = table.get("cells")
            scale = pixel_scale(table["size"]) if "size" in table else scale
        if not isinstance(cells, Sequence):
            raise ScoringError(f"{self.name}: a table is HTML, a list of cells or a dict with cells, not {table!r:.80}")
        return read_cells(cells, self.content(scale))

    def _similarity(self, true: Grid, predicted: Grid) -> Similarity:
        from evalsuite.metrics.tables.similar_substructure import most_similar_substructure

        hole = None if self.strict else self.hole
        places1, features1, _ = number_positions(true, self.feature, hole)
        places2, features2, holes = number_positions(predicted, self.feature, hole)
        ragged = float(holes > 0)
        count1, count2 = true.rows * true.columns, predicted.rows * predicted.columns
        if not count1 or not count2:
            both = float(count1 == count2)
            return Similarity(both, float(not count2), float(not count1), both, ragged=ragged)
        if self.equal_is_best and places1 == places2 and features1 == features2:
            return Similarity(1.0, 1.0, 1.0, 1.0, ragged=ragged)
        if count1 * count2 > MAX_PAIRS:
            raise TableTooLarge(f"{count1} and {count2} grid positions: more than {MAX_PAIRS} pairs")
        rewards = self.rewards(features1, features2)
        match = most_similar_substructure(np.array(places1), np.array(places2), rewards)
        f1, precision, recall = _f_score(match.score, count1, count2)
        return Similarity(f1, precision, recall, _f_score(match.bound, count1, count2)[0], ragged=ragged)


@dataclass(frozen=True)
class GritsTop(_Grits):
    """GriTS-Top, how alike the layouts of two tables are: the F1 of matching grid positions. In [0, 1]; printed x100.

    Smock, Pesala and Abraham 2023, https://arxiv.org/abs/2203.12555; equal to ``grits_top`` of
    microsoft/table-transformer, ``src/grits.py``. The rows and then the columns of the two grids are aligned so that
    the similarities of paired positions add up to most; precision and recall are the sum over the positions in paired
    rows and columns, divided by the number of grid positions. The similarity of two positions is that of the cells'
    spans as seen from there: area of the intersection over area of the rectangle that encloses both.

    Values are means over tables: ``grits_top`` (F1), ``_precision``, ``_recall``, ``_upper_bound`` (the F1 that no
    alignment can exceed), and the share of predictions that are ``_unparseable`` (no table in them, score 0),
    ``_ragged`` (holes were filled) and ``_too_large`` (score 0).

    References: a list of tables, the nearest counts. A table is HTML, a list of dicts with ``row_nums`` and
    ``column_nums`` (lists of places from 0), or a dict with such a list as ``cells``.

    strict: read HTML as the official program does, as XML. Where that program stops with an error, at markup that is
    not well formed (``<br>``, ``&nbsp;``, PaliGemma's ``coords="<loc0000>..."``, a cut answer) or at a grid position
    that no cell fills, the score is 0 and the prediction counts as unparseable. By default an HTML parser reads what
    there is and holes are filled with empty cells of one row and column; tables that the official program can score
    score the same, but for tags in upper case, which XML does not know.

    No table takes more than about a second: beyond ``table_grid.MAX_POSITIONS`` grid positions (a colspan of 10**9) or
    ``MAX_PAIRS`` pairs of them the score is 0 and the prediction counts as too large.

    >>> GritsTop().example("<table><tr><td>a</td></tr></table>", ["<table><tr><td>b</td><td>c</td></tr></table>"])
    0.6666666666666666
    """

    name: ClassVar[str] = "grits_top"
    values: ClassVar[tuple[Value, ...]] = _values("grits_top")
    hole: ClassVar[Any] = (0, 0, 1, 1)

    def content(self, scale: tuple[float, float]) -> Content:
        return _nothing

    def feature(self, cell: Cell, row: int, column: int) -> tuple[int, int, int, int]:
        """The cell's borders relative to this position: left, top, right, bottom. A plain cell has 0, 0, 1, 1."""
        rows, columns = cell.rows, cell.columns
        if len(rows) == 1 and len(columns) == 1:
            return 0, 0, 1, 1
        (left, right), (top, bottom) = first_and_last(columns), first_and_last(rows)
        return left - column, top - row, right + 1 - column, bottom + 1 - row

    def rewards(self, true: list[Any], predicted: list[Any]) -> Array:
        from evalsuite.metrics.tables.hull_overlap import hull_overlaps

        return hull_overlaps(true, predicted)


@dataclass(frozen=True)
class GritsCon(_Grits):
    """GriTS-Con, how alike the texts of two tables' cells are: the F1 of matching positions. In [0, 1]; printed x100.

    Smock, Pesala and Abraham 2023, https://arxiv.org/abs/2203.12555; equal to ``grits_con`` of
    microsoft/table-transformer, ``src/grits.py``. As :class:`GritsTop`, with another similarity of two positions: that
    of their cells' texts by Python's ``difflib``, see :mod:`~evalsuite.metrics.tables.gestalt`. Text is neither
    stripped nor folded; pieces of text between inline tags are joined by a space, officially so.

    Cells of annotated tables have ``cell_text``. A comparison beyond ``gestalt.MAX_STEPS`` is too large as well.

    >>> GritsCon().example("<table><tr><td>abcd</td></tr></table>", ["<table><tr><td>bcde</td></tr></table>"])
    0.75
    """

    name: ClassVar[str] = "grits_con"
    values: ClassVar[tuple[Value, ...]] = _values("grits_con")
    hole: ClassVar[Any] = ""

    def content(self, scale: tuple[float, float]) -> Content:
        return cell_text

    def rewards(self, true: list[Any], predicted: list[Any]) -> Array:
        from evalsuite.metrics.tables.gestalt import TextsTooLong, gestalt_ratios

        try:
            return gestalt_ratios(true, predicted)
        except TextsTooLong as error:
            raise TableTooLarge(str(error)) from error


@dataclass(frozen=True)
class GritsLoc(_Grits):
    """GriTS-Loc, how well the boxes of two tables' cells agree: the F1 of matching positions. In [0, 1]; printed x100.

    Smock, Pesala and Abraham 2023, https://arxiv.org/abs/2203.12555; equal to ``grits_loc`` of
    microsoft/table-transformer, ``src/grits.py``. As :class:`GritsTop`, with another similarity of two positions: area
    of the intersection of their cells' boxes over area of the rectangle that encloses both (not the usual IoU). A cell
    without a box, or with an empty one, matches nothing: a table with such cells stays below 1 against itself.

    Boxes of HTML are those that PaliGemma writes, ``<td coords="<loc0012><loc0034><loc0056><loc0078>">``. Cells of
    annotated tables have ``bbox`` [xmin, ymin, xmax, ymax]; in pixels beside predictions of tokens, they need the
    image's ``size``: ``{"cells": [...], "size": [width, height]}``.

    coords: what the four tokens stand for. The PaliGemma 2 paper prints xmin, ymax, xmax, ymax, in which ymax stands
    twice; the default takes the first for ymin. PaliGemma's own boxes elsewhere are ymin, xmin, ymax, xmax.

    >>> cell = '<table><tr><td coords="<loc0000><loc0000><loc0100><loc{}>">a</td></tr></table>'
    >>> GritsLoc().example(cell.format("0100"), [cell.format("0050")])
    0.5
    """

    name: ClassVar[str] = "grits_loc"
    values: ClassVar[tuple[Value, ...]] = _values("grits_loc")
    hole: ClassVar[Any] = NO_BOX
    equal_is_best: ClassVar[bool] = False

    coords: tuple[str, ...] = _CORNERS

    def __post_init__(self) -> None:
        object.__setattr__(self, "coords", tuple(self.coords))
        if sorted(self.coords) != sorted(_CORNERS):
            raise ValueError(f"coords must name xmin, ymin, xmax and ymax once each, not {self.coords!r}")

    def content(self, scale: tuple[float, float]) -> Content:
        return functools.partial(cell_box, order=self.coords, scale=scale)

    def rewards(self, true: list[Any], predicted: list[Any]) -> Array:
        from evalsuite.metrics.tables.hull_overlap import hull_overlaps

        return hull_overlaps(true, predicted)


def _nothing(cell: Any) -> None:
    return None


def _f_score(score: float, true: int, predicted: int) -> tuple[float, float, float]:
    """F1, precision and recall of a matched sum and the numbers of true and predicted grid positions."""
    precision, recall = score / predicted, score / true
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0, precision, recall
