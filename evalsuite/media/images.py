"""Still images: where they are, and how their pixels are read. Nothing is opened before ``frames`` is called."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import ExampleError
from evalsuite.types import Visual

if TYPE_CHECKING:
    from PIL.Image import Image

# Twice Pillow's warning limit, which is where Pillow itself refuses. A larger value also needs a larger
# PIL.Image.MAX_IMAGE_PIXELS.
MAX_PIXELS = 178_956_970

FORMATS = ("JPEG", "MPO", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "ICO")
"""What data sets come in. Pillow knows more, and for some (EPS) it starts another program."""

_ORIENTATION = 0x0112  # EXIF tag
_SWAPS_SIDES = (5, 6, 7, 8)  # its values that turn the image by 90 degrees
_TRANSPOSE = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}  # its values -> PIL.Image.Transpose


@dataclass(frozen=True, slots=True)
class ImageFile:
    """An image in a file."""

    path: Path

    @property
    def frame_count(self) -> int:
        return 1

    def frames(self) -> list[Image]:
        """The RGB image, alone in a list. Raises ExampleError naming the file."""
        return [open_rgb(self.path)]


@dataclass(frozen=True, slots=True)
class ImageBytes:
    """An encoded image in memory, as data sets with embedded images hold it; ``name`` is used in messages."""

    data: bytes
    name: str = "embedded image"

    @property
    def frame_count(self) -> int:
        return 1

    def frames(self) -> list[Image]:
        """The RGB image, alone in a list. Raises ExampleError naming the image."""
        return [open_rgb(self)]


ImageSource = str | Path | bytes | ImageBytes | ImageFile


def open_rgb(source: ImageSource) -> Image:
    """The image as 8-bit RGB, upright, decoded at once.

    EXIF orientation is applied, transparency lies on white, 16-bit grey is scaled to 8 bits, an animation gives its
    first frame. Raises ExampleError that names the source when it is missing, empty, broken, cut off or larger
    than MAX_PIXELS.
    """
    with _opened(source) as image:
        image.load()
        orientation = _orientation(image)
        upright = to_rgb(image)
        if orientation in _TRANSPOSE:
            from PIL import Image as pil

            upright = upright.transpose(pil.Transpose(_TRANSPOSE[orientation]))
        return upright


def image_size(source: ImageSource | Visual) -> tuple[int, int]:
    """(height, width) in pixels of the upright image, read from the header alone where there is one.

    Raises ExampleError as :func:`open_rgb`.
    """
    if isinstance(source, Visual) and not isinstance(source, (ImageFile, ImageBytes)):
        width, height = source.frames()[0].size
        return height, width
    with _opened(source) as image:
        width, height = image.size
        return (width, height) if _orientation(image) in _SWAPS_SIDES else (height, width)


def to_rgb(image: Image) -> Image:
    """8-bit RGB of an image in any mode; the image itself when it is RGB without transparency (no copy)."""
    if image.mode == "RGB" and "transparency" not in image.info:
        return image
    if image.mode.startswith(("I", "F")):
        return _deep_grey(image).convert("RGB")
    if image.has_transparency_data:
        from PIL import Image as pil

        layer = image.convert("RGBA")
        white = pil.new("RGBA", layer.size, "white")
        white.alpha_composite(layer)
        return white.convert("RGB")
    return image.convert("RGB")


def _deep_grey(image: Image) -> Image:
    """8-bit grey of 16-bit integers (65535 is white) or floats (1.0 is white, or 255 when any value exceeds 1)."""
    import numpy as np
    from PIL import Image as pil

    values = np.asarray(image).astype(np.float64)
    if image.mode != "F":
        values /= 257
    elif values.max(initial=0) <= 1:
        values *= 255
    return pil.fromarray(np.clip(np.nan_to_num(values) + 0.5, 0, 255).astype(np.uint8))


def _orientation(image: Image) -> int:
    # Parsing EXIF costs more than decoding a thumbnail, and most JPEG files have none.
    if image.format == "JPEG" and "exif" not in image.info:
        return 1
    return int(image.getexif().get(_ORIENTATION, 1))


@cache
def _pillow() -> Any:
    """Pillow's Image module, without its warning about large images: we have a limit of our own."""
    import warnings

    from PIL import Image as pil

    warnings.simplefilter("ignore", pil.DecompressionBombWarning)
    return pil


@cache
def _readable(pil: Any) -> tuple[str, ...]:
    """Those of FORMATS that this Pillow was built with."""
    pil.init()
    return tuple(name for name in FORMATS if name in pil.OPEN)


@contextmanager
def _opened(source: ImageSource) -> Iterator[Image]:
    """The image with its header read; every failure inside the block becomes an ExampleError."""
    pil = _pillow()
    name, place = _place(source)
    try:
        with pil.open(place, formats=_readable(pil)) as image:
            pixels = image.width * image.height
            if pixels > MAX_PIXELS:
                raise ExampleError(f"{name}: {image.width} x {image.height} pixels are more than {MAX_PIXELS:,}")
            yield image
    except ExampleError:
        raise
    except FileNotFoundError:
        raise ExampleError(f"{name}: there is no such file") from None
    # Decoders raise OSError, SyntaxError, ValueError, struct.error, zlib.error ... on broken files.
    except Exception as error:
        raise ExampleError(f"{name}: {_reason(error, place)}") from error


def _place(source: ImageSource) -> tuple[str, Any]:
    """(name for messages, what Pillow opens)."""
    if isinstance(source, ImageFile):
        source = source.path
    if isinstance(source, bytes):
        source = ImageBytes(source)
    if isinstance(source, ImageBytes):
        return source.name, BytesIO(source.data)
    return os.fspath(source), os.fspath(source)


def _reason(error: Exception, place: Any) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        empty = not place.getbuffer().nbytes if isinstance(place, BytesIO) else os.path.getsize(place) == 0
        return "the file is empty" if empty else "not an image, or in a format that cannot be read"
    return f"cannot be decoded ({error or type(error).__name__})"
