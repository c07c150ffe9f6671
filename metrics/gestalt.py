"""Similarity of texts as Python's difflib measures it (Ratcliff and Obershelp's gestalt matching), for many pairs.

Equal to ``difflib.SequenceMatcher(None, a, b).ratio()``: twice the size of all matching blocks over the sum of the
lengths. The longest common block is found first (the earliest in a, then the earliest in b, where several are as
long), then the longest ones to its left and to its right, and so on. Where b has at least 200 characters, those that
make up more than 1% of it cannot begin a block; they can only extend one (difflib's "autojunk"). So the ratio is
neither symmetric nor a longest common subsequence.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evalsuite.metrics.compiled import compiled

MAX_STEPS = 5 * 10**8
"""Most comparisons of characters for one matrix, a second or two. Two tables of 250 cells need about a million."""

Ints = NDArray[np.int64]
Bits = NDArray[np.uint64]
Floats = NDArray[np.float64]


class TextsTooLong(ValueError):
    """More than MAX_STEPS comparisons are needed."""


def gestalt_ratios(first: Sequence[str], second: Sequence[str]) -> Floats:
    """Ratio of each text of ``first`` (difflib's a) with each of ``second`` (its b), in [0, 1]; two empty texts: 1.

    Shape (len(first), len(second)). Raises TextsTooLong; how many steps are needed depends on the texts alone.

    >>> gestalt_ratios(["abcd"], ["bcde", ""]).tolist()
    [[0.75, 0.0]]
    """
    codes = np.frombuffer("".join([*first, *second]).encode("utf-32-le", "surrogatepass"), np.uint32)
    symbols, places = np.unique(codes, return_inverse=True)
    starts = np.zeros(len(first) + len(second) + 1, np.int64)
    np.cumsum([len(text) for text in (*first, *second)], out=starts[1:])
    ratios, finished = _ratios(places.astype(np.int64), starts, len(first), len(symbols), MAX_STEPS)
    if not finished:
        raise TextsTooLong(f"{len(first)} and {len(second)} texts of {len(codes)} characters")
    matrix: Floats = ratios
    return matrix


def _short_matches_loops(
    codes: Ints, start: int, size1: int, masks: Bits, size2: int, places: Bits, ends: Bits, waiting: Ints
) -> tuple[int, int]:
    """Size of all matching blocks of a, given as ``symbols``, and of a b of 64 characters at most; and the steps.

    masks: the places of each symbol in b, as bits. Blocks are grown in all places at once: after k rounds, bit j of
    ``ends[i]`` says that a block of k characters ends at i in a and at j in b.
    """
    matches = steps = 0
    waiting[0, 0], waiting[0, 1], waiting[0, 2], waiting[0, 3] = 0, size1, 0, size2
    windows = 1
    one = np.uint64(1)
    for i in range(size1):
        places[i] = masks[codes[start + i]]
    while windows > 0:
        windows -= 1
        low1, high1 = waiting[windows, 0], waiting[windows, 1]
        low2, high2 = waiting[windows, 2], waiting[windows, 3]
        window = (~np.uint64(0) >> np.uint64(64 - (high2 - low2))) << np.uint64(low2)
        some = np.uint64(0)
        for i in range(low1, high1):
            ends[i] = places[i] & window
            some |= ends[i]
        steps += high1 - low1
        size = now = 0
        while some:
            size += 1
            some = np.uint64(0)
            for i in range(low1 + size, high1):
                end = (ends[now + i - 1] << one) & places[i] & window
                ends[size1 - now + i] = end
                some |= end
            now = size1 - now
            steps += high1 - low1
        if size > 0:
            now = size1 - now
            end1 = low1 + size - 1
            while not ends[now + end1]:
                end1 += 1
            end2 = low2
            while not (ends[now + end1] >> np.uint64(end2)) & one:
                end2 += 1
            matches += size
            windows = _split(waiting, windows, low1, high1, low2, high2, end1 - size + 1, end2 - size + 1, size)
    return matches, steps


def _long_matches_loops(
    a: Ints,
    b: Ints,
    first_place: Ints,
    next_place: Ints,
    even: Ints,
    odd: Ints,
    waiting: Ints,
    row: int,
    max_steps: int,
) -> tuple[int, int, int]:
    """Size of all matching blocks of a and b, the steps (stopping beyond ``max_steps``) and the last row used.

    first_place, next_place: chain of the places of each symbol in b that may begin a block. even, odd: for each place
    of b, counted from 1, the block that ended there last, as row * 2**31 + size, for the even and the odd rows.
    """
    matches = steps = 0
    waiting[0, 0], waiting[0, 1], waiting[0, 2], waiting[0, 3] = 0, len(a), 0, len(b)
    windows = 1
    while windows > 0:
        windows -= 1
        low1, high1 = waiting[windows, 0], waiting[windows, 1]
        low2, high2 = waiting[windows, 2], waiting[windows, 3]
        best1, best2, best = low1, low2, 0
        row += 1  # so that no row is followed by one of another window
        for i in range(low1, high1):
            row += 1
            last, now = (even, odd) if row & 1 else (odd, even)
            before = (row - 1) << 31
            j = first_place[a[i]]
            steps += 1
            while j >= 0 and j < high2:
                steps += 1
                if j >= low2:
                    size = max(last[j] - before, 0) + 1
                    now[j + 1] = (row << 31) + size
                    if size > best:
                        best1, best2, best = i - size + 1, j - size + 1, size
                j = next_place[j]
            if steps > max_steps:
                return matches, steps, row
        # Symbols that are too frequent to begin a block may extend it, or be one where there is no other.
        while best1 > low1 and best2 > low2 and a[best1 - 1] == b[best2 - 1]:
            best1, best2, best = best1 - 1, best2 - 1, best + 1
        while best1 + best < high1 and best2 + best < high2 and a[best1 + best] == b[best2 + best]:
            best += 1
        if best > 0:
            matches += best
            windows = _split(waiting, windows, low1, high1, low2, high2, best1, best2, best)
    return matches, steps, row


def _split_loops(
    waiting: Ints, windows: int, low1: int, high1: int, low2: int, high2: int, best1: int, best2: int, best: int
) -> int:
    """Put what is left and right of a block among the windows that wait; their new number."""
    if best1 > low1 and best2 > low2:
        waiting[windows, 0], waiting[windows, 1] = low1, best1
        waiting[windows, 2], waiting[windows, 3] = low2, best2
        windows += 1
    if best1 + best < high1 and best2 + best < high2:
        waiting[windows, 0], waiting[windows, 1] = best1 + best, high1
        waiting[windows, 2], waiting[windows, 3] = best2 + best, high2
        windows += 1
    return windows


_split = compiled(_split_loops)
_short_matches = compiled(_short_matches_loops)
_long_matches = compiled(_long_matches_loops)


def _ratios_loops(codes: Ints, starts: Ints, count: int, symbols: int, max_steps: int) -> tuple[Floats, bool]:
    """Texts are ``codes[starts[t]:starts[t + 1]]``; the first ``count`` of them are compared with each of the rest."""
    lengths = starts[1:] - starts[:-1]
    longest1 = lengths[:count].max() if count else 0
    longest2 = lengths[count:].max() if len(lengths) > count else 0
    ratios = np.empty((count, len(lengths) - count))
    waiting = np.empty((longest1 + longest2 + 2, 4), np.int64)
    masks = np.zeros(symbols, np.uint64)
    places, ends = np.empty(longest1, np.uint64), np.empty(2 * longest1, np.uint64)
    first_place = np.full(symbols, -1)
    counts = np.zeros(symbols, np.int64)
    next_place = np.empty(longest2, np.int64)
    even, odd = np.zeros(longest2 + 1, np.int64), np.zeros(longest2 + 1, np.int64)
    row = 2
    steps = 0
    for t in range(count, len(lengths)):
        b = codes[starts[t] : starts[t + 1]]
        size2 = len(b)
        short = size2 <= 64
        for j in range(size2 - 1, -1, -1):
            if short:
                masks[b[j]] |= np.uint64(1) << np.uint64(j)
            next_place[j] = first_place[b[j]]
            first_place[b[j]] = j
            counts[b[j]] += 1
        if size2 >= 200:
            for j in range(size2):
                if counts[b[j]] > size2 // 100 + 1:
                    first_place[b[j]] = -1
        for s in range(count):
            a = codes[starts[s] : starts[s + 1]]
            size1 = len(a)
            same = 0
            while same < size1 and same < size2 and a[same] == b[same]:
                same += 1
            matches = 0
            if same == size1 and same == size2:
                matches = same
            elif size1 > 0 and size2 > 0 and short:
                matches, more = _short_matches(codes, starts[s], size1, masks, size2, places, ends, waiting)
                steps += more
            elif size1 > 0 and size2 > 0:
                matches, more, row = _long_matches(
                    a, b, first_place, next_place, even, odd, waiting, row, max_steps - steps
                )
                steps += more
            steps += same + 1
            if steps > max_steps:
                return ratios, False
            ratios[s, t - count] = 2.0 * matches / (size1 + size2) if size1 + size2 > 0 else 1.0
        for j in range(size2):
            masks[b[j]] = 0
            first_place[b[j]] = -1
            counts[b[j]] = 0
    return ratios, True


_ratios = compiled(_ratios_loops)
