"""COCO's matching of detected to true boxes, and precision and recall from the matches under any weighting of images.

Matches belong to their image, so they are found once; a weighting only changes what each of them counts.
Rules: pycocotools ``COCOeval`` for boxes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from evalsuite.metrics.base import Array

Ints = NDArray[np.int64]
Bits = NDArray[np.uint16]

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
AREA_RANGES = np.array([[0, 1e5**2], [0, 32**2], [32**2, 96**2], [96**2, 1e5**2]])
"""All, small, medium and large objects, in square pixels, both ends included."""

MOST_DETECTIONS = (1, 10, 100)
"""Of an image and class, the detections with the highest scores that recall is measured at; no more are used at all."""

_LOWER_IOU_BY = 1e-10  # a perfect box must pass a threshold of 1
_SMALLEST_STEP = np.spacing(1.0)


@dataclass(frozen=True, eq=False)
class Truths:
    """True objects in data set order. boxes: x, y, width, height, shape (n, 4).

    unmatchable: those with annotation id 0, whose matches pycocotools reads as "none".
    """

    image: Ints
    category: Ints
    boxes: Array
    area: Array
    crowd: NDArray[np.bool_]
    unmatchable: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Detections:
    """Detected objects in data set order; category -1 for one that no truth has."""

    image: Ints
    category: Ints
    boxes: Array
    score: Array


@dataclass(frozen=True, eq=False)
class Matches:
    """What became of each detection, by category, within it by falling score.

    hits, ignored: a bit per IoU threshold, a row per area range. rank: place among its image's detections of the
    category. starts: category k has the detections ``starts[k]:starts[k + 1]``. truth_ranges (area ranges, truths):
    which truths count.
    """

    image: Ints
    rank: Ints
    hits: Bits
    ignored: Bits
    starts: Ints
    truth_image: Ints
    truth_category: Ints
    truth_ranges: NDArray[np.bool_]

    def curves(self, weights: Array) -> tuple[Array, Array, Array]:
        """Average precision, recall and number of truths of each category, images counting ``weights`` times.

        Shapes (categories, 4 area ranges, 10 thresholds), (categories, 6, 10) and (categories, 4). Recall is that of
        the area ranges at 100 detections, then of all areas at 1 and at 10. Zero where a category has no truths.
        """
        categories = len(self.starts) - 1
        truths = np.zeros((categories, len(AREA_RANGES)))
        for number, within in enumerate(self.truth_ranges):
            counted = weights[self.truth_image[within]]
            truths[:, number] = np.bincount(self.truth_category[within], weights=counted, minlength=categories)
        precision, recall = _accumulate(
            weights[self.image], self.rank, self.hits, self.ignored, self.starts, truths, RECALLS
        )
        return precision, recall, truths


def match_boxes(detections: Detections, truths: Truths, categories: int) -> Matches:
    """Match every image and category at every threshold and area range."""
    known = np.flatnonzero(detections.category >= 0)
    score, image, category = detections.score[known], detections.image[known], detections.category[known]
    images = 1 + max(image.max(initial=0), truths.image.max(initial=0))
    order = np.lexsort((-score, image, category))
    group = category[order] * images + image[order]
    rank = _place_in_run(group)
    order, group, rank = (array[rank < MOST_DETECTIONS[-1]] for array in (order, group, rank))
    truth_order = np.lexsort((truths.image, truths.category))
    truth_group = truths.category[truth_order] * images + truths.image[truth_order]
    groups, starts = np.unique(group, return_index=True)
    boxes, truth_boxes = detections.boxes[known][order], truths.boxes[truth_order]
    thresholds = np.minimum(IOU_THRESHOLDS, 1 - _LOWER_IOU_BY)
    hits, ignored = _match_groups(
        boxes, np.append(starts, len(order)),
        np.searchsorted(truth_group, groups), np.searchsorted(truth_group, groups, side="right"),
        truth_boxes, truths.area[truth_order], truths.crowd[truth_order], truths.unmatchable[truth_order],
        thresholds, AREA_RANGES,
    )  # fmt: skip
    image, category, score = image[order], category[order], score[order]
    by_score = np.lexsort((-score, category))  # equal scores stay in the order of images
    ranges = ~truths.crowd & (truths.area >= AREA_RANGES[:, :1]) & (truths.area <= AREA_RANGES[:, 1:])
    return Matches(
        image=image[by_score],
        rank=rank[by_score],
        hits=np.ascontiguousarray(hits[:, by_score]),
        ignored=np.ascontiguousarray(ignored[:, by_score]),
        starts=np.searchsorted(category[by_score], np.arange(categories + 1)),
        truth_image=truths.image,
        truth_category=truths.category,
        truth_ranges=ranges,
    )


def _place_in_run(values: Ints) -> Ints:
    """For each of some sorted values, how many equal ones precede it.

    >>> _place_in_run(np.array([3, 3, 3, 5, 8, 8])).tolist()
    [0, 1, 2, 0, 0, 1]
    """
    places = np.arange(len(values))
    fresh = np.ones(len(values), bool)
    fresh[1:] = values[1:] != values[:-1]
    return places - np.maximum.accumulate(np.where(fresh, places, 0))


@numba.njit(cache=True)
def _match_groups(  # type: ignore[no-untyped-def]
    boxes, starts, truth_starts, truth_stops, truth_boxes, truth_area, crowd, unmatchable, thresholds, ranges
):
    """Bits of the thresholds at which each detection is a match, and at which it does not count. (ranges, n) each."""
    hits = np.zeros((len(ranges), len(boxes)), np.uint16)
    ignored = np.zeros((len(ranges), len(boxes)), np.uint16)
    for group in range(len(starts) - 1):
        first, last = truth_starts[group], truth_stops[group]
        mine, theirs = boxes[starts[group] : starts[group + 1]], truth_boxes[first:last]
        ious = _ious(mine, theirs, crowd[first:last])
        order, out = np.empty(last - first, np.int64), np.empty(last - first, np.bool_)
        for r in range(len(ranges)):
            low, high = ranges[r]
            for g in range(last - first):
                area = truth_area[first + g]
                out[g] = crowd[first + g] or area < low or area > high
            filled = 0
            for wanted in (False, True):  # truths that do not count come last
                for g in range(last - first):
                    if out[g] == wanted:
                        order[filled] = g
                        filled += 1
            for t in range(len(thresholds)):
                bit = np.uint16(1 << t)
                taken = np.zeros(last - first, np.bool_)
                for d in range(len(mine)):
                    best, held = thresholds[t], -1
                    for g in order:
                        if taken[g] and not crowd[first + g]:
                            continue
                        if held >= 0 and not out[held] and out[g]:
                            break
                        if ious[d, g] >= best:
                            best, held = ious[d, g], g
                    place = starts[group] + d
                    matched = False
                    if held >= 0:
                        taken[held] = True
                        matched = not unmatchable[first + held]
                        if out[held]:
                            ignored[r, place] |= bit
                    if matched:
                        hits[r, place] |= bit
                    else:
                        area = mine[d, 2] * mine[d, 3]
                        if area < low or area > high:
                            ignored[r, place] |= bit
    return hits, ignored


@numba.njit(cache=True)
def _ious(boxes, truths, crowd):  # type: ignore[no-untyped-def]
    """Intersection over union, over the detection's own area where the truth is a crowd. (detections, truths)."""
    ious = np.zeros((len(boxes), len(truths)))
    for d in range(len(boxes)):
        x, y, width, height = boxes[d]
        for g in range(len(truths)):
            w = min(x + width, truths[g, 0] + truths[g, 2]) - max(x, truths[g, 0])
            h = min(y + height, truths[g, 1] + truths[g, 3]) - max(y, truths[g, 1])
            if w > 0 and h > 0:
                union = width * height if crowd[g] else width * height + truths[g, 2] * truths[g, 3] - w * h
                ious[d, g] = w * h / union
    return ious


@numba.njit(cache=True)
def _accumulate(weights, rank, hits, ignored, starts, truths, recalls):  # type: ignore[no-untyped-def]
    """Average precision (categories, ranges, thresholds) and recall (categories, ranges + 2, thresholds)."""
    categories, areas = truths.shape
    steps = 10
    precision = np.zeros((categories, areas, steps))
    recall = np.zeros((categories, areas + 2, steps))
    longest = 0
    for k in range(categories):
        longest = max(longest, starts[k + 1] - starts[k])
    reached, precise = np.empty(longest), np.empty(longest)
    for k in range(categories):
        for a in range(areas):
            if truths[k, a] <= 0:
                continue
            for t in range(steps):
                bit = np.uint16(1 << t)
                right = wrong = right_1 = right_10 = 0.0
                count = 0
                for d in range(starts[k], starts[k + 1]):
                    weight = weights[d]
                    if weight == 0 or ignored[a, d] & bit:
                        continue
                    if hits[a, d] & bit:
                        right += weight
                        right_1 += weight * (rank[d] < 1)
                        right_10 += weight * (rank[d] < 10)
                        reached[count] = right / truths[k, a]
                        precise[count] = right / (wrong + right + _SMALLEST_STEP)
                        count += 1
                    else:
                        wrong += weight
                for c in range(count - 2, -1, -1):
                    precise[c] = max(precise[c], precise[c + 1])
                c = 0
                for level in recalls:
                    while c < count and reached[c] < level:
                        c += 1
                    if c == count:
                        break
                    precision[k, a, t] += precise[c]
                precision[k, a, t] /= len(recalls)
                recall[k, a, t] = right / truths[k, a]
                if a == 0:
                    recall[k, areas, t] = right_1 / truths[k, a]
                    recall[k, areas + 1, t] = right_10 / truths[k, a]
    return precision, recall


def average(values: Array, truths: Array) -> Any:
    """Mean over the categories that have truths, and over thresholds; NaN if none has."""
    some = truths > 0
    return values[some].mean() if some.any() else np.nan
