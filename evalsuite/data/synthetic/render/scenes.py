"""From plain data to pixels. PIL is loaded when the first picture is drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from evalsuite.data.synthetic.clips import Clip
from evalsuite.data.synthetic.render.drawing import Colour, canvas, contrast, font
from evalsuite.data.synthetic.world import BACKGROUNDS, COLOURS, SIGN, Scene, SceneObject

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw


class Drawable(Protocol):
    """Plain data with a size in pixels."""

    @property
    def width(self) -> int: ...
    @property
    def height(self) -> int: ...


def render_scene(scene: Scene, size: int | None = None) -> Image:
    """RGB picture whose longer side has ``size`` pixels; None: as many as the scene states."""
    scale = 1.0 if size is None else size / max(scene.width, scene.height)
    width, height = round(scene.width * scale), round(scene.height * scale)
    picture, draw = canvas(width, height, BACKGROUNDS[scene.background])
    for item in scene.objects:
        _draw_object(draw, item, width, height)
    return picture


def _draw_object(draw: ImageDraw, item: SceneObject, width: int, height: int) -> None:
    """A dark rim and the colour inside; the rim lies within the outline, so that the outline is the true mask."""
    points = [(x * width, y * height) for x, y in item.outline()]
    x, y = item.centre[0] * width, item.centre[1] * height
    colour = COLOURS[item.colour]
    draw.polygon(points, fill=_darker(colour))
    if item.shape == SIGN:
        left, top = points[0]
        right, bottom = points[2]
        rim = max((bottom - top) * 0.05, 1.0)
        draw.rectangle((left + rim, top + rim, right - rim, bottom - rim), fill=colour)
        _draw_centred(
            draw, item.text or "", (x, y), right - left - 4 * rim, (bottom - top) / SIGN_HEIGHT, contrast(colour)
        )
    else:
        draw.polygon([(x + 0.93 * (px - x), y + 0.93 * (py - y)) for px, py in points], fill=colour)


SIGN_HEIGHT = 1.7  # height of a sign in units of its letters' font size


def sign_extent(letters: int, font_size: float) -> tuple[float, float]:
    """Width and height of a sign that holds so many capital letters of this font size, in the unit of the font size.

    >>> sign_extent(5, 0.1)
    (0.45, 0.17)
    """
    return round((0.72 * letters + 0.9) * font_size, 6), round(SIGN_HEIGHT * font_size, 6)


def _draw_centred(
    draw: ImageDraw, text: str, centre: tuple[float, float], room: float, size: float, colour: Colour
) -> None:
    letters = font(size)
    wide = letters.getlength(text)
    if wide > room:
        letters = font(size * room / wide)
    draw.text(centre, text, font=letters, fill=colour, anchor="mm")


def _darker(colour: Colour) -> Colour:
    red, green, blue = colour
    return int(red * 0.62), int(green * 0.62), int(blue * 0.62)


@dataclass(frozen=True, slots=True)
class Rendered:
    """A Visual that keeps the plain data and draws it when ``frames`` is called.

    draw: gives an RGB picture of the content's size.
    """

    content: Drawable
    draw: Callable[[Any], Image] = render_scene

    @property
    def frame_count(self) -> int:
        return 1

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, without drawing."""
        return self.content.width, self.content.height

    def frames(self) -> list[Image]:
        return [self.draw(self.content)]


@dataclass(frozen=True, slots=True)
class RenderedClip:
    """A clip whose frames are drawn one by one, each when asked for."""

    clip: Clip

    @property
    def frame_total(self) -> int:
        return self.clip.frame_total

    @property
    def size(self) -> tuple[int, int]:
        return self.clip.scene.width, self.clip.scene.height

    def frame(self, index: int) -> Image:
        """RGB picture of frame ``index``. Raises IndexError outside 0..frame_total - 1."""
        if not 0 <= index < self.frame_total:
            raise IndexError(f"frame {index} of a clip of {self.frame_total} frames")
        return render_scene(self.clip.at(index))
