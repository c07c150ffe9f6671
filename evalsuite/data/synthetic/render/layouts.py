"""Pictures of pages with blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite.data.synthetic.layouts import Block, Layout
from evalsuite.data.synthetic.render.drawing import INK, canvas, font

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

_SIZES = {"Title": 34.0, "Section-header": 26.0, "Page-header": 18.0, "Page-footer": 18.0, "Footnote": 17.0}


def render_layout(page: Layout) -> Image:
    """RGB picture of the page's size."""
    picture, draw = canvas(page.width, page.height, (255, 255, 255))
    for block in page.blocks:
        _DRAWERS.get(block.kind, _draw_text)(draw, block, page.text_scale)
    return picture


def _draw_text(draw: ImageDraw, block: Block, scale: float) -> None:
    """Lines that fill the block's width; what does not fit below is left out."""
    left, top, width, height = block.box
    size = _SIZES.get(block.kind, 20.0) * scale
    letters, line, y = font(size), "", top
    for word in [*block.text.split(), ""]:
        longer = f"{line} {word}".strip()
        if word and letters.getlength(longer) <= width:
            line = longer
            continue
        if y + size <= top + height:
            draw.text((left, y), line, font=letters, fill=INK, anchor="la")
        line, y = word, y + 1.25 * size


def _draw_table(draw: ImageDraw, block: Block, scale: float) -> None:
    left, top, width, height = block.box
    for row in range(5):
        y = top + row * height / 4
        draw.line((left, y, left + width, y), fill=INK, width=2)
    for column in range(4):
        x = left + column * width / 3
        draw.line((x, top, x, top + height), fill=INK, width=2)
    for row in range(4):
        for column in range(3):
            place = (left + (column + 0.1) * width / 3, top + (row + 0.5) * height / 4)
            draw.text(place, str(7 * row + 3 * column + 1), font=font(18 * scale), fill=INK, anchor="lm")


def _draw_picture(draw: ImageDraw, block: Block, scale: float) -> None:
    left, top, width, height = block.box
    draw.rectangle((left, top, left + width, top + height), fill=(196, 214, 232), outline=(90, 110, 130), width=3)
    draw.polygon(
        [
            (left + 0.1 * width, top + 0.9 * height),
            (left + 0.4 * width, top + 0.3 * height),
            (left + 0.7 * width, top + 0.9 * height),
        ],
        fill=(110, 140, 100),
    )


_DRAWERS = {"Table": _draw_table, "Picture": _draw_picture}
