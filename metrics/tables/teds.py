"""TEDS and S-TEDS: how alike two HTML tables are, as trees."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from evalsuite.errors import ScoringError
from evalsuite.metrics.base import Array, Flags, Metric, Value, ratio
from evalsuite.metrics.tables.html import TableTree, TagCodes, parse_table, wrap_table

MAX_TEXT_PAIRS = 10**11
"""Most pairs of characters whose cells' texts are compared: a few seconds, 64 pairs at a time."""


def _values(name: str) -> tuple[Value, ...]:
    flags = (Value(f"{name}{suffix}", higher_is_better=False) for suffix in ("_unparseable", "_too_large"))
    return (Value(name, bounds=(None, 1.0)), *flags)


@dataclass(frozen=True)
class _TableTrees(Metric):
    """What TEDS and S-TEDS share."""

    heavy: ClassVar[bool] = True
    source: ClassVar[str] = "https://github.com/ibm-aur-nlp/PubTabNet (src/metric.py)"
    structure_only: ClassVar[bool]

    wrap: bool = True
    ignore_nodes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.ignore_nodes, str):
            raise ValueError(f"ignore_nodes must be a list of tag names, not the text {self.ignore_nodes!r}")
        object.__setattr__(self, "ignore_nodes", tuple(self.ignore_nodes))

    def statistics(self, prediction: str, references: Sequence[Any]) -> Array:
        """(similarity, unparseable, too large, 1) for the nearest reference.

        Raises ScoringError for references that are not HTML strings.
        """
        if not references or not all(reference is None or isinstance(reference, str) for reference in references):
            raise ScoringError(f"{self.name}: references must be a list of HTML strings, not {references!r:.80}")
        return np.array([*max(self._compare(prediction, reference) for reference in references), 1.0])

    def unread(self, predictions: Sequence[str], references: Sequence[Sequence[Any]], statistics: Array) -> Flags:
        """Answers without a table, or with one too large to compare."""
        return np.asarray(statistics[:, 1] + statistics[:, 2], bool)

    def finalize(self, total: Array) -> dict[str, Array]:
        return {value.name: ratio(total[..., k], total[..., -1]) for k, value in enumerate(self.values)}

    def example(self, prediction: str, references: Sequence[Any]) -> float:
        """The similarity to the nearest reference."""
        return float(self.statistics(prediction, references)[0])

    def _compare(self, prediction: str | None, reference: str | None) -> tuple[float, float, float]:
        codes = TagCodes()
        predicted, true = (
            parse_table(
                wrap_table(html or "") if self.wrap else html or "",
                codes,
                structure_only=self.structure_only,
                ignore_nodes=self.ignore_nodes,
            )
            for html in (prediction, reference)
        )
        if predicted is None or true is None or not (predicted.elements or true.elements):
            return 0.0, 1.0, 0.0
        distance = _distance(predicted, true)
        if distance is None:
            return 0.0, 0.0, 1.0
        return 1.0 - distance / max(predicted.elements, true.elements), 0.0, 0.0


@dataclass(frozen=True)
class Teds(_TableTrees):
    """Tree-edit-distance-based similarity of two HTML tables, 1 - distance / elements; printed x100.

    Zhong et al. 2020, https://arxiv.org/abs/1911.10683; equal to ``src/metric.py`` of ibm-aur-nlp/PubTabNet on complete
    documents. The distance is the exact ordered tree edit distance over the elements of the table, cells being leaves:
    1 for a node too many or too few, 1 for another tag, colspan or rowspan, and the normalised edit distance of their
    tokens (characters and inline tags) for two cells. It is divided by the larger number of elements, inline tags
    included. The score is 1 for equal tables and is not cut off at 0: unrelated tables can fall below.

    Values are means over tables: ``teds``, and the share of predictions that are ``_unparseable`` or ``_too_large``.

    References: a list of HTML strings; the best score counts. Only the first table directly below ``body`` is compared.

    wrap: give ``<html><body>`` to texts that lack it. Officially (False) these score 0, a bare table included.
    ignore_nodes: tags that are dissolved before comparing, such as ``("b", "i")``.

    Unparseable, with the score 0: no table is found (officially 0 too), or the official program stops with an error
    (white space only, a colspan that is no integer, two empty tables). Too large, with the score 0 whatever the clock
    says: beyond ``tree_distance.MAX_NODE_PAIRS``, ``tree_distance.MAX_WORK`` or ``MAX_TEXT_PAIRS``, which is a few
    seconds; tables of some 3,000 nodes each, ten times what benchmarks hold. Equal trees score 1 at any size.

    >>> round(Teds().example("<table><tr><td>ab</td></tr></table>", ["<table><tr><td>ac</td></tr></table>"]), 9)
    0.75
    """

    name: ClassVar[str] = "teds"
    values: ClassVar[tuple[Value, ...]] = _values("teds")
    structure_only: ClassVar[bool] = False


@dataclass(frozen=True)
class TedsStructure(_TableTrees):
    """S-TEDS: :class:`Teds` of the structure alone, where any two cells of equal spans are equal; printed x100.

    Zhong et al. 2020, https://arxiv.org/abs/1911.10683; equal to ``src/metric.py`` of ibm-aur-nlp/PubTabNet with
    ``structure_only``. Inline tags inside of cells are not compared but still count as elements in the denominator, so
    that a wrong structure costs less in a table with much bold text.

    Values (``s_teds`` and its ``_unparseable`` and ``_too_large``), references and parameters are those of ``teds``.

    >>> TedsStructure().example("<table><tr><td>ab</td></tr></table>", ["<table><tr><td>x</td></tr></table>"])
    1.0
    """

    name: ClassVar[str] = "teds_structure"
    values: ClassVar[tuple[Value, ...]] = _values("s_teds")
    structure_only: ClassVar[bool] = True


def _distance(first: TableTree, second: TableTree) -> float | None:
    """Tree edit distance of two tables, None if they are too large to compare."""
    from evalsuite.metrics.tables.tree_distance import MAX_NODE_PAIRS, TreesTooLarge, tree_distance

    if first == second:
        return 0.0
    if len(first.parents) * len(second.parents) > MAX_NODE_PAIRS:  # the cell costs would be as many
        return None
    labels: dict[Hashable, int] = {}
    ids = [np.array([labels.setdefault(label, len(labels)) for label in tree.labels]) for tree in (first, second)]
    (texts1, cells1), (texts2, cells2) = _distinct(first.cells), _distinct(second.cells)
    if sum(map(len, texts1)) * sum(map(len, texts2)) > MAX_TEXT_PAIRS:
        return None
    costs = _cell_costs(texts1, texts2)
    try:
        return tree_distance(np.array(first.parents), ids[0], cells1, np.array(second.parents), ids[1], cells2, costs)
    except TreesTooLarge:
        return None


def _distinct(cells: Sequence[str | None]) -> tuple[list[str], NDArray[np.int64]]:
    """The distinct cell texts, and for each node its text's place among them (-1: not a cell)."""
    places: dict[str, int] = {}
    ids = [-1 if cell is None else places.setdefault(cell, len(places)) for cell in cells]
    return list(places), np.array(ids)


def _cell_costs(first: list[str], second: list[str]) -> Array:
    """Edit distance over the longer length, 0 for two empty texts. Shape (len(first), len(second))."""
    if set(first + second) <= {""}:  # structure only, or no cells at all
        return np.zeros((1, 1))
    from rapidfuzz import process
    from rapidfuzz.distance import Levenshtein

    costs: Array = process.cdist(first, second, scorer=Levenshtein.normalized_distance, dtype=np.float64, workers=1)
    return costs
