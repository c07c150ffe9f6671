"""Pictures that resemble chest X-rays: air is black, bone and fluid are bright."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite.data.synthetic.radiographs import SIDES, Radiograph
from evalsuite.data.synthetic.render.drawing import canvas

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

_TISSUE, _LUNG, _AIR, _RIB, _FLUID, _BONE, _METAL = 120, 42, 14, 66, 168, 190, 245


def render_radiograph(image: Radiograph) -> Image:
    """RGB picture of the radiograph's size, in shades of gray, slightly blurred."""
    from PIL import ImageFilter

    picture, draw = canvas(image.width, image.height, (8, 8, 8))
    half = image.build / 2
    _ellipse(draw, image, 0.5 - half, 0.1, 0.5 + half, 1.4, _TISSUE)
    for side in SIDES:
        _draw_lung(draw, image, side)
    _draw_ribs(draw, image)
    _draw_centre(draw, image)
    soft = picture.filter(ImageFilter.GaussianBlur(max(min(image.width, image.height) / 220, 0.5)))
    if image.pacemaker:
        from PIL import ImageDraw as drawing

        _draw_pacemaker(drawing.Draw(soft), image)
    return soft


def _lung(image: Radiograph, side: str) -> tuple[float, float, float, float]:
    """Box of a lung as shares of the picture; the patient's left lung is on the right."""
    wide = image.build * 0.34
    left = 0.54 if side == "left" else 0.46 - wide
    return left, 0.16, left + wide, 0.86


def _draw_lung(draw: ImageDraw, image: Radiograph, side: str) -> None:
    left, top, right, bottom = _lung(image, side)
    _ellipse(draw, image, left, top, right, bottom, _LUNG)
    middle = (left + right) / 2
    if side in image.pneumothorax:  # free air outside a thin white line
        _ellipse(draw, image, left, top, right, bottom, _AIR)
        left, right = (left, right - 0.06) if side == "left" else (left + 0.06, right)
        _ellipse(draw, image, left, top + 0.1, right, bottom, _BONE)
        _ellipse(draw, image, left + 0.008, top + 0.108, right - 0.008, bottom - 0.008, _LUNG)
    if side in image.consolidation:
        _ellipse(draw, image, middle - 0.1, 0.24, middle + 0.1, 0.46, _FLUID)
    if side in image.nodule:
        _ellipse(draw, image, middle - 0.028, 0.36, middle + 0.028, 0.36 + 0.056, _BONE)
    if side in image.effusion:  # fluid gathers at the bottom, with a curved border
        _ellipse(draw, image, left - 0.02, 0.68, right + 0.02, 0.98, _FLUID)


def _draw_ribs(draw: ImageDraw, image: Radiograph) -> None:
    line = max(round(image.height * 0.012), 1)
    for side in SIDES:
        left, top, right, bottom = _lung(image, side)
        for rib in range(6):
            y = top + 0.06 + rib * (bottom - top) / 7
            box = (left * image.width, y * image.height, right * image.width, (y + 0.16) * image.height)
            draw.arc(box, 190, 350, fill=(_RIB, _RIB, _RIB), width=line)


def _draw_centre(draw: ImageDraw, image: Radiograph) -> None:
    """Spine, heart and the dome below the lungs."""
    draw.rectangle(
        (0.465 * image.width, 0.1 * image.height, 0.535 * image.width, image.height), fill=(_BONE, _BONE, _BONE)
    )
    reach = 0.31 if image.large_heart else 0.17  # towards the patient's left
    _ellipse(draw, image, 0.5 - reach * 0.45, 0.46, 0.5 + reach, 0.82, _BONE)
    for side in SIDES:
        left, _, right, _ = _lung(image, side)
        _ellipse(draw, image, left - 0.04, 0.8, right + 0.04, 1.3, _FLUID)


def _draw_pacemaker(draw: ImageDraw, image: Radiograph) -> None:
    metal, line = (_METAL, _METAL, _METAL), max(round(image.height * 0.006), 1)
    x, y = 0.72 * image.width, 0.22 * image.height
    side = 0.07 * image.height
    draw.rounded_rectangle((x, y, x + side, y + side), radius=side / 4, fill=metal)
    draw.line(
        [(x, y + side / 2), (0.54 * image.width, 0.3 * image.height), (0.53 * image.width, 0.7 * image.height)],
        fill=metal,
        width=line,
        joint="curve",
    )


def _ellipse(
    draw: ImageDraw, image: Radiograph, left: float, top: float, right: float, bottom: float, gray: int
) -> None:
    box = (left * image.width, top * image.height, right * image.width, bottom * image.height)
    draw.ellipse(box, fill=(gray, gray, gray))
