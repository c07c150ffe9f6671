"""Images as data URIs."""

from __future__ import annotations

import base64
import io
from typing import TYPE_CHECKING

from evalsuite.media.preparation import prepare_frames, request_frames
from evalsuite.types import Request

if TYPE_CHECKING:
    from PIL.Image import Image

FAST = 1  # zlib level: pixels are the same at every level, and the network is rarely what is slow


def data_uris(request: Request, resolution: int | None) -> list[str]:
    """All images and frames of a request, in order, as PNG.

    resolution: resize them here, by the papers' rule, to squares of so many pixels; None sends them as they are
    stored (upright, RGB). Video frames, which the papers keep as fractions, are rounded to whole levels.
    Raises ExampleError when an image cannot be opened.
    """
    if resolution is None:
        return [_data_uri(frame) for frame in request_frames(request)]
    import numpy as np
    from PIL import Image as pil

    uris = []
    for visual in request.visuals:
        pixels = prepare_frames(visual.frames(), resolution, request.preparation)
        levels = pixels if pixels.dtype == np.uint8 else np.rint(pixels).astype(np.uint8)
        uris += [_data_uri(pil.fromarray(frame)) for frame in levels]
    return uris


def _data_uri(image: Image) -> str:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=FAST)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"
