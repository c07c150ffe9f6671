"""The most similar substructures of two grids, as GriTS factors the search: rows first, then columns.

Smock, Pesala and Abraham 2023 (https://arxiv.org/abs/2203.12555), section 4: rows and columns are aligned each on
their own by dynamic programming, which bounds the best common substructure from above, and the two alignments
together give one that is a lower bound. GriTS reports the latter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.metrics.tables.compiled import compiled

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Match:
    """How much of two grids matches: sum of the rewards of the aligned positions, and a bound that no match exceeds."""

    score: float
    bound: float


def most_similar_substructure(first: Ints, second: Ints, rewards: Floats) -> Match:
    """Match two grids whose positions hold rows (``first``) and columns (``second``) of ``rewards``.

    Shapes (R1, C1), (R2, C2), (K1, K2). Rewards in [0, 1]. Of alignments with equal sums the one is taken that pairs,
    else that skips a row of ``first``, counted from the end: sums are compared exactly and added in the official order.
    """
    score, rows, columns = _matched(first, second, rewards)
    return Match(float(score), float(min(rows, columns)))


def _aligned_loops(first: Ints, second: Ints, rewards: Floats) -> tuple[float, Ints]:
    """Best alignment of the rows of two grids: its value, and the pairs of rows, shape (n, 2), ascending."""
    rows1, columns1 = first.shape
    rows2, columns2 = second.shape
    values = np.zeros((rows1 + 1, rows2 + 1))
    steps = np.zeros((rows1 + 1, rows2 + 1), np.int8)
    line = np.empty(columns2 + 1)  # value of aligning the columns so far of one row with each beginning of another
    for i in range(rows1):
        for k in range(rows2):
            line[:] = 0.0
            for j in range(columns1):
                cell = first[i, j]
                diagonal = left = 0.0
                for m in range(columns2):
                    up = line[m + 1]
                    best = max(diagonal + rewards[cell, second[k, m]], up, left)
                    diagonal = up
                    left = best
                    line[m + 1] = best
            paired = values[i, k] + line[columns2]
            best = max(paired, values[i, k + 1], values[i + 1, k])
            values[i + 1, k + 1] = best
            if paired == best:
                steps[i + 1, k + 1] = 0
            elif values[i, k + 1] == best:
                steps[i + 1, k + 1] = 1
            else:
                steps[i + 1, k + 1] = 2
    pairs = np.empty((min(rows1, rows2), 2), np.int64)
    place = len(pairs)
    i, k = rows1, rows2
    while i > 0 and k > 0:
        if steps[i, k] == 0:
            i -= 1
            k -= 1
            place -= 1
            pairs[place, 0], pairs[place, 1] = i, k
        elif steps[i, k] == 1:
            i -= 1
        else:
            k -= 1
    return float(values[rows1, rows2]), pairs[place:]


_aligned = compiled(_aligned_loops)


def _matched_loops(first: Ints, second: Ints, rewards: Floats) -> tuple[float, float, float]:
    row_value, rows = _aligned(first, second, rewards)
    column_value, columns = _aligned(first.T.copy(), second.T.copy(), rewards)
    score = 0.0
    for row in rows:
        for column in columns:
            score += rewards[first[row[0], column[0]], second[row[1], column[1]]]
    return score, row_value, column_value


_matched = compiled(_matched_loops)
