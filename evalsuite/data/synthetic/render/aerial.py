"""Pictures of land seen from above."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite.data.synthetic.aerial import BUILDING, FIELD, FOREST, ROAD, WATER, Patch, Tile
from evalsuite.data.synthetic.render.drawing import Colour, canvas

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

GRASS: Colour = (134, 160, 96)
SHADES: dict[str, tuple[Colour, ...]] = {
    ROAD: ((150, 150, 152),),
    BUILDING: ((178, 84, 66), (206, 202, 198), (120, 108, 104), (160, 120, 96)),
    WATER: ((46, 86, 136), (52, 94, 140), (42, 80, 126), (56, 98, 150)),
    FIELD: ((206, 186, 116), (186, 164, 92), (218, 204, 142), (168, 146, 88)),
    FOREST: ((40, 78, 44), (46, 86, 48), (36, 70, 42), (50, 90, 52)),
}


def render_tile(tile: Tile) -> Image:
    """RGB picture of the tile's size."""
    picture, draw = canvas(tile.width, tile.height, GRASS)
    for patch in tile.patches:
        x, y, width, height = patch.place
        # Pillow draws the last pixel too.
        box = (x * tile.width, y * tile.height, (x + width) * tile.width - 1, (y + height) * tile.height - 1)
        _draw_patch(draw, patch, box)
    return picture


def _draw_patch(draw: ImageDraw, patch: Patch, box: tuple[float, float, float, float]) -> None:
    shades = SHADES[patch.kind]
    colour = shades[patch.shade % len(shades)]
    left, top, right, bottom = box
    if patch.kind == BUILDING:  # light falls from the top left
        shadow = max((right - left) * 0.12, 1.0)
        draw.rectangle((left + shadow, top + shadow, right + shadow, bottom + shadow), fill=(60, 66, 54))
    if patch.kind == WATER:
        draw.ellipse(box, fill=colour)
        return
    draw.rectangle(box, fill=colour)
    if patch.kind == FIELD:  # furrows
        step = (bottom - top) / 6
        for row in range(1, 6):
            draw.line((left, top + row * step, right, top + row * step), fill=_darker(colour))
    if patch.kind == FOREST:  # crowns
        radius = (right - left) / 12
        for place in range(25):
            x = left + (place % 5 + 0.7) * (right - left) / 5.4
            y = top + (place // 5 + 0.7) * (bottom - top) / 5.4
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_darker(colour))


def _darker(colour: Colour) -> Colour:
    red, green, blue = colour
    return red * 4 // 5, green * 4 // 5, blue * 4 // 5
