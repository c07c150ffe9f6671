"""Masks from COCO encodings, and from the text of a model that segments."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.errors import ScoringError

Mask = NDArray[np.bool_]

_SEGMENTATION = re.compile(r"((?:<loc\d{4}>){4})((?:<seg\d{3}>){16})", re.ASCII)
_NUMBER = re.compile(r"\d+", re.ASCII)
_LOCATIONS, _CODES = 1024, 128


def parse_segmentation(text: str) -> tuple[tuple[int, ...], tuple[int, ...]] | None:
    """Box tokens (y1, x1, y2, x2), each 0..1023, and 16 mask codes, each 0..127; None where there are none.

    The first 20 tokens count (big_vision ``evaluators/proj/paligemma/transfers/segmentation.py``): anything before or
    between them, a blank included, makes the answer invalid, what follows them is ignored.

    >>> parse_segmentation("<loc0001><loc0002><loc0300><loc1023>" + "<seg007>" * 16 + " cat")[0]
    (1, 2, 300, 1023)
    >>> parse_segmentation("<loc0001><loc0002><loc0300><loc1023> cat")
    """
    found = _SEGMENTATION.match(text)
    if not found:
        return None
    box, codes = (tuple(int(number) for number in _NUMBER.findall(part)) for part in found.groups())
    return (box, codes) if max(box) < _LOCATIONS and max(codes) < _CODES else None


def read_mask(encoded: Mapping[str, Any]) -> Mask:
    """The mask (h, w) of ``{"size": [h, w], "counts": ...}`` or ``{"size": [h, w], "polygons": [[x, y, ...], ...]}``.

    Raises ScoringError for anything else.
    """
    height, width = mask_size(encoded)
    if "polygons" in encoded:
        return polygons_to_mask(encoded["polygons"], height, width)
    counts = encoded.get("counts")
    if isinstance(counts, str | bytes):
        return _compressed_to_mask(counts, height, width)
    if counts is None:
        raise ScoringError(f"mask: needs 'counts' or 'polygons', has {sorted(encoded)}")
    return rle_to_mask(counts, height, width)


def mask_area(encoded: Mapping[str, Any]) -> int:
    """Pixels of an encoded mask; uncompressed run lengths are added up without decoding. Raises ScoringError."""
    counts = encoded.get("counts")
    if "polygons" in encoded or counts is None or isinstance(counts, str | bytes):
        return int(np.count_nonzero(read_mask(encoded)))
    height, width = mask_size(encoded)
    return int(_runs(counts, height, width)[1::2].sum())


def mask_size(encoded: Mapping[str, Any]) -> tuple[int, int]:
    """Height and width of an encoded mask, without decoding it. Raises ScoringError."""
    try:
        height, width = (int(length) for length in encoded["size"])
    except (KeyError, TypeError, ValueError):
        raise ScoringError(f"mask: needs 'size': [height, width], is {encoded!r:.80}") from None
    if height <= 0 or width <= 0:
        raise ScoringError(f"mask: height and width must be positive, are {height} and {width}")
    return height, width


def rle_to_mask(counts: Sequence[int], height: int, width: int) -> Mask:
    """The mask (h, w) of uncompressed COCO run lengths: column by column, background first.

    >>> rle_to_mask([1, 2, 3], 2, 3).astype(int)
    array([[0, 1, 0],
           [1, 0, 0]])
    """
    runs = _runs(counts, height, width)
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(width, height).T


def _runs(counts: Sequence[int], height: int, width: int) -> NDArray[np.int64]:
    runs = np.asarray(counts, np.int64)
    if runs.ndim != 1 or (runs < 0).any() or runs.sum() != height * width:
        raise ScoringError(f"mask: the run lengths must add up to {height} x {width}, but add up to {runs.sum()}")
    return runs


def mask_to_rle(mask: Mask) -> list[int]:
    """Uncompressed COCO run lengths of a mask (h, w).

    >>> mask_to_rle(np.array([[False, True, False], [True, False, False]]))
    [1, 2, 3]
    """
    flat = np.concatenate([[False], np.asarray(mask, np.bool_).T.ravel()])
    edges = [0, *np.flatnonzero(flat[1:] != flat[:-1]).tolist(), len(flat) - 1]
    return [end - start for start, end in pairwise(edges)]


def polygons_to_mask(polygons: Sequence[Sequence[float]], height: int, width: int) -> Mask:
    """The mask (h, w) of the union of COCO polygons ``[x, y, x, y, ...]``, by the rule of pycocotools."""
    from pycocotools import mask as coco

    if not polygons:
        return np.zeros((height, width), np.bool_)
    if any(len(polygon) < 6 or len(polygon) % 2 for polygon in polygons):
        raise ScoringError("mask: a polygon needs at least three points x, y, x, y, x, y")
    merged = coco.merge(coco.frPyObjects([[float(v) for v in polygon] for polygon in polygons], height, width))
    return np.asarray(coco.decode(merged), np.bool_)


def _compressed_to_mask(counts: str | bytes, height: int, width: int) -> Mask:
    from pycocotools import mask as coco

    return np.asarray(coco.decode({"size": [height, width], "counts": counts}), np.bool_)
