"""Detected and true objects of one image, as box AP takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.errors import ScoringError
from evalsuite.metrics.base import Answer, Array
from evalsuite.metrics.boxes.written import (
    finite_numbers,
    likelihood,
    number_block,
    parse_json_list,
    parse_located_texts,
    text_log_probabilities,
)

UNSCORED = 1.0
"""The score of a box whose confidence is not known."""


@dataclass(frozen=True, eq=False)
class ImageObjects:
    """True objects. boxes: x, y, width, height in pixels, shape (n, 4). size: height and width, if given."""

    categories: tuple[str, ...]
    boxes: Array
    area: Array
    crowd: NDArray[np.bool_]
    unmatchable: NDArray[np.bool_]
    size: tuple[float, float] | None


@dataclass(frozen=True, eq=False)
class ImageDetections:
    """Detected objects. malformed: pieces of the answer that are none. unscored: objects without a confidence."""

    categories: tuple[str, ...]
    boxes: Array
    score: Array
    malformed: int = 0
    unscored: int = 0


def read_objects(references: Sequence[Any]) -> ImageObjects:
    """The true objects of an image. Raises ScoringError that says what is missing."""
    if len(references) != 1 or not isinstance(references[0], Mapping) or "objects" not in references[0]:
        raise ScoringError(f"box_ap: needs one reference, a dict that has 'objects', not {references!r:.80}")
    objects = references[0]["objects"]
    try:
        boxes = number_block([one["bbox"] for one in objects], 4)
        categories = tuple(str(one["category"]) for one in objects)
        crowd = np.array([bool(one.get("iscrowd", 0)) for one in objects], bool)
        unmatchable = np.array([one.get("id", 1) == 0 for one in objects], bool)
        area = [one.get("area") for one in objects]
    except (KeyError, TypeError, AttributeError):
        boxes = None
    if boxes is None:
        raise ScoringError(f"box_ap: a true object needs 'bbox' [x, y, width, height] and 'category': {objects!r:.120}")
    own = boxes[:, 2] * boxes[:, 3]
    areas = np.array([box if given is None else given for box, given in zip(own, area, strict=True)], np.float64)
    height_and_width = finite_numbers(references[0].get("size"), 2)
    return ImageObjects(
        categories,
        boxes,
        areas,
        crowd,
        unmatchable,
        None if height_and_width is None else (height_and_width[0], height_and_width[1]),
    )


def read_detections(
    answer: Answer | str, size: tuple[float, float] | None, *, box_scale: int, mean: bool, separators: tuple[int, ...]
) -> ImageDetections:
    """The detected objects of an answer. Raises ScoringError for location tokens without the image's size."""
    if isinstance(answer, str):
        answer = Answer(answer)
    listed = parse_json_list(answer.text)
    if listed is not None:
        return _from_json(*listed)
    objects, malformed = parse_located_texts(answer.text)
    if not objects:
        return ImageDetections((), np.zeros((0, 4)), np.zeros(0), malformed)
    if size is None or min(size) <= 0:
        raise ScoringError("box_ap: location tokens need the reference's 'size' [height, width]")
    height, width = size
    corners = np.array([entry.box for entry in objects]) / box_scale * [height, width, height, width]
    boxes = np.column_stack(
        [corners[:, 1], corners[:, 0], corners[:, 3] - corners[:, 1], corners[:, 2] - corners[:, 0]]
    )
    logs = text_log_probabilities(answer, objects, separators)
    score = [None] * len(objects) if logs is None else [likelihood(values, mean=mean) for values in logs]
    upright = np.flatnonzero((boxes[:, 2:] >= 0).all(axis=1))
    return ImageDetections(
        tuple(objects[k].text.rstrip("; ") for k in upright),
        boxes[upright],
        np.array([UNSCORED if score[k] is None else score[k] for k in upright], np.float64),
        malformed + len(objects) - len(upright),
        sum(score[k] is None for k in upright),
    )


def _from_json(items: list[Any], malformed: int) -> ImageDetections:
    good = [item for item in items if isinstance(item, dict) and isinstance(item.get("category"), str | int)]
    boxes = number_block([item.get("bbox") for item in good], 4)
    score = number_block([_score(item) for item in good])
    if boxes is None or score is None or (boxes[:, 2:] < 0).any():
        good = [item for item in good if _is_detection(item)]
        boxes = np.array([finite_numbers(item["bbox"], 4) for item in good], np.float64).reshape(-1, 4)
        score = np.array([_score(item) for item in good], np.float64)
    return ImageDetections(
        tuple(str(item["category"]) for item in good),
        boxes,
        score,
        malformed + len(items) - len(good),
        sum(item.get("score") is None for item in good),
    )


def _score(item: Mapping[str, Any]) -> Any:
    score = item.get("score")
    return UNSCORED if score is None else score


def _is_detection(item: Mapping[str, Any]) -> bool:
    box, score = finite_numbers(item.get("bbox"), 4), finite_numbers([_score(item)], 1)
    return box is not None and min(box[2:]) >= 0 and score is not None
