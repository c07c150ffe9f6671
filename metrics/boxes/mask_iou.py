"""Mean IoU of referring segmentation: one expression, one mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from evalsuite.errors import ScoringError
from evalsuite.metrics.base import Array, Flags, Metric, Value, ratio
from evalsuite.metrics.boxes.masks import mask_area, mask_size, parse_segmentation, read_mask
from evalsuite.metrics.boxes.vqvae import describe_weights, load_decoder

Box = tuple[float, float, float, float]  # y1, x1, y2, x2
PixelBox = tuple[int, int, int, int]

_BATCH = 256  # examples whose masks are decoded together
_IOU, _BOX_50, _BOX_75, _INVALID, _COMMON, _UNION, _COUNT = range(7)


@dataclass(frozen=True)
class MaskIoU(Metric):
    """Mean IoU of predicted masks (RefCOCO, RefCOCO+, RefCOCOg), the accuracy of their boxes and the invalid answers.

    Equal to big_vision ``evaluators/proj/paligemma/transfers/segmentation.py``, the evaluator behind Table 13 of the
    PaliGemma 2 paper. The answer must begin with 4 ``<loc>`` and 16 ``<seg>`` tokens. The 64x64 mask they decode to is
    resized to the box with Pillow's bilinear filter, is foreground above 0, and is compared with the true mask at full
    resolution. An answer that is invalid, or whose box is empty, counts with IoU 0. ``miou`` is the mean over
    expressions. ``oiou`` is the overall (cumulative) IoU of other literature: all common pixels over the pixels of all
    unions, where an invalid answer predicts no pixel. All values are fractions, printed in percent.

    References: a list with one dict: ``mask`` as in :func:`~evalsuite.metrics.boxes.masks.read_mask`, and the true box
    as ``box_yxyx`` [y1, x1, y2, x2] in 0..1 or ``box_xywh`` [x, y, w, h] in pixels.

    weights: path of the decoder's weights (vae-oid.npz). The default, ``random``, is an untrained decoder that lets a
    run work without the file: its ``miou`` means nothing beside published numbers, and the signature says so.
    box_scale: coordinate that stands for the far border; 1023 as in big_vision, 1024 in some other decoders.
    """

    name: ClassVar[str] = "mask_iou"
    values: ClassVar[tuple[Value, ...]] = (
        Value("miou"),
        Value("box_accuracy_50"),
        Value("box_accuracy_75"),
        Value("invalid", higher_is_better=False),
        Value("oiou"),
    )
    source: ClassVar[str] = "https://github.com/google-research/big_vision (evaluators/proj/paligemma)"
    heavy: ClassVar[bool] = True
    file_parameters: ClassVar[Mapping[str, tuple[str, ...]]] = {"weights": ("random",)}

    weights: str = "random"
    box_scale: int = 1023

    def __post_init__(self) -> None:
        if not isinstance(self.weights, str) or not self.weights:
            raise ValueError(f"weights must be 'random' or the path of an .npz file, not {self.weights!r}")
        if self.box_scale < 1:
            raise ValueError(f"box_scale must be positive, not {self.box_scale}")

    def caution(self) -> str:
        if self.weights != "random":
            return ""
        return "the mask decoder has random weights; give --metric-option mask_iou.weights=FILE (vae-oid.npz)"

    def check(self) -> None:
        """Raises UsageError when the weights file is missing or is not one."""
        load_decoder(self.weights)

    def parameters(self) -> dict[str, Any]:
        return {**super().parameters(), "weights": describe_weights(self.weights)}

    def statistics(self, prediction: str, references: Sequence[Any]) -> Array:
        """(IoU, box IoU >= 0.5, box IoU >= 0.75, invalid, common pixels, pixels of the union, 1)."""
        row: Array = self.batch_statistics([prediction], [references])[0]
        return row

    def batch_statistics(self, predictions: Sequence[str], references: Sequence[Sequence[Any]]) -> Array:
        """Shape (n, 7). Raises ScoringError for a reference that is not as described above."""
        rows = np.zeros((len(predictions), 7))
        for start in range(0, len(predictions), _BATCH):
            part = slice(start, start + _BATCH)
            self._fill(rows[part], predictions[part], references[part])
        return rows

    def unread(self, predictions: Sequence[str], references: Sequence[Sequence[Any]], statistics: Array) -> Flags:
        """Answers that do not begin with the tokens of a box and a mask, or whose box is empty."""
        return np.asarray(statistics[:, _INVALID], bool)

    def finalize(self, total: Array) -> dict[str, Array]:
        means = {value.name: ratio(total[..., k], total[..., _COUNT]) for k, value in enumerate(self.values[:-1])}
        return {**means, "oiou": ratio(total[..., _COMMON], total[..., _UNION], empty=0.0)}

    def _fill(self, rows: Array, predictions: Sequence[str], references: Sequence[Sequence[Any]]) -> None:
        """Write the statistics of some examples into ``rows``, all zeros."""
        pending: list[tuple[Array, Mapping[str, Any], PixelBox]] = []
        codes: list[tuple[int, ...]] = []
        for row, prediction, reference_list in zip(rows, predictions, references, strict=True):
            reference = _only(reference_list)
            row[_COUNT] = 1
            found = self._locate(row, prediction, reference)
            if found is None:
                row[_INVALID], row[_UNION] = 1, mask_area(reference["mask"])
            else:
                pending.append((row, reference["mask"], found[0]))
                codes.append(found[1])
        if pending:
            masks = load_decoder(self.weights).decode(np.array(codes))
            for (row, encoded, pixels), mask in zip(pending, masks, strict=True):
                row[_COMMON], row[_UNION] = overlap_in_box(mask, pixels, read_mask(encoded))
                row[_IOU] = row[_COMMON] / row[_UNION] if row[_UNION] else 0.0

    def _locate(
        self, row: Array, prediction: str, reference: Mapping[str, Any]
    ) -> tuple[PixelBox, tuple[int, ...]] | None:
        """Score the box of an answer; its box in pixels and its mask codes, None for an invalid answer."""
        height, width = mask_size(reference["mask"])
        true_box = _true_box(reference, (height, width))
        found = parse_segmentation(prediction)
        if found is None or not _ordered(found[0]):
            return None
        y1, x1, y2, x2 = (token / self.box_scale for token in found[0])
        overlap = box_iou((y1, x1, y2, x2), true_box)
        row[_BOX_50], row[_BOX_75] = overlap >= 0.5, overlap >= 0.75
        pixels = int(y1 * height), int(x1 * width), int(y2 * height), int(x2 * width)
        return (pixels, found[1]) if _ordered(pixels) else None


def overlap_in_box(mask: NDArray[np.float32], box: PixelBox, truth: NDArray[np.bool_]) -> tuple[int, int]:
    """Pixels of the intersection and of the union of a true mask (h, w) with a decoded 64x64 mask.

    That is resized to ``box`` (y1, x1, y2, x2 in pixels).

    >>> overlap_in_box(np.ones((64, 64), np.float32), (0, 0, 2, 4), np.ones((4, 4), bool))
    (8, 16)
    """
    from PIL import Image

    y1, x1, y2, x2 = box
    resized = Image.fromarray(mask).resize((x2 - x1, y2 - y1), Image.Resampling.BILINEAR)
    predicted = np.asarray(resized) > 0
    crop = truth[y1:y2, x1:x2]  # shorter than the box only where box_scale lets it reach beyond the image
    common = np.count_nonzero(predicted[: crop.shape[0], : crop.shape[1]] & crop)
    return int(common), int(np.count_nonzero(truth) + np.count_nonzero(predicted) - common)


def box_iou(first: Box, second: Box) -> float:
    """IoU of two boxes (y1, x1, y2, x2); 0 where both are empty.

    >>> box_iou((0, 0, 1, 1), (0, 0, 1, 0.5))
    0.5
    """
    (top1, left1, bottom1, right1), (top2, left2, bottom2, right2) = first, second
    common = _area(max(top1, top2), max(left1, left2), min(bottom1, bottom2), min(right1, right2))
    union = _area(*first) + _area(*second) - common
    return common / union if union > 0 else 0.0


def _area(y1: float, x1: float, y2: float, x2: float) -> float:
    return max(x2 - x1, 0.0) * max(y2 - y1, 0.0)


def _ordered(box: Sequence[float]) -> bool:
    return box[2] > box[0] and box[3] > box[1]


def _only(references: Sequence[Any]) -> Mapping[str, Any]:
    if len(references) != 1 or not isinstance(references[0], Mapping) or "mask" not in references[0]:
        raise ScoringError(f"mask_iou: needs one reference, a dict that has a 'mask', not {references!r:.80}")
    reference: Mapping[str, Any] = references[0]
    return reference


def _true_box(reference: Mapping[str, Any], size: tuple[int, int]) -> Box:
    try:
        if "box_yxyx" in reference:
            y1, x1, y2, x2 = (float(v) for v in reference["box_yxyx"])
            return y1, x1, y2, x2
        x, y, w, h = (float(v) for v in reference["box_xywh"])
    except (KeyError, TypeError, ValueError):
        raise ScoringError(
            "mask_iou: a reference needs 'box_yxyx' [y1, x1, y2, x2] or 'box_xywh' [x, y, w, h], "
            f"has {sorted(reference)}"
        ) from None
    height, width = size
    return y / height, x / width, (y + h) / height, (x + w) / width
