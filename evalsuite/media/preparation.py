"""Pixels as the PaliGemma models were evaluated with: resize, cut to uint8, bring to [-1, 1].

Source of the rules: big_vision ``pp/ops_image.py`` (stills) and ``pp/proj/paligemma/video.py`` (frames), which
resize with ``tf.image.resize``: bilinear, half-pixel centres, with or without antialiasing.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from evalsuite.types import ImagePreparation, Request

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    Pixels = NDArray[np.uint8] | NDArray[np.float32]

WHITE = 255
RED = (255, 0, 0)


def prepare_frames(frames: Sequence[Image], resolution: int, preparation: ImagePreparation) -> Pixels:
    """RGB images -> array of shape (n, resolution, resolution, 3).

    Values are uint8, or float32 in [0, 255] when ``preparation.truncate`` is off. Cutting to uint8 drops the fraction,
    as a cast does; it does not round. An image that already has the size is returned as it is.

    ``resize: pad`` keeps the aspect ratio and centres the image in a white square (PaliGemma 2 pads with white for
    tables, molecules and music, and does not say where the image lies; centred is our choice).
    """
    import numpy as np

    dtype = np.uint8 if preparation.truncate else np.float32
    out: Any = np.empty((len(frames), resolution, resolution, 3), dtype)
    for index, frame in enumerate(frames):
        _fill(out[index], frame, preparation)
        if preparation.outline is not None:
            _draw_outline(out[index], preparation.outline)
    pixels: Pixels = out
    return pixels


def request_frames(request: Request) -> list[Image]:
    """All frames of a request in order, for models that bring their own image preparation.

    An outline is drawn on the stored image then, as wide as one pixel of a picture of 224 pixels.
    Raises ExampleError when an image cannot be opened.
    """
    frames = [frame for visual in request.visuals for frame in visual.frames()]
    outline = request.preparation.outline
    return frames if outline is None else [_outlined(frame, outline) for frame in frames]


def _outlined(image: Image, outline: tuple[float, float, float, float]) -> Image:
    from PIL import ImageDraw

    copy = image.copy()
    left, top, right, bottom = outline
    box = (left * (copy.width - 1), top * (copy.height - 1), right * (copy.width - 1), bottom * (copy.height - 1))
    ImageDraw.Draw(copy).rectangle(box, outline=RED, width=max(1, round(max(copy.size) / 224)))
    return copy


def _draw_outline(out: Pixels, outline: tuple[float, float, float, float]) -> None:
    """A red box, one pixel wide, as ``tf.image.draw_bounding_boxes`` draws it: corners are cut down to whole pixels of
    a picture that ends at size - 1, and sides beyond the picture are left out."""
    side = out.shape[0]
    left, top, right, bottom = (int(share * (side - 1)) for share in outline)
    if left > right or top > bottom or left >= side or top >= side or right < 0 or bottom < 0:
        return
    columns = slice(max(left, 0), min(right, side - 1) + 1)
    rows = slice(max(top, 0), min(bottom, side - 1) + 1)
    for row in (top, bottom):
        if 0 <= row < side:
            out[row, columns] = RED
    for column in (left, right):
        if 0 <= column < side:
            out[rows, column] = RED


def to_unit_range(pixels: Pixels) -> NDArray[np.float32]:
    """[0, 255] -> float32 in [-1, 1]: x / 255 * 2 - 1. Any shape; the input is left alone."""
    import numpy as np

    out = pixels.astype(np.float32)
    out /= np.float32(255)
    out *= np.float32(2)
    out -= np.float32(1)
    return out


def resize(image: Image, height: int, width: int, *, antialias: bool) -> Pixels:
    """An RGB image as ``tf.image.resize(image, (height, width), "bilinear", antialias=antialias)`` gives it.

    Shape (height, width, 3), float32 in [0, 255]; the untouched uint8 pixels when the size is right already.
    """
    import numpy as np

    if image.size == (width, height):
        return np.asarray(image)
    return _antialiased(image, height, width) if antialias else _interpolated(image, height, width)


def _fill(out: Pixels, image: Image, preparation: ImagePreparation) -> None:
    """Writes the prepared image into ``out``, shape (resolution, resolution, 3)."""
    import numpy as np

    side = out.shape[0]
    if preparation.resize == "pad":
        height, width, top, left = _fitted(image.height, image.width, side)
        out[...] = WHITE
        out = out[top : top + height, left : left + width]
    else:
        height = width = side
    pixels = resize(image, height, width, antialias=preparation.antialias)
    # float32 -> uint8 in an assignment drops the fraction, which is what the protocol asks for.
    np.copyto(out, np.clip(pixels, 0, 255) if pixels.dtype != np.uint8 else pixels, casting="unsafe")


def _fitted(height: int, width: int, side: int) -> tuple[int, int, int, int]:
    """(height, width, top, left) of an image scaled to fit a square and centred in it."""
    scale = side / max(height, width)
    high = min(side, max(1, int(height * scale + 0.5)))
    wide = min(side, max(1, int(width * scale + 0.5)))
    return high, wide, (side - high) // 2, (side - wide) // 2


def _antialiased(image: Image, height: int, width: int) -> NDArray[np.float32]:
    """Triangle kernel, widened by the scale when shrinking. Pillow's float mode computes exactly that."""
    import numpy as np
    from PIL import Image as pil

    size = (width, height)
    channels = [channel.convert("F").resize(size, pil.Resampling.BILINEAR) for channel in image.split()]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def _interpolated(image: Image, height: int, width: int) -> NDArray[np.float32]:
    """The four nearest pixels weighted by distance, however much the image shrinks."""
    import numpy as np

    pixels = np.asarray(image)
    rows, row_share = _neighbours(image.height, height)
    columns, column_share = _neighbours(image.width, width)
    corners = pixels.take(rows, axis=0).take(columns, axis=1).astype(np.float32)
    left, right = corners[:, :width], corners[:, width:]
    blend = _between(left, right, column_share[None, :, None])
    return _between(blend[:height], blend[height:], row_share[:, None, None])


def _between(start: Any, end: Any, share: Any) -> NDArray[np.float32]:
    """start + (end - start) * share, reusing memory."""
    difference = end - start
    difference *= share
    difference += start
    blended: NDArray[np.float32] = difference
    return blended


@lru_cache(maxsize=256)
def _neighbours(source: int, target: int) -> tuple[NDArray[np.intp], NDArray[np.float32]]:
    """For each target pixel its lower and upper source pixel, (2 * target,), and the share of the upper, (target,).

    In float32 like TensorFlow's kernel, so that truncation falls on the same side.
    """
    import numpy as np

    centres = (np.arange(target, dtype=np.float32) + np.float32(0.5)) * np.float32(source / target) - np.float32(0.5)
    below = np.floor(centres)
    lower = np.maximum(below, 0).astype(np.intp)
    upper = np.minimum(np.ceil(centres), source - 1).astype(np.intp)
    return np.concatenate([lower, upper]), centres - below
