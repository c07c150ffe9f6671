"""The compiled loops behind polygon overlaps.

Polygons are given by all their ``corners`` (N, 2) and ``starts`` (n + 1,): polygon k is
``corners[starts[k]:starts[k + 1]]``.
"""

from __future__ import annotations

import numba
import numpy as np

EPSILON = 1e-5
"""Added to denominators, and the area below which a polygon counts as empty, in HierText's evaluator."""


@numba.njit(cache=True)
def outline_areas(corners, starts):  # type: ignore[no-untyped-def]
    """Areas inside closed lines (n,), by the shoelace rule around the first corner; right for simple ones."""
    areas = np.zeros(len(starts) - 1)
    for k in range(len(areas)):
        x0, y0 = corners[starts[k]]
        doubled = 0.0
        for p in range(starts[k] + 1, starts[k + 1] - 1):
            doubled += (corners[p, 0] - x0) * (corners[p + 1, 1] - y0)
            doubled -= (corners[p + 1, 0] - x0) * (corners[p, 1] - y0)
        areas[k] = abs(doubled) / 2
    return areas


@numba.njit(cache=True)
def are_convex(corners, starts):  # type: ignore[no-untyped-def]
    """Whether all turns go the same way, once around: the edges change their x and y direction twice each."""
    flags = np.zeros(len(starts) - 1, np.bool_)
    for k in range(len(flags)):
        start, count = starts[k], starts[k + 1] - starts[k]
        left = right = flat = 0
        turns_x = turns_y = 0
        last_x = last_y = 0.0
        for step in range(count + 2):
            a = corners[start + step % count]
            b = corners[start + (step + 1) % count]
            c = corners[start + (step + 2) % count]
            x, y = b[0] - a[0], b[1] - a[1]
            if step < count:
                cross = x * (c[1] - b[1]) - y * (c[0] - b[0])
                left += cross > 0
                right += cross < 0
                flat += not (cross > 0 or cross < 0)
            if x != 0:
                turns_x += last_x * x < 0
                last_x = 1.0 if x > 0 else -1.0
            if y != 0:
                turns_y += last_y * y < 0
                last_y = 1.0 if y > 0 else -1.0
        # A round seen from any edge, and two edges more, turns at most three times on each axis.
        flags[k] = flat == 0 and (left == 0 or right == 0) and turns_x <= 3 and turns_y <= 3
    return flags


@numba.njit(cache=True)
def candidate_pairs(bounds1, areas1, groups1, bounds2, areas2, groups2, share, out1, out2):  # type: ignore[no-untyped-def]
    """Count the pairs that may overlap enough, and write them where the outputs have room."""
    count = 0
    for group in range(len(groups1) - 1):
        for i in range(groups1[group], groups1[group + 1]):
            if areas1[i] < EPSILON:
                continue
            x1, y1, x2, y2 = bounds1[i]
            for j in range(groups2[group], groups2[group + 1]):
                width = min(x2, bounds2[j, 2]) - max(x1, bounds2[j, 0])
                height = min(y2, bounds2[j, 3]) - max(y1, bounds2[j, 1])
                if width > 0 and height > 0 and areas2[j] >= EPSILON:
                    if min(areas1[i], width * height) < share * areas2[j]:
                        continue
                    if count < len(out1):
                        out1[count], out2[count] = i, j
                    count += 1
    return count


@numba.njit(cache=True)
def clip_pairs(  # type: ignore[no-untyped-def]
    pairs1, pairs2, corners1, starts1, bounds1, convex1, corners2, starts2, bounds2, convex2
):
    """Shared areas of pairs of convex polygons, NaN for pairs with one that is not convex."""
    shared = np.full(len(pairs1), np.nan)
    room = 8
    for k in range(len(pairs1)):
        i, j = pairs1[k], pairs2[k]
        if convex1[i] and convex2[j]:
            room = max(room, starts1[i + 1] - starts1[i] + 2 * (starts2[j + 1] - starts2[j]))
    subject, clipped = np.empty((room, 2)), np.empty((room, 2))
    for k in range(len(pairs1)):
        i, j = pairs1[k], pairs2[k]
        if not (convex1[i] and convex2[j]):
            continue
        first, second = corners1[starts1[i] : starts1[i + 1]], corners2[starts2[j] : starts2[j + 1]]
        if _is_box(first, bounds1[i]) and _is_box(second, bounds2[j]):  # exact for integers, so that ties stay ties
            width = min(bounds1[i, 2], bounds2[j, 2]) - max(bounds1[i, 0], bounds2[j, 0])
            height = min(bounds1[i, 3], bounds2[j, 3]) - max(bounds1[i, 1], bounds2[j, 1])
            shared[k] = width * height
        else:
            shared[k] = _clipped_area(first, second, subject, clipped)
    return shared


@numba.njit(cache=True)
def _is_box(corners, bounds):  # type: ignore[no-untyped-def]
    if len(corners) != 4:
        return False
    off = 0
    for x, y in corners:
        off += (x != bounds[0] and x != bounds[2]) or (y != bounds[1] and y != bounds[3])
    return off == 0


@numba.njit(cache=True)
def _clipped_area(first, second, subject, clipped):  # type: ignore[no-untyped-def]
    """Area of ``first`` cut along every edge of the convex ``second`` (Sutherland and Hodgman 1974)."""
    x0, y0 = second[0]
    count = len(first)
    for p in range(count):
        subject[p, 0], subject[p, 1] = first[p, 0] - x0, first[p, 1] - y0
    x1, y1 = second[1, 0] - x0, second[1, 1] - y0
    side = 1.0 if x1 * (second[2, 1] - y0) - y1 * (second[2, 0] - x0) > 0 else -1.0
    for edge in range(len(second)):
        ax, ay = second[edge, 0] - x0, second[edge, 1] - y0
        following = (edge + 1) % len(second)
        dx, dy = side * (second[following, 0] - x0 - ax), side * (second[following, 1] - y0 - ay)
        kept = 0
        px, py = subject[count - 1]
        before = dx * (py - ay) - dy * (px - ax)  # positive on the inner side
        for p in range(count):
            qx, qy = subject[p]
            here = dx * (qy - ay) - dy * (qx - ax)
            if (before > 0) != (here > 0):
                t = before / (before - here)
                clipped[kept, 0], clipped[kept, 1] = px + t * (qx - px), py + t * (qy - py)
                kept += 1
            if here > 0:
                clipped[kept, 0], clipped[kept, 1] = qx, qy
                kept += 1
            px, py, before = qx, qy, here
        if kept < 3:
            return 0.0
        subject, clipped, count = clipped, subject, kept
    doubled = 0.0
    for p in range(1, count - 1):
        doubled += (subject[p, 0] - subject[0, 0]) * (subject[p + 1, 1] - subject[0, 1])
        doubled -= (subject[p + 1, 0] - subject[0, 0]) * (subject[p, 1] - subject[0, 1])
    return abs(doubled) / 2


@numba.njit(cache=True)
def count_crossings(corners):  # type: ignore[no-untyped-def]
    count, n = 0, len(corners)
    for i in range(n):
        a, b = corners[i], corners[(i + 1) % n]
        for j in range(i + 2, n):
            c, d = corners[j], corners[(j + 1) % n]
            count += _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0
    return count


@numba.njit(cache=True)
def _turn(a, b, c):  # type: ignore[no-untyped-def]
    turn = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return 1 if turn > 0 else -1 if turn < 0 else 0
