"""Words with their boxes, in the form that the text-spotting metric reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalsuite.data.targets.segmentation import location_tokens


def perfect(references: Sequence[Any]) -> str:
    """Every legible word with the bounding box of its polygon: ``<loc…> WORD ; <loc…> WORD``."""
    reference: Mapping[str, Any] = references[0]
    height, width = reference["size"]
    words = [word for word in reference["words"] if word.get("legible", True)]
    return " ; ".join(f"{location_tokens(_bounds(word['vertices']), height, width)} {word['text']}" for word in words)


def _bounds(vertices: Sequence[Sequence[float]]) -> list[float]:
    """[x, y, width, height] of a polygon."""
    xs, ys = zip(*vertices, strict=True)
    return [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
