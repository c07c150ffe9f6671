"""Exact edit distance between ordered labelled trees, compiled with numba.

Zhang and Shasha 1989 (https://doi.org/10.1137/0218082): one small table per pair of key roots. A tree may be read from
the left or, mirrored, from the right; the distance is the same, the work is not, so the cheaper reading is taken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.metrics.tables.compiled import compiled

MAX_NODE_PAIRS = 2**25
"""Most pairs of nodes: two matrices of this many float64 (256 MiB each) are held."""

MAX_WORK = 10**9
"""Most table entries to compute: two or three seconds. Two tables of 250 cells need about 10 million."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class TreesTooLarge(ValueError):
    """A comparison beyond MAX_NODE_PAIRS or MAX_WORK."""


def tree_distance(
    parents1: Ints, labels1: Ints, cells1: Ints, parents2: Ints, labels2: Ints, cells2: Ints, cell_costs: Floats
) -> float:
    """Least cost of turning the first ordered tree into the second.

    Removing or adding a node costs 1. Renaming costs 1 if the labels differ, else ``cell_costs[cells1[i], cells2[j]]``
    where ``cells1[i] >= 0``, else 0. Equal labels must agree on whether there is a cell.

    Arrays of the n1 and n2 nodes in document order, root first: parents (-1 for the root), labels, and rows and
    columns of ``cell_costs`` (-1: no cell). Raises TreesTooLarge.
    """
    if len(parents1) * len(parents2) > MAX_NODE_PAIRS:
        raise TreesTooLarge(f"{len(parents1)} and {len(parents2)} nodes: more than {MAX_NODE_PAIRS} pairs")
    pairs = list(zip(_readings(parents1), _readings(parents2), strict=True))
    first, second = min(pairs, key=lambda pair: pair[0].work * pair[1].work)
    if first.work * second.work > MAX_WORK:
        raise TreesTooLarge(f"{len(parents1)} and {len(parents2)} nodes, too deeply nested to compare")
    return float(
        _zhang_shasha(
            first.leaves, first.key_roots, first.arranged(labels1), first.arranged(cells1),
            second.leaves, second.key_roots, second.arranged(labels2), second.arranged(cells2),
            cell_costs,
        )
    )  # fmt: skip


@dataclass(frozen=True)
class _Reading:
    """A tree in postorder, read from one side.

    places: postorder place of each node. leaves: place of the first leaf below the node at each place.
    key_roots: the last place of each such leaf. work: table entries for all key roots.
    """

    places: Ints
    leaves: Ints
    key_roots: Ints
    work: int

    def arranged(self, values: Ints) -> Ints:
        """Values of the nodes in document order, put into postorder."""
        moved = np.empty_like(values)
        moved[self.places] = values
        return moved


def _readings(parents: Ints) -> tuple[_Reading, _Reading]:
    """The tree from the left and, as its mirror image, from the right."""
    sizes, depths = _sizes_and_depths(parents)
    order = np.arange(len(parents))
    return _reading(order + sizes - 1 - depths, sizes), _reading(order[::-1].copy(), sizes)


def _reading(places: Ints, sizes: Ints) -> _Reading:
    leaves = np.empty_like(places)
    leaves[places] = places - sizes + 1
    last = np.full(len(places), -1)
    last[leaves] = np.arange(len(places))  # of repeated indices the last assignment stays
    key_roots = np.sort(last[last >= 0])
    return _Reading(places, leaves, key_roots, int((key_roots - leaves[key_roots] + 1).sum()))


def _sizes_and_depths_loop(parents: Ints) -> tuple[Ints, Ints]:
    count = len(parents)
    sizes, depths = np.ones(count, np.int64), np.zeros(count, np.int64)
    for node in range(1, count):
        depths[node] = depths[parents[node]] + 1
    for node in range(count - 1, 0, -1):
        sizes[parents[node]] += sizes[node]
    return sizes, depths


def _zhang_shasha_loops(
    leaves1: Ints, roots1: Ints, labels1: Ints, cells1: Ints,
    leaves2: Ints, roots2: Ints, labels2: Ints, cells2: Ints,
    cell_costs: Floats,
) -> float:  # fmt: skip
    trees = np.empty((len(leaves1), len(leaves2)))  # distance of the subtrees below i and j
    forest = np.empty((len(leaves1) + 1, len(leaves2) + 1))  # distance of the first x and y nodes of two subtrees
    for root1 in roots1:
        start1 = leaves1[root1]
        for root2 in roots2:
            start2 = leaves2[root2]
            forest[0, 0] = 0.0
            for y in range(1, root2 - start2 + 2):
                forest[0, y] = y
            for x in range(1, root1 - start1 + 2):
                forest[x, 0] = x
                i = start1 + x - 1
                before1 = leaves1[i] - start1
                for y in range(1, root2 - start2 + 2):
                    j = start2 + y - 1
                    before2 = leaves2[j] - start2
                    best = min(forest[x - 1, y], forest[x, y - 1]) + 1.0
                    if before1 == 0 and before2 == 0:
                        if labels1[i] != labels2[j]:
                            rename = 1.0
                        elif cells1[i] >= 0:
                            rename = cell_costs[cells1[i], cells2[j]]
                        else:
                            rename = 0.0
                        best = min(best, forest[x - 1, y - 1] + rename)
                        trees[i, j] = best
                    else:
                        best = min(best, forest[before1, before2] + trees[i, j])
                    forest[x, y] = best
    return float(trees[-1, -1])


_sizes_and_depths = compiled(_sizes_and_depths_loop)
_zhang_shasha = compiled(_zhang_shasha_loops)
