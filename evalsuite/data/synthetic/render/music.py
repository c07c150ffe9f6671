"""Pictures of two staves: lines, clefs as letters, note heads with stems and flags, bar lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite.data.synthetic.music import Note, Score
from evalsuite.data.synthetic.render.drawing import INK, canvas, font

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

GAP = 14.0  # between two lines of a staff
_RIGHT_TOP, _LEFT_TOP = 60.0, 190.0
_RIGHT_BOTTOM_STEP, _LEFT_BOTTOM_STEP = 2, -10  # E4 and G2, on the lowest lines


def render_score(score: Score) -> Image:
    """RGB picture of the score's size."""
    picture, draw = canvas(score.width, score.height, (255, 255, 255))
    for top, clef in ((_RIGHT_TOP, "G"), (_LEFT_TOP, "F")):
        for line in range(5):
            y = top + line * GAP
            draw.line((20, y, score.width - 20, y), fill=INK, width=2)
        draw.text((34, top + 2 * GAP), clef, font=font(52), fill=INK, anchor="mm")
        draw.text((74, top + GAP), "4", font=font(30), fill=INK, anchor="mm")
        draw.text((74, top + 3 * GAP), "4", font=font(30), fill=INK, anchor="mm")
    room = (score.width - 130) / len(score.measures)
    for number, measure in enumerate(score.measures):
        left = 100 + number * room
        draw.line((left, _RIGHT_TOP, left, _LEFT_TOP + 4 * GAP), fill=INK, width=2)
        for place, (low, high) in enumerate(measure):
            x = left + (place + 0.7) * room / (len(measure) + 0.4)
            _draw_note(draw, high, x, _RIGHT_TOP + 4 * GAP - (high.step - _RIGHT_BOTTOM_STEP) * GAP / 2)
            _draw_note(draw, low, x, _LEFT_TOP + 4 * GAP - (low.step - _LEFT_BOTTOM_STEP) * GAP / 2)
    draw.line((score.width - 26, _RIGHT_TOP, score.width - 26, _LEFT_TOP + 4 * GAP), fill=INK, width=6)
    return picture


def _draw_note(draw: ImageDraw, note: Note, x: float, y: float) -> None:
    head = (x - 9, y - 6.5, x + 9, y + 6.5)
    if note.length >= 4:
        draw.ellipse(head, fill=INK)
    else:
        draw.ellipse(head, outline=INK, width=3)
    if note.length > 1:
        draw.line((x + 8, y, x + 8, y - 44), fill=INK, width=3)
    if note.length == 8:
        draw.line((x + 8, y - 44, x + 20, y - 28), fill=INK, width=4)
