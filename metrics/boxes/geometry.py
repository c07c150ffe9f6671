"""Overlaps of boxes and of polygons, many at a time.

Convex polygons (nearly all words) are clipped by a compiled loop; all others go to shapely, whole batches at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.metrics.base import Array, ratio
from evalsuite.metrics.boxes import clipping

Ints = NDArray[np.int64]


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
        """From corners (k, 2) each, k at least 3; the last may repeat the first. Raises ValueError for fewer."""
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
        flags: NDArray[np.bool_] = clipping.are_convex(self.corners, self.starts)
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

        areas: Array = clipping.outline_areas(self.corners, self.starts)
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
    count = clipping.candidate_pairs(*sides, nothing, nothing)
    i, j = np.empty(count, np.int64), np.empty(count, np.int64)
    clipping.candidate_pairs(*sides, i, j)
    shared = clipping.clip_pairs(
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
    return int(clipping.count_crossings(np.asarray(corners, np.float64)))


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
