"""``--model miniature``: nine small PaliGemma 2 checkpoints, trained on the synthetic world, shipped with the package.

Three sizes at three resolutions; the attributes ``size`` and ``resolution`` of a run choose one. MODEL_CARD.md says
how they were trained (``tools/miniature``) and what they can do.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalsuite.errors import UnknownName

MINIATURE = "miniature"
SIZES = ("0.3M", "0.8M", "1.9M")
"""Parameters of each, in millions."""
RESOLUTIONS = (112, 224, 448)
DEFAULT_SIZE, DEFAULT_RESOLUTION = "0.8M", 224


def miniature_checkpoint(attributes: Mapping[str, Any]) -> Path:
    """Folder of the checkpoint for ``{"size": "0.3M", "resolution": 448}``; what is missing has its default.

    Raises UnknownName for a size or resolution that the family lacks.
    """
    size = str(attributes.get("size", DEFAULT_SIZE))
    resolution = str(attributes.get("resolution", DEFAULT_RESOLUTION))
    if size not in SIZES:
        raise UnknownName("size", size, SIZES, "model miniature")
    if resolution not in map(str, RESOLUTIONS):
        raise UnknownName("resolution", resolution, map(str, RESOLUTIONS), "model miniature")
    return Path(__file__).resolve().parent / f"{size}-{resolution}"
