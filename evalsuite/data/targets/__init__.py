"""Targets of structured answers: the text that says exactly what the references hold.

What a model would have to write for boxes, masks or words in an image. Used to check tasks from end to end.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from evalsuite.errors import UnknownName

TARGETS: dict[str, str] = {
    "box_ap": "detection:perfect",
    "mask_iou": "segmentation:perfect",
    "text_spotting": "text_spotting:perfect",
}
"""Metric -> ``module:function`` of this package: references of one example -> the perfect answer."""


def perfect_answer(metric: str, references: Sequence[Any]) -> str:
    """The answer that no other can beat under a metric of structured answers. Raises UnknownName for another metric."""
    if metric not in TARGETS:
        raise UnknownName("metric of structured answers", metric, TARGETS)
    module, function = TARGETS[metric].split(":")
    perfect: Callable[[Sequence[Any]], str] = getattr(importlib.import_module(f"{__name__}.{module}"), function)
    return perfect(references)
