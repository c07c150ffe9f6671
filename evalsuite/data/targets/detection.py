"""Sequences of boxes with their classes, as PaliGemma 2 writes them when it detects all classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalsuite.data.targets.segmentation import location_tokens


def sequence(objects: Sequence[Mapping[str, Any]], height: float, width: float) -> str:
    """``<loc…> class ; <loc…> class`` in the given order; bbox is [x, y, width, height] in pixels."""
    return " ; ".join(f"{location_tokens(one['bbox'], height, width)} {one['category']}" for one in objects)


def perfect(references: Sequence[Any]) -> str:
    """Every object of the references; crowds are no targets."""
    reference: Mapping[str, Any] = references[0]
    height, width = reference["size"]
    return sequence([one for one in reference["objects"] if not one.get("iscrowd")], height, width)
