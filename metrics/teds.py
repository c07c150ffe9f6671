"""TEDS and S-TEDS: how alike two HTML tables are, as trees."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from evalsuite.errors import ScoringError
from evalsuite.metrics.base import Array, MeanMetric, Value
from evalsuite.metrics.html_tables import TableTree, TagCodes, parse_table, wrap_table


@dataclass(frozen=True)
class Teds(MeanMetric):
    """Tree-edit-distance-based similarity of two HTML tables, 1 - distance / elements; printed x100.

    Zhong et al. 2020, https://arxiv.org/abs/1911.10683; equal to ``src/metric.py`` of ibm-aur-nlp/PubTabNet on complete
    documents. The distance is the exact ordered tree edit distance over the elements of the table, cells being leaves:
    1 for a node too many or too few, 1 for another tag, colspan or rowspan, and the normalised edit distance of their
    tokens (characters and inline tags) for two cells. It is divided by the larger number of elements, inline tags
    included. The score is 1 for equal tables and is not cut off at 0: unrelated tables can fall below.

    References: a list of HTML strings; the best score counts. Only the first table directly below ``body`` is compared.

    structure_only: S-TEDS, cell text does not matter; the value is then called ``s_teds``.
    wrap: give ``<html><body>`` to texts that lack it. Officially (False) these score 0, a bare table included.
    ignore_nodes: tags that are dissolved before comparing, such as ``("b", "i")``.

    Where the official program stops with an error (whitespace only, a colspan that is no integer, two empty tables) the
    score is 0. So is it for trees too large to compare, see ``tree_distance.MAX_NODE_PAIRS`` and ``MAX_WORK``: tables
    of some 6,000 nodes each, ten times what benchmarks hold. Equal trees score 1 at any size.

    >>> round(Teds().example("<table><tr><td>ab</td></tr></table>", ["<table><tr><td>ac</td></tr></table>"]), 9)
    0.75
    """

    name: ClassVar[str] = "teds"
    values: ClassVar[tuple[Value, ...]] = (Value("teds", bounds=(None, 1.0)),)
    source: ClassVar[str] = "https://github.com/ibm-aur-nlp/PubTabNet (src/metric.py)"

    structure_only: bool = False
    wrap: bool = True
    ignore_nodes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if isinstance(self.ignore_nodes, str):
            raise ValueError(f"ignore_nodes must be a list of tag names, not the text {self.ignore_nodes!r}")
        object.__setattr__(self, "ignore_nodes", tuple(self.ignore_nodes))
        if self.structure_only:
            object.__setattr__(self, "values", (Value("s_teds", bounds=(None, 1.0)),))

    def example(self, prediction: str, references: Sequence[Any]) -> float:
        """The similarity to the nearest reference. Raises ScoringError for references that are not HTML strings."""
        if not references or not all(reference is None or isinstance(reference, str) for reference in references):
            raise ScoringError(f"teds: references must be a list of HTML strings, not {references!r:.80}")
        return max(self._similarity(prediction, reference) for reference in references)

    def _similarity(self, prediction: str | None, reference: str | None) -> float:
        if not prediction or not reference:
            return 0.0
        codes = TagCodes()
        predicted, true = (
            parse_table(
                wrap_table(html) if self.wrap else html,
                codes,
                structure_only=self.structure_only,
                ignore_nodes=self.ignore_nodes,
            )
            for html in (prediction, reference)
        )
        if predicted is None or true is None:
            return 0.0
        elements = max(predicted.elements, true.elements)
        if not elements:
            return 0.0
        distance = _distance(predicted, true)
        return 0.0 if distance is None else 1.0 - distance / elements


def _distance(first: TableTree, second: TableTree) -> float | None:
    """Tree edit distance of two tables, None if they are too large to compare."""
    from evalsuite.metrics.tree_distance import MAX_NODE_PAIRS, TreesTooLarge, tree_distance

    if first == second:
        return 0.0
    if len(first.parents) * len(second.parents) > MAX_NODE_PAIRS:  # the cell costs would be as many
        return None
    labels: dict[Hashable, int] = {}
    ids = [np.array([labels.setdefault(label, len(labels)) for label in tree.labels]) for tree in (first, second)]
    (texts1, cells1), (texts2, cells2) = _distinct(first.cells), _distinct(second.cells)
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
