"""Scenes of simple things, as plain data: what is where, in which colour and size. No pixels here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.errors import UsageError

Box = tuple[float, float, float, float]  # left, top, width, height as shares of the canvas
Kind = tuple[str, str, str, str | None]  # shape, colour, size, text: an object before it has a place

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (214, 39, 40),
    "green": (44, 150, 60),
    "blue": (40, 90, 200),
    "yellow": (245, 205, 40),
    "orange": (245, 130, 30),
    "purple": (128, 60, 170),
    "pink": (245, 130, 180),
    "brown": (130, 80, 45),
    "black": (30, 30, 30),
    "gray": (120, 120, 125),
}
BACKGROUNDS: dict[str, tuple[int, int, int]] = {
    "white": (252, 252, 252),
    "beige": (245, 238, 220),
    "light gray": (226, 228, 230),
    "light blue": (214, 232, 245),
}
SIZES = {"small": 0.10, "medium": 0.17, "large": 0.27}  # side as a share of the canvas's short side
SIGN = "sign"
MOST_OBJECTS = 24
_STEP_DOWN = {"large": "medium", "medium": "small"}
_GAP = 0.015  # free room around every object, as a share of the short side


def _regular(corners: int, turn: float = 0.0, inner: float = 1.0) -> tuple[tuple[float, float], ...]:
    """Corners of a regular polygon in the unit square; ``inner`` below 1 pulls every second one in: a star."""
    points = []
    for corner in range(corners):
        angle = 2 * math.pi * (corner + turn) / corners - math.pi / 2
        radius = 0.5 * (inner if corner % 2 else 1.0)
        points.append((0.5 + radius * math.cos(angle), 0.5 + radius * math.sin(angle)))
    return tuple(points)


SHAPES: dict[str, tuple[tuple[float, float], ...]] = {
    "circle": _regular(64),
    "square": ((0.06, 0.06), (0.94, 0.06), (0.94, 0.94), (0.06, 0.94)),
    "triangle": ((0.5, 0.04), (0.98, 0.94), (0.02, 0.94)),
    "diamond": ((0.5, 0.0), (0.88, 0.5), (0.5, 1.0), (0.12, 0.5)),
    "pentagon": _regular(5),
    "hexagon": _regular(6, turn=0.5),
    "star": _regular(10, inner=0.42),
    "cross": tuple(
        (x / 3, y / 3)
        for x, y in [(1, 0), (2, 0), (2, 1), (3, 1), (3, 2), (2, 2), (2, 3), (1, 3), (1, 2), (0, 2), (0, 1), (1, 1)]
    ),
}
_SIGN_OUTLINE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0))


@dataclass(frozen=True, slots=True)
class SceneObject:
    """shape: a key of SHAPES, or SIGN with ``text``; colour: of COLOURS; size: of SIZES; place: see Box."""

    shape: str
    colour: str
    size: str
    place: Box
    text: str | None = None

    @property
    def centre(self) -> tuple[float, float]:
        x, y, width, height = self.place
        return x + width / 2, y + height / 2

    @property
    def name(self) -> str:
        return f"{self.colour} {self.shape}"

    def outline(self) -> list[tuple[float, float]]:
        """Corners of the drawn polygon as shares of the canvas."""
        x, y, width, height = self.place
        unit = _SIGN_OUTLINE if self.shape == SIGN else SHAPES[self.shape]
        return [(x + width * px, y + height * py) for px, py in unit]


@dataclass(frozen=True, slots=True)
class Scene:
    """Objects in drawing order on a plain background; width and height in pixels."""

    objects: tuple[SceneObject, ...]
    background: str
    width: int = 1024
    height: int = 1024

    def polygon(self, item: SceneObject) -> list[tuple[float, float]]:
        """Corners of the drawn polygon in pixels."""
        return [(x * self.width, y * self.height) for x, y in item.outline()]

    def pixel_box(self, item: SceneObject) -> tuple[float, float, float, float]:
        """Left, top, width and height of the drawn polygon in pixels."""
        xs, ys = zip(*self.polygon(item), strict=True)
        return min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def make_scene(
    rng: SeededRandom,
    count: int,
    width: int = 1024,
    height: int = 1024,
    repeated: bool = False,
    clutter: float = 0.0,
) -> Scene:
    """A scene of ``count`` shapes.

    repeated: several objects share colour and shape; otherwise each pair occurs once.
    clutter: share of an object that another may cover; 0 keeps a gap between all objects.
    """
    pairs = [(shape, colour) for shape in SHAPES for colour in COLOURS]
    if repeated:
        few_shapes, few_colours = rng.sample(list(SHAPES), 3), rng.sample(list(COLOURS), 3)
        drawn = [(rng.choice(few_shapes), rng.choice(few_colours)) for _ in range(count)]
    else:
        drawn = rng.sample(pairs, count)
    kinds: list[Kind] = [(shape, colour, rng.choice(list(SIZES)), None) for shape, colour in drawn]
    return arrange(rng, kinds, _square_side, width, height, clutter)


def _square_side(size: str, text: str | None) -> tuple[float, float]:
    return SIZES[size], SIZES[size]


def arrange(
    rng: SeededRandom,
    kinds: Sequence[Kind],
    extent: Callable[[str, str | None], tuple[float, float]],
    width: int = 1024,
    height: int = 1024,
    clutter: float = 0.0,
) -> Scene:
    """Give every kind a place. ``extent`` maps size and text to width and height as shares of the short side.

    When they do not fit, the first of the biggest size becomes one size smaller. Raises UsageError when even small
    objects do not fit.
    """
    short = min(width, height)
    across, down = width / short, height / short
    kinds = list(kinds)
    while True:
        extents = [extent(size, text) for _, _, size, text in kinds]
        crowded = sum((w + 2 * _GAP) * (h + 2 * _GAP) for w, h in extents) > 0.45 * across * down
        spots = None if crowded else _place(rng, extents, across, down, clutter)
        if spots is not None:
            break
        biggest = next((size for size in ("large", "medium") if any(kind[2] == size for kind in kinds)), None)
        if biggest is None:
            raise UsageError(
                f"{len(kinds)} objects do not fit into a {width}x{height} scene: lower max_objects or text_scale"
            )
        position = next(i for i, kind in enumerate(kinds) if kind[2] == biggest)
        shape, colour, size, text = kinds[position]
        kinds[position] = (shape, colour, _STEP_DOWN[size], text)
    objects = tuple(
        SceneObject(shape, colour, size, (x / across, y / down, w / across, h / down), text)
        for (shape, colour, size, text), (x, y, w, h) in zip(kinds, spots, strict=True)
    )
    return Scene(objects, rng.choice(list(BACKGROUNDS)), width, height)


def _place(
    rng: SeededRandom, extents: Sequence[tuple[float, float]], across: float, down: float, clutter: float
) -> list[Box] | None:
    """Free places in an across x down canvas, biggest object first; None when 30 attempts found none."""
    order = sorted(range(len(extents)), key=lambda i: -extents[i][0] * extents[i][1])
    for _ in range(30):
        spots: dict[int, Box] = {}
        for index in order:
            spot = _free_spot(rng, extents[index], list(spots.values()), across, down, clutter)
            if spot is None:
                break
            spots[index] = spot
        else:
            return [spots[index] for index in range(len(extents))]
    return None


def _free_spot(
    rng: SeededRandom, extent: tuple[float, float], taken: Sequence[Box], across: float, down: float, clutter: float
) -> Box | None:
    scale = rng.uniform(0.92, 1.0)
    w, h = extent[0] * scale, extent[1] * scale
    if w + 2 * _GAP > across or h + 2 * _GAP > down:
        return None
    for _ in range(60):
        spot = (rng.uniform(_GAP, across - w - _GAP), rng.uniform(_GAP, down - h - _GAP), w, h)
        if all(_covered(spot, other, _GAP if clutter == 0 else 0.0) <= clutter for other in taken):
            return spot
    return None


def _covered(one: Box, other: Box, gap: float) -> float:
    """Share of the smaller box that lies in the other, which is widened by ``gap``."""
    wide = min(one[0] + one[2], other[0] + other[2] + gap) - max(one[0], other[0] - gap)
    high = min(one[1] + one[3], other[1] + other[3] + gap) - max(one[1], other[1] - gap)
    return max(wide, 0.0) * max(high, 0.0) / min(one[2] * one[3], other[2] * other[3])


# -- relations: True or False where everybody would agree, None where it can be argued ---------------------------------


def left_of(scene: Scene, one: SceneObject, other: SceneObject) -> bool | None:
    return _before(one.place[0], one.place[2], other.place[0], other.place[2])


def above(scene: Scene, one: SceneObject, other: SceneObject) -> bool | None:
    return _before(one.place[1], one.place[3], other.place[1], other.place[3])


def near(scene: Scene, one: SceneObject, other: SceneObject) -> bool | None:
    distance = _distance(scene, one, other)
    return True if distance < 0.08 else False if distance > 0.3 else None


def far(scene: Scene, one: SceneObject, other: SceneObject) -> bool | None:
    distance = _distance(scene, one, other)
    return True if distance > 0.4 else False if distance < 0.15 else None


def right_of(scene: Scene, one: SceneObject, other: SceneObject) -> bool | None:
    return left_of(scene, other, one)


def below(scene: Scene, one: SceneObject, other: SceneObject) -> bool | None:
    return above(scene, other, one)


def _before(start: float, length: float, other_start: float, other_length: float) -> bool | None:
    """Ends before the other begins: True. Its middle is not before the other's: False. Between: None."""
    if start + length <= other_start:
        return True
    return False if start + length / 2 >= other_start + other_length / 2 else None


def _distance(scene: Scene, one: SceneObject, other: SceneObject) -> float:
    """Free room between two boxes as a share of the short side."""
    short = min(scene.width, scene.height)
    dx = max(one.place[0] - other.place[0] - other.place[2], other.place[0] - one.place[0] - one.place[2], 0.0)
    dy = max(one.place[1] - other.place[1] - other.place[3], other.place[1] - one.place[1] - one.place[3], 0.0)
    return math.hypot(dx * scene.width, dy * scene.height) / short


RELATIONS: dict[str, Callable[[Scene, SceneObject, SceneObject], bool | None]] = {
    "left of": left_of,
    "at the left side of": left_of,
    "right of": right_of,
    "at the right side of": right_of,
    "above": above,
    "below": below,
    "under": below,
    "next to": near,
    "near": near,
    "far away from": far,
}
