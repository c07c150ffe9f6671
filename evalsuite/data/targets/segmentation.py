"""Location tokens of boxes, for masks and detections alike (big_vision ``pp/proj/paligemma/segmentation.py``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

LAST = 1023
SEGMENT_TOKENS = 16


def location_tokens(box: Sequence[float], height: float, width: float) -> str:
    """``<locY1><locX1><locY2><locX2>`` of a box [x, y, width, height] in pixels: shares of the image x 1023, rounded.

    >>> location_tokens([0, 32, 64, 32], height=64, width=64)
    '<loc0512><loc0000><loc1023><loc1023>'
    """
    left, top, wide, high = box
    shares = (top / height, left / width, (top + high) / height, (left + wide) / width)
    return "".join(f"<loc{min(LAST, max(0, round(share * LAST))):04d}>" for share in shares)


def perfect(references: Sequence[Any]) -> str:
    """The exact box of a referring expression, and sixteen equal mask codes.

    Codes that decode to the mask need the encoder of the mask model, whose weights do not ship; the box is all that can
    be perfect without it.
    """
    reference: Mapping[str, Any] = references[0]
    height, width = reference["mask"]["size"]
    if "box_xywh" in reference:
        box = reference["box_xywh"]
    else:
        top, left, bottom, right = reference["box_yxyx"]
        box = [left * width, top * height, (right - left) * width, (bottom - top) * height]
    return location_tokens(box, height, width) + "<seg000>" * SEGMENT_TOKENS
