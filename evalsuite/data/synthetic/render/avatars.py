"""Pictures of plain portraits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite.data.synthetic.avatars import Avatar
from evalsuite.data.synthetic.render.drawing import INK, canvas, contrast
from evalsuite.data.synthetic.world import BACKGROUNDS, COLOURS

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw


def render_avatar(avatar: Avatar) -> Image:
    """RGB picture of the avatar's size: shoulders, head, face."""
    picture, draw = canvas(avatar.width, avatar.height, BACKGROUNDS[avatar.background])
    side = min(avatar.width, avatar.height)
    x, y, radius = avatar.width / 2, avatar.height * 0.42, avatar.head * side / 2
    draw.ellipse((x - 1.9 * radius, y + 1.25 * radius, x + 1.9 * radius, y + 5 * radius), fill=COLOURS[avatar.shirt])
    draw.ellipse((x - radius, y - 1.2 * radius, x + radius, y + 1.3 * radius), fill=COLOURS[avatar.skin])
    _draw_face(draw, avatar, x, y, radius)
    if avatar.hat:
        draw.rectangle((x - 1.2 * radius, y - 0.95 * radius, x + 1.2 * radius, y - 0.8 * radius), fill=INK)
        draw.rectangle((x - 0.8 * radius, y - 1.6 * radius, x + 0.8 * radius, y - 0.8 * radius), fill=INK)
    return picture


def _draw_face(draw: ImageDraw, avatar: Avatar, x: float, y: float, radius: float) -> None:
    ink, line = contrast(COLOURS[avatar.skin]), max(round(radius / 14), 1)
    for side in (-1, 1):
        eye, dot = x + side * 0.4 * radius, radius / 10
        draw.ellipse((eye - dot, y - 0.2 * radius - dot, eye + dot, y - 0.2 * radius + dot), fill=ink)
        if avatar.glasses:
            rim = 0.3 * radius
            draw.ellipse(
                (eye - rim, y - 0.2 * radius - rim, eye + rim, y - 0.2 * radius + rim), outline=ink, width=line
            )
    if avatar.smiling:
        draw.arc((x - radius / 2, y, x + radius / 2, y + 0.9 * radius), 25, 155, fill=ink, width=line)
    else:
        draw.line((x - 0.35 * radius, y + 0.65 * radius, x + 0.35 * radius, y + 0.65 * radius), fill=ink, width=line)
