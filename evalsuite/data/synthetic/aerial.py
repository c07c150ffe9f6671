"""Tiles of land seen from above, as plain data, and questions about what lies on them."""

from __future__ import annotations

import math
from dataclasses import dataclass

from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.wording.language import plural
from evalsuite.data.synthetic.world import Box

BLOCKS = 6
"""Blocks along a side of the tile; roads run between them."""

ROAD, BUILDING, WATER, FIELD, FOREST = "road", "building", "water area", "farmland", "forest"
THINGS = (ROAD, BUILDING, WATER, FIELD, FOREST)
PLURALS = {thing: plural(thing) for thing in THINGS} | {FIELD: "farmlands"}
RURAL, URBAN = "rural", "urban"
ROAD_WIDTH = 0.02  # share of the side


@dataclass(frozen=True, slots=True)
class Patch:
    """Something on the ground. place: left, top, width, height as shares of the tile; shade: 0 to 3."""

    kind: str
    place: Box
    shade: int


@dataclass(frozen=True, slots=True)
class Tile:
    """patches in drawing order, on grass; metres: length of a side."""

    surroundings: str
    patches: tuple[Patch, ...]
    metres: float
    width: int
    height: int

    def count(self, thing: str) -> int:
        return sum(patch.kind == thing for patch in self.patches)

    def square_metres(self, thing: str) -> int:
        """Ground that things of this kind cover, rounded to whole square metres. Water is drawn as an ellipse."""
        sides = [patch.place[2:] for patch in self.patches if patch.kind == thing]
        covered = sum(width * height for width, height in sides) * (math.pi / 4 if thing == WATER else 1)
        if thing == ROAD:  # crossings count once
            across = sum(height < 1 for _, height in sides)
            covered -= across * (len(sides) - across) * ROAD_WIDTH**2
        return round(covered * self.metres**2)


def make_tile(rng: SeededRandom, metres: float, width: int, height: int) -> Tile:
    """Town or country: in a town at least one half of the blocks have houses, in the country at most two."""
    urban = rng.chance(0.5)
    blocks = rng.shuffled([(row, column) for row in range(BLOCKS) for column in range(BLOCKS)])
    built = rng.integer(BLOCKS * BLOCKS // 2, BLOCKS * BLOCKS - 6) if urban else rng.integer(0, 2)
    patches: list[Patch] = []
    water: list[tuple[int, int]] = []
    wanted = [kind for kind in (WATER, FIELD, FOREST) if rng.chance(0.6)]
    for row, column in blocks[built:]:
        kind = rng.choice([*wanted, ""])
        if kind == WATER and any(abs(row - r) <= 1 and abs(column - c) <= 1 for r, c in water):
            continue  # two that touch would look like one
        if kind == WATER:
            water.append((row, column))
        if kind:
            patches.append(Patch(kind, _block(row, column, 0.008), rng.integer(0, 3)))
    for row, column in blocks[:built]:
        patches += _buildings(rng, row, column)
    patches += _roads(rng, rng.integer(2, 5) if urban else rng.integer(0, 2))
    return Tile(URBAN if urban else RURAL, tuple(patches), metres, width, height)


def _block(row: int, column: int, margin: float) -> Box:
    """The ground of a block that no road takes."""
    free, side = ROAD_WIDTH / 2 + margin, 1 / BLOCKS
    return column * side + free, row * side + free, side - 2 * free, side - 2 * free


def _buildings(rng: SeededRandom, row: int, column: int) -> list[Patch]:
    """One to four buildings, each in its own quarter of the block."""
    left, top, wide, high = _block(row, column, 0.008)
    found = []
    for quarter in rng.sample(range(4), rng.integer(1, 4)):
        w, h = wide * rng.uniform(0.25, 0.42), high * rng.uniform(0.25, 0.42)
        x, y = left + wide * (quarter % 2) / 2, top + high * (quarter // 2) / 2
        place = (x + rng.uniform(0, wide * 0.45 - w), y + rng.uniform(0, high * 0.45 - h), w, h)
        found.append(Patch(BUILDING, place, rng.integer(0, 3)))
    return found


def _roads(rng: SeededRandom, count: int) -> list[Patch]:
    """Straight roads between blocks, from border to border."""
    lines = [(across, line) for across in (True, False) for line in range(1, BLOCKS)]
    roads = []
    for across, line in rng.sample(lines, count):
        start = line / BLOCKS - ROAD_WIDTH / 2
        roads.append(Patch(ROAD, (0.0, start, 1.0, ROAD_WIDTH) if across else (start, 0.0, ROAD_WIDTH, 1.0), 0))
    return roads


def tile_question(rng: SeededRandom, tile: Tile, kind: str) -> tuple[str, str]:
    """Question and answer of one of RSVQA's types: presence, comp, count, rural_urban, area."""
    one, other = rng.sample(THINGS, 2)
    if kind == "presence":
        present = rng.chance(0.5)  # both answers as often, where the tile has things of both sorts
        one = rng.choice([thing for thing in THINGS if (tile.count(thing) > 0) is present] or list(THINGS))
        text = rng.choice((f"Is there a {one}?", f"Is a {one} present?", f"Is a {one} in the image?"))
        return text, _yes(tile.count(one) > 0)
    if kind == "comp":
        return rng.choice(
            [
                (f"Are there more {PLURALS[one]} than {PLURALS[other]}?", _yes(tile.count(one) > tile.count(other))),
                (f"Are there less {PLURALS[one]} than {PLURALS[other]}?", _yes(tile.count(one) < tile.count(other))),
                (
                    f"Is the number of {PLURALS[one]} equal to the number of {PLURALS[other]}?",
                    _yes(tile.count(one) == tile.count(other)),
                ),
            ]
        )
    if kind == "count":
        return f"What is the number of {PLURALS[one]}?", str(tile.count(one))
    if kind == "area":
        return f"What is the area covered by {PLURALS[one]}?", f"{tile.square_metres(one)}m2"
    return "Is it a rural or an urban area?", tile.surroundings


def _yes(truth: bool) -> str:
    return "yes" if truth else "no"
