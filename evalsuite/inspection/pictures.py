"""Images made small enough for a page that carries them in itself."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING

from evalsuite.inspection.overlays import Shape

if TYPE_CHECKING:
    from PIL.Image import Image

SIDES = (760, 560, 400, 280, 160)
FRAME_SIDES = (160, 128, 96)
MASK_SIDE = 512
TINT = (31, 160, 150, 115)


@dataclass(frozen=True)
class Picture:
    """An image as a page shows it: ``uri`` holds the pixels, made smaller; width and height are those it has.

    shapes: drawn over it, in its own pixels; ``masks`` are images to lay over it.
    """

    uri: str
    width: int
    height: int
    shown_width: int
    shapes: tuple[Shape, ...] = ()
    masks: tuple[str, ...] = ()


def picture(image: Image, most_bytes: int, shapes: Sequence[Shape] = (), *, frame: bool = False) -> Picture:
    """The image as JPEG of at most about ``most_bytes``, never larger than it is. frame: one of a strip of frames."""
    small, data = image, b""
    for side in FRAME_SIDES if frame else SIDES:
        small = _fitted(image, side)
        data = _encoded(small, "JPEG", quality=84)
        if len(data) <= most_bytes:
            break
    drawn = tuple(shape for shape in shapes if shape.mask is None)
    masks = tuple(_tinted(shape) for shape in shapes if shape.mask is not None)
    return Picture(_uri("jpeg", data), image.width, image.height, small.width, drawn, masks)


def _tinted(shape: Shape) -> str:
    """The mask as a tinted picture, transparent elsewhere."""
    import numpy as np
    from PIL import Image as pil

    assert shape.mask is not None
    pixels = np.zeros((*shape.mask.shape, 4), np.uint8)
    pixels[shape.mask] = TINT
    return _uri("png", _encoded(_fitted(pil.fromarray(pixels, "RGBA"), MASK_SIDE), "PNG"))


def _fitted(image: Image, side: int) -> Image:
    if max(image.size) <= side:
        return image
    from PIL import Image as pil

    scale = side / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, pil.Resampling.LANCZOS)


def _encoded(image: Image, format: str, **options: int) -> bytes:
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _uri(kind: str, data: bytes) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"
