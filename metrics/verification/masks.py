"""Golden files of referring segmentation.

They were recorded with an untrained mask decoder. Its weights are ``vqvae_random_weights.npz`` beside the golden file
where that exists, else :func:`~evalsuite.metrics.boxes.vqvae.random_weights` of the same seed: the two are equal.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from evalsuite.metrics.boxes.mask_iou import MaskIoU
from evalsuite.metrics.boxes.vqvae import MaskDecoder, load_weights, random_weights
from evalsuite.metrics.verification import Comparison, Line, is_error

Lines = Iterator[tuple[Line, list[Comparison]]]

WEIGHTS = "vqvae_random_weights.npz"
SEED, LAST_BIAS = 20241204, -0.5957277
MASK_TOLERANCE = 1e-5  # float32 sums in another order
IOU_TOLERANCE = 1e-4  # which decide pixels that lie next to 0

_END_OF_SEQUENCE = 1
_WHOLE = {"miou": "miou", "boxacc/0.5": "box_accuracy_50", "boxacc/0.75": "box_accuracy_75"}
_SINGLE = {"iou": "miou", "boxacc_0.5": "box_accuracy_50", "boxacc_0.75": "box_accuracy_75"}


def vqvae_mask_decode(lines: list[Line], folder: Path) -> Lines:
    """Every value of the decoded 64x64 masks."""
    with _weights_file(folder) as path:
        decoder = MaskDecoder(load_weights(path))
    for line in lines:
        if is_error(line["expected"]):
            yield line, []
            continue
        mask = decoder.decode(np.array([line["inputs"]["seg_indices"]]))[0]
        official = np.array(line["expected"]["mask64"])
        yield line, [Comparison("mask64", mask.ravel().tolist(), official.ravel().tolist(), MASK_TOLERANCE)]


def referring_seg_miou(lines: list[Line], folder: Path) -> Lines:
    """IoU, box accuracy and invalid answers, of single examples and of corpora (lines with ``data``)."""
    with _weights_file(folder) as path:
        metric = MaskIoU(weights=str(path))
        for line in lines:
            inputs, expected = line["inputs"], line["expected"]
            if is_error(expected):
                yield line, []
                continue
            examples = inputs.get("data", [inputs])
            texts = [_text(example, inputs["loc0"], inputs["seg0"]) for example in examples]
            references = [[{"mask": e["gt_mask_rle"], "box_yxyx": e["gt_bbox_yxyx"]}] for e in examples]
            values = metric.score(texts, references)
            names = _WHOLE if "data" in inputs else _SINGLE
            comparisons = [
                Comparison(name, values[ours], expected[name], IOU_TOLERANCE if name in ("miou", "iou") else 1e-9)
                for name, ours in names.items()
                if name in expected
            ]
            comparisons.append(
                Comparison("invalid", round(values["invalid"] * len(examples)), expected["invalid"], 0.0)
            )
            if "total" in expected:
                comparisons.append(Comparison("total", len(examples), expected["total"], 0.0))
            yield line, comparisons


def _text(example: dict[str, Any], first_location: int, first_segment: int) -> str:
    """The text of an example's token ids up to the end of sequence. Any other token is written as a word."""
    pieces = []
    for token in example["token_ids"]:
        if token == _END_OF_SEQUENCE:
            break
        if first_segment <= token < first_segment + 128:
            pieces.append(f"<seg{token - first_segment:03d}>")
        elif first_location <= token < first_location + 1024:
            pieces.append(f"<loc{token - first_location:04d}>")
        else:
            pieces.append(f" word{token}")
    return "".join(pieces)


@contextmanager
def _weights_file(folder: Path) -> Iterator[Path]:
    beside = folder / WEIGHTS
    if beside.exists():
        yield beside
        return
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / WEIGHTS
        np.savez(path, allow_pickle=False, **recorded_weights())
        yield path


def recorded_weights() -> dict[str, Any]:
    """The untrained weights that the official code was run with: a seed, with a last bias of its own."""
    return {**random_weights(SEED), "decoder.12.bias": np.array([LAST_BIAS], np.float32)}
