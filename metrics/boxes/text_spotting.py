"""Text spotting: find the words of an image and read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from evalsuite.errors import ScoringError
from evalsuite.metrics.base import Array, Flags, Metric, Value, ratio
from evalsuite.metrics.boxes.clipping import EPSILON
from evalsuite.metrics.boxes.geometry import Ints, Polygons, polygon_overlaps, self_crossings
from evalsuite.metrics.boxes.written import finite_numbers, number_block, parse_json_list, parse_located_texts

MAX_CORNERS, MAX_CROSSINGS = 256, 16
"""Of a predicted polygon; benchmarks draw words with 4 to some 30 corners. To repair a scribble takes minutes."""

MIN_IOU = 0.5
_BATCH = 128  # images that are matched together
_FOUND, _PREDICTED, _TRUE, _OVERLAP, _READ, _READ_OVERLAP, _MALFORMED, _PIECES = range(8)


@dataclass(frozen=True)
class TextSpotting(Metric):
    """Precision, recall and F1 of words that are found and read (e2e), or found (detection), by HierText's word rule.

    Long et al. 2022, https://arxiv.org/abs/2203.15143; equal to ``eval.py --evaluate_text`` of
    google-research-datasets/hiertext on words. A predicted and a true word match if each is the other's best partner
    (the first of equals) and their intersection over union, with 1e-5 added to the union, is at least 0.5. For ``e2e``
    their texts must also be equal, letter for letter: no folding of case, punctuation or Unicode. Counts are pooled
    over all images. Illegible words are don't-care: they do not count, and a prediction that has half of its area
    within a single one is dropped beforehand. Tightness is the mean overlap of matches, PQ = tightness x F1. Where
    there is no true word recall is 1, where there is no prediction precision is 1, where there is no match tightness
    is 1.

    The PaliGemma 2 paper (section 4.2) reports e2e precision, recall and F1 by this rule, from a model that writes
    boxes: ``boxes=True`` takes the bounding boxes of all polygons, which is how it was probably measured. The default
    compares polygons as HierText does.

    Predictions: PaliGemma's ``<locY1><locX1><locY2><locX2> text ; ...``, or a JSON list of
    ``{"vertices": [[x, y], ...], "text": ...}`` or ``{"box": [x1, y1, x2, y2], "text": ...}`` in pixels.
    ``malformed`` is the share of pieces that could not be read, or whose polygon has more than 256 corners or crosses
    itself more than 16 times; they are no predictions. References: a list with one dict
    ``{"words": [{"vertices": ..., "text": ..., "legible": true}], "size": [height, width]}``.

    boxes: compare axis-aligned bounding boxes.
    text_first: in location tokens the text precedes its box (the paper does not print the order).
    box_scale: location token that stands for the far border; 1023 as in big_vision, 1024 in some other decoders.
    """

    name: ClassVar[str] = "text_spotting"
    values: ClassVar[tuple[Value, ...]] = (
        Value("e2e_f1"),
        Value("e2e_precision"),
        Value("e2e_recall"),
        Value("e2e_tightness"),
        Value("e2e_pq"),
        Value("detection_f1"),
        Value("detection_precision"),
        Value("detection_recall"),
        Value("detection_tightness"),
        Value("detection_pq"),
        Value("malformed", higher_is_better=False),
    )
    source: ClassVar[str] = "https://github.com/google-research-datasets/hiertext (eval.py)"

    boxes: bool = False
    text_first: bool = False
    box_scale: int = 1023

    def __post_init__(self) -> None:
        if self.box_scale < 1:
            raise ValueError(f"box_scale must be positive, not {self.box_scale}")

    def statistics(self, prediction: str, references: Sequence[Any]) -> Array:
        """(found, predicted, true, sum of overlaps found, read, sum of overlaps read, malformed pieces, pieces)."""
        row: Array = self.batch_statistics([prediction], [references])[0]
        return row

    def batch_statistics(self, predictions: Sequence[str], references: Sequence[Sequence[Any]]) -> Array:
        """Shape (n, 8). Raises ScoringError for a reference that is not as described above."""
        if len(predictions) != len(references):
            raise ValueError(f"{len(predictions)} predictions but {len(references)} reference lists")
        rows = np.zeros((len(predictions), 8))
        for start in range(0, len(predictions), _BATCH):
            part = slice(start, start + _BATCH)
            true, predicted = _Words(), _Words()
            for row, prediction, reference in zip(rows[part], predictions[part], references[part], strict=True):
                size = _add_truth(true, reference)
                row[_MALFORMED] = self._add_prediction(predicted, prediction, size)
                row[_PIECES] = row[_MALFORMED] + predicted.starts[-1] - predicted.starts[-2]
            _count(rows[part], true, predicted, self.boxes)
        return rows

    def unread(self, predictions: Sequence[str], references: Sequence[Sequence[Any]], statistics: Array) -> Flags:
        """Answers of which a piece could not be read."""
        return np.asarray(statistics[:, _MALFORMED], bool)

    def finalize(self, total: Array) -> dict[str, Array]:
        read = _rates("e2e", total, total[..., _READ], total[..., _READ_OVERLAP])
        found = _rates("detection", total, total[..., _FOUND], total[..., _OVERLAP])
        return {**read, **found, "malformed": ratio(total[..., _MALFORMED], total[..., _PIECES], empty=0.0)}

    def _add_prediction(self, words: _Words, text: str, size: Any) -> int:
        """Add the words of one answer, return how many of its pieces were malformed."""
        elements = parse_json_list(text)
        if elements is None:
            located, malformed = parse_located_texts(text, text_first=self.text_first)
            if located:
                height, width = _image_size(size)
                boxes = np.array([entry.box for entry in located]) / self.box_scale * [height, width, height, width]
                words.add_boxes(boxes[:, [1, 0, 3, 2]], [entry.text for entry in located])
        else:
            items, malformed = elements
            malformed += words.add_items(items, _is_drawable)
        words.end_image()
        return malformed


@dataclass
class _Words:
    """The words of some images. Image k has the words ``starts[k]:starts[k + 1]``."""

    corners: list[Array] = field(default_factory=list)  # blocks (words, corners, 2)
    texts: list[str] = field(default_factory=list)
    legible: list[bool] = field(default_factory=list)
    starts: list[int] = field(default_factory=lambda: [0])

    def add_boxes(self, boxes: Array, texts: list[str]) -> None:
        """Add axis-aligned boxes x1, y1, x2, y2, shape (n, 4)."""
        self.corners.append(boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2))
        self.texts += texts
        self.legible += [True] * len(texts)

    def add_items(self, items: Sequence[Any], accept: Callable[[Array], bool] = lambda outline: True) -> int:
        """Add JSON objects, return how many are no words. Quadrilaterals are always accepted."""
        try:  # most answers hold quadrilaterals only
            texts, vertices = [item["text"] for item in items], [item["vertices"] for item in items]
            legible = [item.get("legible", True) for item in items]
        except (AttributeError, KeyError, TypeError):
            texts, vertices, legible = [None], [], []
        block = number_block(vertices, 4, 2) if set(map(type, texts)) <= {str} else None
        if block is not None:
            self.corners.append(block)
        else:
            outlines = [(item, _outline(item)) for item in items]
            good = [(item, outline) for item, outline in outlines if outline is not None and accept(outline)]
            texts, legible = [item["text"] for item, _ in good], [item.get("legible", True) for item, _ in good]
            self.corners += [outline[None] for _, outline in good]
        self.texts += texts
        self.legible += map(bool, legible)
        return len(items) - len(texts)

    def end_image(self) -> None:
        self.starts.append(len(self.texts))

    def polygons(self, boxes: bool) -> Polygons:
        """All words as polygons, or as their bounding boxes."""
        if all(block.shape[1] == 4 for block in self.corners):
            corners = np.concatenate(self.corners).reshape(-1, 2) if self.corners else np.zeros((0, 2))
            polygons = Polygons(corners, np.arange(len(self.texts) + 1) * 4)
        else:
            polygons = Polygons.of([polygon for block in self.corners for polygon in block])
        return Polygons.of_boxes(polygons.bounds) if boxes else polygons


def _outline(item: Any) -> Array | None:
    """Corners (k, 2) of a JSON object with a text, None if it has no box and no vertices of 3 points and more."""
    if not isinstance(item, Mapping) or not isinstance(item.get("text"), str):
        return None
    if "vertices" not in item:
        box = finite_numbers(item.get("box"), 4)
        return None if box is None else np.array(box)[[0, 1, 2, 1, 2, 3, 0, 3]].reshape(4, 2)
    vertices = item["vertices"]
    if not isinstance(vertices, list | tuple) or len(vertices) < 3:
        return None
    points = [finite_numbers(vertex, 2) for vertex in vertices]
    return None if any(point is None for point in points) else np.array(points)


def _is_drawable(outline: Array) -> bool:
    return len(outline) < 5 or (len(outline) <= MAX_CORNERS and self_crossings(outline) <= MAX_CROSSINGS)


def _add_truth(words: _Words, references: Sequence[Any]) -> Any:
    """Add the true words of one image, return its size, which may be missing. Raises ScoringError."""
    if len(references) != 1 or not isinstance(references[0], Mapping) or "words" not in references[0]:
        raise ScoringError(f"text_spotting: needs one reference, a dict that has 'words', not {references!r:.80}")
    wrong = words.add_items(references[0]["words"])
    words.end_image()
    if wrong:
        raise ScoringError(
            f"text_spotting: {wrong} of the true words lack a 'text' or 'vertices' of at least 3 points [x, y]"
        )
    return references[0].get("size")


def _image_size(size: Any) -> tuple[float, float]:
    numbers = finite_numbers(size, 2)
    if numbers is None or min(numbers) <= 0:
        raise ScoringError(
            f"text_spotting: location tokens need the reference's 'size' [height, width], is {size!r:.80}"
        )
    return numbers[0], numbers[1]


def _count(rows: Array, true: _Words, predicted: _Words, boxes: bool) -> None:
    """Write the counts of some images into ``rows`` (images, 8)."""
    truths, answers = true.polygons(boxes), predicted.polygons(boxes)
    image_of_true = np.repeat(np.arange(len(rows)), np.diff(true.starts))
    image_of_predicted = np.repeat(np.arange(len(rows)), np.diff(predicted.starts))
    # To match, and to be covered, a prediction must share half of its area; the rest need no exact overlap.
    starts = np.array(true.starts), np.array(predicted.starts)
    i, j, shared = polygon_overlaps(truths, answers, *starts, least_share=0.999 * MIN_IOU)
    legible = np.array(true.legible, bool)
    covered = shared / (answers.areas[j] + EPSILON) >= MIN_IOU
    kept = np.ones(len(answers), bool)
    kept[j[covered & ~legible[i]]] = False
    candidates = legible[i] & kept[j]
    i, j, shared = i[candidates], j[candidates], shared[candidates]
    overlap = shared / (truths.areas[i] + answers.areas[j] - shared + EPSILON)
    matches = _best(i, j, overlap) & _best(j, i, overlap) & (overlap >= MIN_IOU)
    i, j, overlap = i[matches], j[matches], overlap[matches]
    # The official program keeps texts in numpy string arrays, which lose NUL characters at the end.
    equal = np.array(
        [true.texts[a].rstrip("\0") == predicted.texts[b].rstrip("\0") for a, b in zip(i, j, strict=True)], bool
    )
    images = len(rows)
    rows[:, _TRUE] = np.bincount(image_of_true[legible], minlength=images)
    rows[:, _PREDICTED] = np.bincount(image_of_predicted[kept], minlength=images)
    rows[:, _FOUND] = np.bincount(image_of_true[i], minlength=images)
    rows[:, _OVERLAP] = np.bincount(image_of_true[i], weights=overlap, minlength=images)
    rows[:, _READ] = np.bincount(image_of_true[i], weights=equal, minlength=images)
    rows[:, _READ_OVERLAP] = np.bincount(image_of_true[i], weights=overlap * equal, minlength=images)


def _best(owner: Ints, partner: Ints, overlap: Array) -> NDArray[np.bool_]:
    """Marks the pair of each owner with the largest overlap, and of equal ones the first partner."""
    order = np.lexsort((partner, -overlap, owner))
    first = np.ones(len(order), bool)
    first[1:] = owner[order[1:]] != owner[order[:-1]]
    best = np.zeros(len(order), bool)
    best[order[first]] = True
    return best


def _rates(prefix: str, total: Array, matches: Array, overlap: Array) -> dict[str, Array]:
    precision = ratio(matches, total[..., _PREDICTED], empty=1.0)
    recall = ratio(matches, total[..., _TRUE], empty=1.0)
    f1 = ratio(2 * precision * recall, precision + recall, empty=0.0)
    tightness = ratio(overlap, matches, empty=1.0)
    rates = {"f1": f1, "precision": precision, "recall": recall, "tightness": tightness, "pq": tightness * f1}
    return {f"{prefix}_{name}": value for name, value in rates.items()}
