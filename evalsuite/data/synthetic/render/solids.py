"""Pictures of things built of simple solids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite.data.synthetic.render.drawing import Colour, canvas
from evalsuite.data.synthetic.solids import Point, Solid, View, seen
from evalsuite.data.synthetic.world import COLOURS

if TYPE_CHECKING:
    from PIL.Image import Image

_BACKGROUND: Colour = (236, 238, 240)
_LIGHT: Point = (-0.37, 0.74, 0.56)  # from the top left, before the thing; length 1


def render_view(view: View) -> Image:
    """RGB picture of the view's size: part after part, the faces towards the viewer, shaded by their slope."""
    picture, draw = canvas(view.width, view.height, _BACKGROUND)
    scale = 0.42 * min(view.width, view.height)
    for part in _drawing_order(view):
        colour = COLOURS[view.thing.palette[part.colour]]
        for face in part.faces():
            corners = [seen(point, view.azimuth) for point in face]
            normal = _normal(corners)
            if normal[2] > 0:
                outline = [(view.width / 2 + x * scale, view.height / 2 - y * scale) for x, y, _ in corners]
                draw.polygon(outline, fill=_lit(colour, normal))
    return picture


def _drawing_order(view: View) -> list[Solid]:
    """Parts that may hide others come after them: upper ones, as the viewer looks down, then near ones."""
    left, order = list(view.thing.parts), []
    while left:
        lowest = [part for part in left if not any(part.is_above(other) for other in left)]
        order.append(min(lowest, key=lambda part: seen((part.centre[0], 0.0, part.centre[2]), view.azimuth)[2]))
        left.remove(order[-1])
    return order


def _normal(corners: list[Point]) -> Point:
    """Unit vector that points out of the face; of length 0 for a face without area."""
    x = y = z = 0.0
    for (x1, y1, z1), (x2, y2, z2) in zip(corners, corners[1:] + corners[:1], strict=True):  # Newell's sum
        x += (y1 - y2) * (z1 + z2)
        y += (z1 - z2) * (x1 + x2)
        z += (x1 - x2) * (y1 + y2)
    length = (x * x + y * y + z * z) ** 0.5 or 1.0
    return x / length, y / length, z / length


def _lit(colour: Colour, normal: Point) -> Colour:
    towards = sum(one * other for one, other in zip(normal, _LIGHT, strict=True))
    brightness = 0.55 + 0.45 * max(towards, 0.0)
    red, green, blue = ((40 + 215 * value / 255) * brightness for value in colour)  # black too shows its faces
    return int(red), int(green), int(blue)
