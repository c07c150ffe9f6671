"""Things of everyday life, built of simple solids and looked at from all around, as plain data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.world import COLOURS

Point = tuple[float, float, float]  # right, up, towards the viewer
ELEVATION = math.radians(24)  # how far the viewer looks down
ROUND = 20  # sides of what should look round


@dataclass(frozen=True, slots=True)
class Solid:
    """A prism that stands upright.

    sides: 4 for a box, ROUND for a cylinder. centre and size: of the box around it. taper: size of the top as a share
    of the bottom; 0 makes a pyramid or a cone. colour: place in the thing's palette.
    """

    sides: int
    centre: Point
    size: Point
    taper: float = 1.0
    colour: int = 0

    def is_above(self, other: Solid) -> bool:
        return self.centre[1] - self.size[1] / 2 >= other.centre[1] + other.size[1] / 2 - 1e-6

    def faces(self) -> Iterator[tuple[Point, ...]]:
        """Corners of every face, counter-clockwise when seen from outside."""
        x, y, z = self.centre
        low, high = y - self.size[1] / 2, y + self.size[1] / 2
        ring = list(_ring(self.sides, self.size[0] / 2, self.size[2] / 2))
        bottom = [(x + px, low, z + pz) for px, pz in ring]
        top = [(x + px * self.taper, high, z + pz * self.taper) for px, pz in ring]
        for here in range(self.sides):
            there = (here + 1) % self.sides
            yield bottom[here], bottom[there], top[there], top[here]
        yield tuple(reversed(bottom))
        if self.taper:
            yield tuple(top)


def _ring(sides: int, wide: float, deep: float) -> Iterator[tuple[float, float]]:
    """Corners around the upright axis, counter-clockwise when seen from above, as (right, towards the viewer)."""
    if sides == 4:
        yield from ((-wide, deep), (wide, deep), (wide, -deep), (-wide, -deep))
        return
    for corner in range(sides):
        angle = -2 * math.pi * corner / sides
        yield wide * math.cos(angle), deep * math.sin(angle)


def _box(centre: Point, size: Point, colour: int = 0, taper: float = 1.0) -> Solid:
    return Solid(4, centre, size, taper, colour)


def _round(centre: Point, size: Point, colour: int = 0, taper: float = 1.0) -> Solid:
    return Solid(ROUND, centre, size, taper, colour)


def _legs(top: float, wide: float, deep: float, thick: float) -> tuple[Solid, ...]:
    height = top + 0.6
    places = [(sx * wide, sz * deep) for sx in (-1, 1) for sz in (-1, 1)]
    return tuple(_box((x, top - height / 2, z), (thick, height, thick), 1) for x, z in places)


CATEGORIES: dict[str, tuple[Solid, ...]] = {
    "table": (*_legs(0.15, 0.6, 0.38, 0.1), _box((0, 0.2, 0), (1.4, 0.1, 0.95))),
    "chair": (
        *_legs(-0.05, 0.3, 0.3, 0.09),
        _box((0, 0, 0), (0.75, 0.1, 0.75)),
        _box((0, 0.4, -0.33), (0.75, 0.7, 0.09)),
    ),
    "house": (_box((0, -0.2, 0), (1.0, 0.7, 0.8)), _box((0, 0.4, 0), (1.2, 0.5, 1.0), 1, taper=0.0)),
    "tree": (_round((0, -0.4, 0), (0.2, 0.5, 0.2), 1), _round((0, 0.3, 0), (0.9, 0.95, 0.9), taper=0.0)),
    "rocket": (
        *(_box((side * 0.32, -0.4, 0), (0.24, 0.3, 0.08), 1) for side in (-1, 1)),
        *(_box((0, -0.4, side * 0.32), (0.08, 0.3, 0.24), 1) for side in (-1, 1)),
        _round((0, -0.1, 0), (0.42, 0.9, 0.42)),
        _round((0, 0.55, 0), (0.42, 0.4, 0.42), 1, taper=0.0),
    ),
    "lamp": (
        _round((0, -0.6, 0), (0.6, 0.08, 0.6), 1),
        _round((0, -0.2, 0), (0.07, 0.75, 0.07), 1),
        _round((0, 0.4, 0), (0.85, 0.5, 0.85), taper=0.55),
    ),
    "stairs": tuple(
        _box((-0.48 + 0.32 * step, -0.5 + 0.12 * (step + 1), 0), (0.32, 0.24 * (step + 1), 0.7), step % 2)
        for step in range(4)
    ),
    "mushroom": (_round((0, -0.25, 0), (0.3, 0.6, 0.3), 1), _round((0, 0.25, 0), (1.0, 0.45, 1.0), taper=0.25)),
    "bed": (
        _box((0, -0.35, 0), (0.9, 0.3, 1.3)),
        _box((0, -0.12, -0.45), (0.6, 0.12, 0.3), 1),
        _box((0, -0.1, -0.69), (0.9, 0.8, 0.08), 1),
    ),
    "cake": tuple(
        _round((0, -0.45 + 0.3 * layer, 0), (1.1 - 0.35 * layer, 0.3, 1.1 - 0.35 * layer), layer % 2)
        for layer in range(3)
    ),
    "hammer": (_box((0, -0.15, 0), (0.14, 0.95, 0.14), 1), _box((0, 0.42, 0), (0.8, 0.24, 0.26))),
    "bridge": (
        _box((-0.55, -0.27, 0), (0.18, 0.5, 0.4), 1),
        _box((0.55, -0.27, 0), (0.18, 0.5, 0.4), 1),
        _box((0, 0.05, 0), (1.5, 0.12, 0.5)),
    ),
}
"""Name of a thing -> its parts, within about 0.8 of the origin."""


@dataclass(frozen=True, slots=True)
class Thing:
    """A thing with its own proportions and colours (keys of COLOURS)."""

    category: str
    parts: tuple[Solid, ...]
    palette: tuple[str, str]


@dataclass(frozen=True, slots=True)
class View:
    """A thing as seen from one side. azimuth: degrees around the upright axis."""

    thing: Thing
    azimuth: float
    width: int
    height: int


def make_thing(rng: SeededRandom) -> Thing:
    category = rng.choice(list(CATEGORIES))
    stretch = (rng.uniform(0.8, 1.2), rng.uniform(0.8, 1.1), rng.uniform(0.8, 1.2))
    parts = tuple(
        Solid(part.sides, _scaled(part.centre, stretch), _scaled(part.size, stretch), part.taper, part.colour)
        for part in CATEGORIES[category]
    )
    first, second = rng.sample(list(COLOURS), 2)
    return Thing(category, parts, (first, second))


def _scaled(point: Point, stretch: Point) -> Point:
    return point[0] * stretch[0], point[1] * stretch[1], point[2] * stretch[2]


def seen(point: Point, azimuth: float) -> Point:
    """The point in the viewer's own axes: right, up, towards the viewer. azimuth in degrees."""
    x, y, z = point
    turn = math.radians(azimuth)
    x, z = x * math.cos(turn) + z * math.sin(turn), z * math.cos(turn) - x * math.sin(turn)
    return x, y * math.cos(ELEVATION) - z * math.sin(ELEVATION), y * math.sin(ELEVATION) + z * math.cos(ELEVATION)
