"""Pictures of screens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite.data.synthetic.render.drawing import INK, canvas, font
from evalsuite.data.synthetic.screens import Screen, Widget
from evalsuite.data.synthetic.world import COLOURS

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw


def render_screen(screen: Screen) -> Image:
    """RGB picture of the screen's size."""
    picture, draw = canvas(screen.width, screen.height, (248, 248, 250))
    draw.rectangle((0, 0, screen.width, 140), fill=COLOURS[screen.colour])
    draw.text((40, 70), screen.title, font=font(52 * screen.text_scale), fill=(255, 255, 255), anchor="lm")
    for widget in screen.widgets:
        _draw(draw, widget, screen)
    return picture


def _draw(draw: ImageDraw, widget: Widget, screen: Screen) -> None:
    left, top, right, bottom = widget.box
    middle = (top + bottom) / 2
    letters = font(34 * screen.text_scale)
    if widget.kind == "button":
        draw.rounded_rectangle(widget.box, radius=18, fill=COLOURS[screen.colour])
        draw.text(((left + right) / 2, middle), widget.text, font=letters, fill=(255, 255, 255), anchor="mm")
        return
    draw.rectangle(widget.box, fill=(255, 255, 255), outline=(190, 190, 198), width=2)
    draw.text((left + 24, middle), widget.text, font=letters, fill=INK, anchor="lm")
    if widget.kind == "switch":
        draw.ellipse((right - 70, middle - 22, right - 26, middle + 22), fill=COLOURS[screen.colour])
