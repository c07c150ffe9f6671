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

from evalsuite.metrics.tables.compiled import compiled

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


def _ratios_loops(codes: Ints, starts: Ints, count: int, symbols: int, max_steps: int) -> tuple[Floats, bool]:
    """Texts are ``codes[starts[t]:starts[t + 1]]``; the first ``count`` of them are compared with each of the rest."""
    longest = 0
    for t in range(len(starts) - 1):
        longest = max(longest, starts[t + 1] - starts[t])
    matches = np.zeros((len(starts) - 1 - count, count), np.int64)
    waiting = np.empty(8 * longest + 8, np.int64)
    masks = np.zeros(symbols, np.uint64)
    places, ends = np.empty(longest, np.uint64), np.empty(longest, np.uint64)
    first_place, counts = np.full(symbols, -1), np.zeros(symbols, np.int64)
    next_place = np.empty(longest, np.int64)
    blocks = np.zeros((2, longest + 1), np.int64)
    row = steps = 0
    for t in range(count, len(starts) - 1):
        if starts[t + 1] - starts[t] <= 64:
            steps += _match_short(codes, starts, t, masks, places, ends, waiting, matches[t - count])
        else:
            more, row = _match_long(
                codes,
                starts,
                t,
                first_place,
                next_place,
                counts,
                blocks,
                row,
                waiting,
                matches[t - count],
                max_steps - steps,
            )
            steps += more
        if steps > max_steps:
            return np.empty((0, 0)), False
    ratios = np.ones((count, len(matches)))
    for s in range(count):
        for t in range(len(matches)):
            size = starts[s + 1] - starts[s] + starts[count + t + 1] - starts[count + t]
            if size > 0:
                ratios[s, t] = 2.0 * matches[t, s] / size
    return ratios, True


def _match_short_loops(
    codes: Ints, starts: Ints, t: int, masks: Bits, places: Bits, ends: Bits, waiting: Ints, matches: Ints
) -> int:
    """Fill in the size of all matching blocks of each text a and text t, a b of 64 characters at most; the steps taken.

    A block is grown in all its places at once: after k rounds, bit j of ``ends[i]`` says that a block of k characters
    ends at i in a and at j in b. masks: the places of each symbol in b as bits, zeros before and after.
    waiting: stack of windows that are still to be searched, four borders each.
    """
    one = np.uint64(1)
    start2, size2 = starts[t], starts[t + 1] - starts[t]
    for j in range(size2):
        masks[codes[start2 + j]] |= one << np.uint64(j)
    steps = 0
    for s in range(len(matches)):
        start1, size1 = starts[s], starts[s + 1] - starts[s]
        for i in range(size1):
            places[i] = masks[codes[start1 + i]]
        top = 0
        if size1 > 0 and size2 > 0:
            waiting[0], waiting[1], waiting[2], waiting[3] = 0, size1, 0, size2
            top = 4
        total = 0
        while top > 0:
            top -= 4
            low1, high1, low2, high2 = waiting[top], waiting[top + 1], waiting[top + 2], waiting[top + 3]
            window = (~np.uint64(0) >> np.uint64(64 - (high2 - low2))) << np.uint64(low2)
            end1, last = low1, np.uint64(0)  # the earliest end in a of the longest blocks, and their ends in b
            for i in range(high1 - 1, low1 - 1, -1):
                end = places[i] & window
                ends[i] = end
                if end:
                    end1, last = i, end
            size = 0
            some = last
            while some:
                size += 1
                steps += high1 - end1
                some = np.uint64(0)
                for i in range(high1 - 1, end1, -1):
                    end = (ends[i - 1] << one) & places[i] & window
                    ends[i] = end
                    if end:
                        end1, last, some = i, end, end
            if size == 0:
                continue
            total += size
            end2 = low2
            while not (last >> np.uint64(end2)) & one:
                end2 += 1
            if end1 - size >= low1 and end2 - size >= low2:
                waiting[top], waiting[top + 1] = low1, end1 - size + 1
                waiting[top + 2], waiting[top + 3] = low2, end2 - size + 1
                top += 4
            if end1 + 1 < high1 and end2 + 1 < high2:
                waiting[top], waiting[top + 1], waiting[top + 2], waiting[top + 3] = end1 + 1, high1, end2 + 1, high2
                top += 4
        matches[s] = total
        steps += size1 + 1
    for j in range(size2):
        masks[codes[start2 + j]] = 0
    return steps


def _match_long_loops(
    codes: Ints, starts: Ints, t: int, first_place: Ints, next_place: Ints, counts: Ints, blocks: Ints, row: int,
    waiting: Ints, matches: Ints, max_steps: int,
) -> tuple[int, int]:  # fmt: skip
    """As _match_short, for a text t of any length. Returns the steps, stopping beyond ``max_steps``, and the last row.

    first_place (-1 before and after), next_place, counts (0 before and after): chain of the places of each symbol in b.
    blocks: for each place of b, counted from 1, the block that ended there last, as row * 2**31 + size, for the even
    and the odd rows. row: number of the last row of a that was compared, in whatever pair.
    """
    b = codes[starts[t] : starts[t + 1]]
    for j in range(len(b) - 1, -1, -1):
        next_place[j] = first_place[b[j]]
        first_place[b[j]] = j
        counts[b[j]] += 1
    if len(b) >= 200:
        for symbol in b:
            if counts[symbol] > len(b) // 100 + 1:
                first_place[symbol] = -1
    steps = 0
    for s in range(len(matches)):
        a = codes[starts[s] : starts[s + 1]]
        same = 0
        while same < len(a) and same < len(b) and a[same] == b[same]:
            same += 1
        steps += same + 1
        if same == len(a) and same == len(b):
            matches[s] = same
            continue
        waiting[0], waiting[1], waiting[2], waiting[3] = 0, len(a), 0, len(b)
        top = 4
        while top > 0:
            top -= 4
            low1, high1, low2, high2 = waiting[top], waiting[top + 1], waiting[top + 2], waiting[top + 3]
            best1, best2, best = low1, low2, 0
            row += 1  # so that no row is followed by one of another window
            for i in range(low1, high1):
                row += 1
                now, before = row & 1, (row - 1) << 31
                j = first_place[a[i]]
                steps += 1
                while 0 <= j < high2:
                    steps += 1
                    if j >= low2:
                        size = max(blocks[1 - now, j] - before, 0) + 1
                        blocks[now, j + 1] = (row << 31) + size
                        if size > best:
                            best1, best2, best = i - size + 1, j - size + 1, size
                    j = next_place[j]
                if steps > max_steps:
                    return steps, row
            # Symbols that are too frequent to begin a block may extend it, or be one where there is no other.
            while best1 > low1 and best2 > low2 and a[best1 - 1] == b[best2 - 1]:
                best1, best2, best = best1 - 1, best2 - 1, best + 1
            while best1 + best < high1 and best2 + best < high2 and a[best1 + best] == b[best2 + best]:
                best += 1
            matches[s] += best
            if best > 0 and best1 > low1 and best2 > low2:
                waiting[top], waiting[top + 1], waiting[top + 2], waiting[top + 3] = low1, best1, low2, best2
                top += 4
            if best > 0 and best1 + best < high1 and best2 + best < high2:
                waiting[top], waiting[top + 1] = best1 + best, high1
                waiting[top + 2], waiting[top + 3] = best2 + best, high2
                top += 4
    for symbol in b:
        first_place[symbol] = -1
        counts[symbol] = 0
    return steps, row


_match_short = compiled(_match_short_loops)
_match_long = compiled(_match_long_loops)
_ratios = compiled(_ratios_loops)
