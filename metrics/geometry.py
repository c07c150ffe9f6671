"""Overlaps of boxes and of polygons, many at a time.

Convex polygons (nearly all words) are clipped by a compiled loop; all others go to shapely, whole batches at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from evalsuite.metrics.base import Array, ratio

Ints = NDArray[np.int64]

EPSILON = 1e-5
"""Added to denominators, and the area below which a polygon counts as empty, in HierText's evaluator."""


def box_intersections(first: Any, second: Any) -> Array:
    """Areas that boxes (n, 4) share with boxes (m, 4), both y1, x1, y2, x2. Shape (n, m)."""
    first, second = np.asarray(first, np.float64).reshape(-1, 4), np.asarray(second, np.float64).reshape(-1, 4)
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    shared: Array = np.maximum(high - low, 0.0).prod(axis=-1)
    return shared


def box_areas(boxes: Any) -> Array:
    """Areas of boxes (n, 4)."""
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    areas: Array = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas


def box_ious(first: Any, second: Any) -> Array:
    """Intersection over union of boxes (n, 4) and (m, 4), NaN for 0/0. Shape (n, m).

    >>> box_ious([[0, 0, 1, 1]], [[0, 0, 1, 0.5], [0, 2, 1, 3]])
    array([[0.5, 0. ]])
    """
    shared = box_intersections(first, second)
    return ratio(shared, box_areas(first)[:, None] + box_areas(second)[None, :] - shared)


def box_ioas(first: Any, second: Any) -> Array:
    """Share of each second box that lies in each first one, NaN for 0/0. Shape (n, m)."""
    shared = box_intersections(first, second)
    return ratio(shared, np.broadcast_to(box_areas(second)[None, :], shared.shape))


@dataclass(frozen=True, eq=False)
class Polygons:
    """n polygons. Polygon k has the corners ``corners[starts[k]:starts[k + 1]]``, (x, y), without a closing one.

    Those that are no simple polygon are replaced by what shapely's ``make_valid`` makes of them (a bow tie becomes two
    triangles). ``bounds`` (n, 4), x1, y1, x2, y2, are those of the corners all the same.
    """

    corners: Array
    starts: Ints

    @classmethod
    def of(cls, polygons: Sequence[Array]) -> Polygons:
        """From corners (k, 2) each, k at least 3. Raises ValueError for fewer. Last corners that repeat the first go."""
        arrays = [np.asarray(polygon, np.float64).reshape(-1, 2) for polygon in polygons]
        arrays = [a[:-1] if len(a) > 3 and (a[0] == a[-1]).all() else a for a in arrays]
        if any(len(array) < 3 for array in arrays):
            raise ValueError("a polygon needs at least three corners")
        lengths = np.array([0, *map(len, arrays)], np.int64)
        return cls(np.concatenate(arrays) if arrays else np.zeros((0, 2)), np.cumsum(lengths))

    @classmethod
    def of_boxes(cls, boxes: Any) -> Polygons:
        """Rectangles from x1, y1, x2, y2, shape (n, 4)."""
        boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
        corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2)
        return cls(corners, np.arange(len(boxes) + 1) * 4)

    def __len__(self) -> int:
        return len(self.starts) - 1

    @cached_property
    def bounds(self) -> Array:
        if not len(self):
            return np.zeros((0, 4))
        low = np.minimum.reduceat(self.corners, self.starts[:-1])
        high = np.maximum.reduceat(self.corners, self.starts[:-1])
        return np.concatenate([low, high], axis=1)

    @cached_property
    def convex(self) -> NDArray[np.bool_]:
        """Whether a polygon is strictly convex, and so is clipped without shapely."""
        flags: NDArray[np.bool_] = _convex(self.corners, self.starts)
        return flags

    @cached_property
    def _others(self) -> NDArray[Any]:
        """Shapely geometries of the polygons that are not convex, None for the rest."""
        geometries: NDArray[Any] = np.full(len(self), None, dtype=object)
        chosen = np.flatnonzero(~self.convex)
        geometries[chosen] = _shapes(self, chosen)
        return geometries

    @cached_property
    def areas(self) -> Array:
        import shapely

        areas: Array = _areas(self.corners, self.starts)
        others = np.flatnonzero(~self.convex)
        if len(others):
            areas[others] = shapely.area(self._others[others])
        return areas

    def shapes(self, chosen: Ints) -> NDArray[Any]:
        """Valid shapely geometries of the polygons ``chosen``."""
        shapes = self._others[chosen]
        plain = np.flatnonzero(self.convex[chosen])
        if len(plain):
            shapes[plain] = _shapes(self, chosen[plain])
        return shapes


def polygon_overlaps(
    first: Polygons,
    second: Polygons,
    first_starts: Ints | None = None,
    second_starts: Ints | None = None,
    least_share: float = 0.0,
) -> tuple[Ints, Ints, Array]:
    """Which polygons share area: places in ``first``, in ``second``, and the area, sorted by the places.

    Polygons meet only within their group: group g holds ``first_starts[g]:first_starts[g + 1]`` and likewise of second
    (default: one group). As in HierText's evaluator, pairs whose bounds do not overlap and polygons smaller than 1e-5
    share nothing. Pairs that by their areas and bounds cannot share ``least_share`` of the second polygon are left out.
    """
    groups1 = np.array([0, len(first)]) if first_starts is None else first_starts
    groups2 = np.array([0, len(second)]) if second_starts is None else second_starts
    sides = (first.bounds, first.areas, groups1, second.bounds, second.areas, groups2, least_share)
    nothing = np.empty(0, np.int64)
    count = _candidates(*sides, nothing, nothing)
    i, j = np.empty(count, np.int64), np.empty(count, np.int64)
    _candidates(*sides, i, j)
    shared = _clip_pairs(
        i, j, first.corners, first.starts, first.bounds, first.convex,
        second.corners, second.starts, second.bounds, second.convex,
    )  # fmt: skip
    rest = np.flatnonzero(np.isnan(shared))
    if len(rest):
        import shapely

        shared[rest] = shapely.area(shapely.intersection(first.shapes(i[rest]), second.shapes(j[rest])))
    return i, j, shared


def self_crossings(corners: Array) -> int:
    """How often the outline of a polygon with corners (n, 2) crosses itself. Takes n^2 steps.

    >>> self_crossings(np.array([[0, 0], [1, 1], [1, 0], [0, 1.0]]))
    1
    """
    return int(_crossings(np.asarray(corners, np.float64)))


def _shapes(polygons: Polygons, chosen: Ints) -> NDArray[Any]:
    """Valid shapely geometries of some polygons, their areas only: what is a line or a point is left out."""
    import shapely

    if not len(chosen):
        return np.empty(0, dtype=object)
    starts, lengths = polygons.starts[chosen], np.diff(polygons.starts)[chosen]
    owner = np.repeat(np.arange(len(chosen)), lengths)
    within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    rings = shapely.linearrings(polygons.corners[starts[owner] + within], indices=owner)
    shapes = shapely.polygons(rings)
    for k in np.flatnonzero(~shapely.is_valid(shapes)):
        parts = shapely.get_parts(shapely.get_parts(shapely.make_valid(shapes[k])))
        shapes[k] = shapely.multipolygons(parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON])
    return np.asarray(shapes, dtype=object)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _areas(corners, starts):  # type: ignore[no-untyped-def]
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


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _convex(corners, starts):  # type: ignore[no-untyped-def]
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


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _candidates(bounds1, areas1, groups1, bounds2, areas2, groups2, share, out1, out2):  # type: ignore[no-untyped-def]
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


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _clip_pairs(  # type: ignore[no-untyped-def]
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


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _is_box(corners, bounds):  # type: ignore[no-untyped-def]
    if len(corners) != 4:
        return False
    for x, y in corners:
        if (x != bounds[0] and x != bounds[2]) or (y != bounds[1] and y != bounds[3]):
            return False
    return True


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
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


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _crossings(corners):  # type: ignore[no-untyped-def]
    count, n = 0, len(corners)
    for i in range(n):
        a, b = corners[i], corners[(i + 1) % n]
        for j in range(i + 2, n):
            c, d = corners[j], corners[(j + 1) % n]
            count += _turn(a, b, c) * _turn(a, b, d) < 0 and _turn(c, d, a) * _turn(c, d, b) < 0
    return count


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _turn(a, b, c):  # type: ignore[no-untyped-def]
    turn = (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
    return 1 if turn > 0 else -1 if turn < 0 else 0
