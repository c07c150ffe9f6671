"""Average precision of detected boxes, the COCO way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from evalsuite.metrics.base import Array, Flags, Value, WeightedMetric, ratio
from evalsuite.metrics.boxes.coco_matching import Detections, Ints, Matches, Truths, average, match_boxes
from evalsuite.metrics.boxes.detections import ImageDetections, ImageObjects, read_detections, read_objects
from evalsuite.metrics.boxes.written import GEMMA_SEPARATORS

_ALL, _SMALL, _MEDIUM, _LARGE, _AT_1, _AT_10 = range(6)
_IOU_50, _IOU_75 = 0, 5  # places among the thresholds


@dataclass(frozen=True)
class BoxAP(WeightedMetric):
    """Average precision and recall of detected boxes: the twelve numbers of COCO, equal to pycocotools ``COCOeval``.

    ``ap`` is the mean over IoU thresholds 0.50, 0.55, ..., 0.95, over 101 recalls and over the categories that have
    true objects; ``ap_50`` and ``ap_75`` are those at one threshold; ``ap_small``, ``ap_medium`` and ``ap_large`` count
    objects of up to 32^2, 96^2 and more square pixels. ``ar_1``, ``ar_10`` and ``ar_100`` are the recall with that
    many detections per image and category. NaN where there are no true objects (pycocotools prints -1). Lin et al.
    2014, https://arxiv.org/abs/1405.0312; fractions, printed in percent. The PaliGemma 2 paper (appendix C) reports
    ``ap``.

    Predictions are answers in PaliGemma's form ``<locY1><locX1><locY2><locX2> category ; ...``, or a JSON list of
    ``{"bbox": [x, y, width, height], "category": ..., "score": ...}`` in pixels. In the first form a box has the
    likelihood of its category's tokens as its score: the tokens between its four location tokens and the next box,
    without the separator, with the raw log-probabilities of the answer. A box without them scores 1; ``unscored`` is
    the share of those. ``malformed`` is the share of pieces that could not be read (half tokens, boxes whose corners
    are the wrong way round, NaN); they are no detections. Equal scores keep the order of the data set.

    References: a list with one dict ``{"objects": [{"bbox": [x, y, width, height], "category": ..., "iscrowd": 0,
    "area": ...}], "size": [height, width]}``; ``area`` defaults to that of the box. As in pycocotools, an object whose
    ``id`` is 0 cannot be found; leave ``id`` out to have it counted.

    Under weights an image counts as often as its weight says, with its matches unchanged.

    confidence: ``product`` of the probabilities of the category's tokens, or their geometric ``mean``: the paper says
    "the likelihood of the class tokens".
    box_scale: location token that stands for the far border; 1023 as in big_vision, 1024 in some other decoders.
    separators: token ids that part a category from the next box; those of Gemma's ``" ;"``, ``" "`` and ``";"``.
    """

    name: ClassVar[str] = "box_ap"
    takes_answers: ClassVar[bool] = True
    values: ClassVar[tuple[Value, ...]] = (
        *(Value(f"ap{suffix}") for suffix in ("", "_50", "_75", "_small", "_medium", "_large")),
        *(Value(f"ar_{suffix}") for suffix in ("1", "10", "100", "small", "medium", "large")),
        Value("malformed", higher_is_better=False),
        Value("unscored", higher_is_better=False),
    )
    source: ClassVar[str] = "https://github.com/cocodataset/cocoapi (pycocotools.cocoeval)"

    confidence: str = "product"
    box_scale: int = 1023
    separators: tuple[int, ...] = GEMMA_SEPARATORS
    _corpus: _Corpus | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.confidence not in ("product", "mean"):
            raise ValueError(f"confidence must be 'product' or 'mean', not {self.confidence!r}")
        if self.box_scale < 1:
            raise ValueError(f"box_scale must be positive, not {self.box_scale}")
        object.__setattr__(self, "separators", tuple(self.separators))

    def prepare(self, predictions: Sequence[Any], references: Sequence[Sequence[Any]]) -> BoxAP:
        """Match all images. Raises ScoringError for a reference that is not as described above."""
        return BoxAP(self.confidence, self.box_scale, self.separators, _corpus=self._match(predictions, references))

    def weighted_values(self, weights: Array) -> dict[str, Array]:
        corpus = self._prepared()
        weights = np.asarray(weights, np.float64)
        rows = [corpus.values(row) for row in weights.reshape(-1, weights.shape[-1])]
        table = np.array(rows).reshape(*weights.shape[:-1], len(self.values))
        return {value.name: table[..., k] for k, value in enumerate(self.values)}

    def unread(self, predictions: Sequence[Any], references: Sequence[Sequence[Any]], statistics: Array) -> Flags:
        """Answers of which a piece could not be read.

        They are those of the corpus that the metric was prepared on, as a whole.
        """
        return self._prepared().counts[:, 0] > 0

    def category_values(self, weights: Array) -> dict[str, float]:
        """``ap`` of each category that has true objects in the corpus, in the order in which they occur.

        weights: shape (examples,). NaN for a category whose images all weigh 0.
        """
        corpus = self._prepared()
        precision, _, truths = corpus.matches.curves(np.asarray(weights, np.float64))
        return {
            name: float(average(precision[[k], _ALL], truths[[k], _ALL])) for k, name in enumerate(corpus.categories)
        }

    def _prepared(self) -> _Corpus:
        if self._corpus is None:
            raise TypeError("box_ap: prepare() must see the corpus first")
        return self._corpus

    def _match(self, predictions: Sequence[Any], references: Sequence[Sequence[Any]]) -> _Corpus:
        if len(predictions) != len(references):
            raise ValueError(f"{len(predictions)} predictions but {len(references)} reference lists")
        truths = [read_objects(reference) for reference in references]
        answers = [
            read_detections(
                prediction,
                truth.size,
                box_scale=self.box_scale,
                mean=self.confidence == "mean",
                separators=self.separators,
            )
            for prediction, truth in zip(predictions, truths, strict=True)
        ]
        categories = {name: k for k, name in enumerate(dict.fromkeys(name for t in truths for name in t.categories))}
        every_truth = Truths(
            image=_owners(truths),
            category=_codes(truths, categories),
            boxes=np.concatenate([truth.boxes for truth in truths]),
            area=np.concatenate([truth.area for truth in truths]),
            crowd=np.concatenate([truth.crowd for truth in truths]),
            unmatchable=np.concatenate([truth.unmatchable for truth in truths]),
        )
        every_detection = Detections(
            image=_owners(answers),
            category=_codes(answers, categories),
            boxes=np.concatenate([answer.boxes for answer in answers]),
            score=np.concatenate([answer.score for answer in answers]),
        )
        counts = np.array([(answer.malformed, answer.unscored, len(answer.boxes)) for answer in answers], np.float64)
        return _Corpus(match_boxes(every_detection, every_truth, len(categories)), tuple(categories), counts)


@dataclass(frozen=True, eq=False)
class _Corpus:
    """A matched corpus. counts: malformed pieces, detections without a score, and detections of each image."""

    matches: Matches
    categories: tuple[str, ...]
    counts: Array

    def values(self, weights: Array) -> list[float]:
        """All values in the order of ``BoxAP.values``, for weights (images,)."""
        precision, recall, truths = self.matches.curves(weights)
        malformed, unscored, detections = weights @ self.counts
        per_area = [average(precision[:, area], truths[:, area]) for area in range(truths.shape[1])]
        return [
            per_area[_ALL],
            average(precision[:, _ALL, _IOU_50], truths[:, _ALL]),
            average(precision[:, _ALL, _IOU_75], truths[:, _ALL]),
            *(per_area[area] for area in (_SMALL, _MEDIUM, _LARGE)),
            *(average(recall[:, at], truths[:, _ALL]) for at in (_AT_1, _AT_10, _ALL)),
            *(average(recall[:, area], truths[:, area]) for area in (_SMALL, _MEDIUM, _LARGE)),
            float(ratio(malformed, malformed + detections, empty=0.0)),
            float(ratio(unscored, detections, empty=0.0)),
        ]


def _owners(images: Sequence[ImageObjects | ImageDetections]) -> Ints:
    """For every box of some images, the number of its image."""
    return np.repeat(np.arange(len(images)), [len(image.boxes) for image in images])


def _codes(images: Sequence[ImageObjects | ImageDetections], categories: Mapping[str, int]) -> Ints:
    """For every box of some images, the number of its category, -1 for one that is not in ``categories``."""
    return np.array([categories.get(name, -1) for image in images for name in image.categories], np.int64)
