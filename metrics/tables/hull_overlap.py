"""How alike two rectangles are to GriTS: area of the intersection over area of the rectangle that encloses both."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from evalsuite.metrics.tables.compiled import compiled

Floats = NDArray[np.float64]


def hull_overlaps(first: Sequence[Sequence[float]], second: Sequence[Sequence[float]]) -> Floats:
    """Overlap of each rectangle (xmin, ymin, xmax, ymax) of ``first`` with each of ``second``, in [0, 1].

    The official program keeps coordinates as 32-bit floats; so they are rounded to these. A rectangle without area, or
    with a coordinate that is not finite, overlaps nothing, not even itself. Shape (len(first), len(second)).

    >>> hull_overlaps([(0, 0, 2, 1), (1, 1, 1, 1)], [(1, 0, 3, 1)]).round(6).tolist()
    [[0.333333], [0.0]]
    """
    with np.errstate(over="ignore"):
        boxes = [
            np.array(part, np.float64).reshape(-1, 4).astype(np.float32).astype(np.float64) for part in (first, second)
        ]
    overlaps: Floats = _overlaps(*boxes)
    return overlaps


def _overlaps_loops(first: Floats, second: Floats) -> Floats:
    overlaps = np.zeros((len(first), len(second)))
    for i in range(len(first)):
        left, top, right, bottom = first[i]
        if not (left < right and top < bottom and np.isfinite(first[i]).all()):
            continue
        for j in range(len(second)):
            left2, top2, right2, bottom2 = second[j]
            if not (left2 < right2 and top2 < bottom2 and np.isfinite(second[j]).all()):
                continue
            width = min(right, right2) - max(left, left2)
            height = min(bottom, bottom2) - max(top, top2)
            if width > 0 and height > 0:
                hull = (max(right, right2) - min(left, left2)) * (max(bottom, bottom2) - min(top, top2))
                overlaps[i, j] = width * height / hull
    return overlaps


_overlaps = compiled(_overlaps_loops)
