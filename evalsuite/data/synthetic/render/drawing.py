"""What all renderers share: a canvas, the font that Pillow brings along, ink that can be read."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

Colour: TypeAlias = tuple[int, int, int]
INK: Colour = (25, 25, 30)


def canvas(width: int, height: int, colour: Colour) -> tuple[Image, ImageDraw]:
    from PIL import Image as images
    from PIL import ImageDraw as drawing

    picture = images.new("RGB", (width, height), colour)
    return picture, drawing.Draw(picture)


@lru_cache(maxsize=64)
def font(size: float) -> FreeTypeFont:
    """The font that Pillow brings along (ASCII and a few signs), so that text looks the same everywhere."""
    from PIL import ImageFont

    found = ImageFont.load_default(max(size, 1.0))
    assert isinstance(found, ImageFont.FreeTypeFont)
    return found


def contrast(colour: Colour) -> Colour:
    """Black or white, whichever can be read on ``colour``."""
    red, green, blue = colour
    return (15, 15, 15) if 0.299 * red + 0.587 * green + 0.114 * blue > 140 else (250, 250, 250)
