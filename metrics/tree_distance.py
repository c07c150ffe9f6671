"""Exact edit distance between ordered labelled trees, compiled with numba.

Zhang and Shasha 1989 (https://doi.org/10.1137/0218082): one small table per pair of key roots. A tree may be read from
the left or, mirrored, from the right; the distance is the same, the work is not, so the cheaper reading is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

MAX_NODE_PAIRS = 2**25
"""Most pairs of nodes: two matrices of this many float64 (256 MiB each) are held."""

MAX_WORK = 4 * 10**9
"""Most table entries to compute: some ten seconds. Two tables of 250 cells need about 10 million."""

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
    sizes1, depths1, sizes2, depths2 = *_sizes_and_depths(parents1), *_sizes_and_depths(parents2)
    if len(parents1) * len(parents2) > MAX_NODE_PAIRS:
        raise TreesTooLarge(f"{len(parents1)} and {len(parents2)} nodes: more than {MAX_NODE_PAIRS} pairs")
    # Place of each node in postorder, reading from the left and from the right.
    left = [np.arange(len(s)) + s - 1 - d for s, d in ((sizes1, depths1), (sizes2, depths2))]
    right = [np.arange(len(s))[::-1].copy() for s in (sizes1, sizes2)]
    readings = []
    for places in (left, right):
        trees = [_Reading.of(place, size) for place, size in zip(places, (sizes1, sizes2), strict=True)]
        readings.append((trees[0].work * trees[1].work, places, trees))
    work, places, (first, second) = min(readings, key=lambda reading: reading[0])
    if work > MAX_WORK:
        raise TreesTooLarge(f"{len(parents1)} and {len(parents2)} nodes, too deeply nested to compare")
    return float(
        _zhang_shasha(
            first.leaves, first.key_roots, _permuted(labels1, places[0]), _permuted(cells1, places[0]),
            second.leaves, second.key_roots, _permuted(labels2, places[1]), _permuted(cells2, places[1]),
            cell_costs,
        )
    )  # fmt: skip


class _Reading:
    """A tree in postorder: the first leaf below each node, and the key roots (last node of each first leaf)."""

    def __init__(self, leaves: Ints, key_roots: Ints) -> None:
        self.leaves, self.key_roots = leaves, key_roots
        self.work = int((key_roots - leaves[key_roots] + 1).sum())

    @classmethod
    def of(cls, places: Ints, sizes: Ints) -> _Reading:
        leaves = np.empty_like(places)
        leaves[places] = places - sizes + 1
        last = np.full(len(places), -1)
        last[leaves] = np.arange(len(places))  # of repeated indices the last assignment stays
        return cls(leaves, np.sort(last[last >= 0]))


def _permuted(values: Ints, places: Ints) -> Ints:
    moved = np.empty_like(values)
    moved[places] = values
    return moved


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` compiled by numba, kept on disk where there is a writable place for it."""
    try:
        cached: Callable[..., Any] = numba.njit(cache=True)(function)
        return cached
    except RuntimeError:  # numba found no folder that it may write to
        compiled: Callable[..., Any] = numba.njit(function)
        return compiled


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


_sizes_and_depths = _compiled(_sizes_and_depths_loop)
_zhang_shasha = _compiled(_zhang_shasha_loops)
