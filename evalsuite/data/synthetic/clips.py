"""Moving scenes, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, replace

from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.world import BACKGROUNDS, COLOURS, SHAPES, SIZES, Scene, SceneObject


@dataclass(frozen=True, slots=True)
class Clip:
    """A scene whose objects move along straight paths; ``travel`` holds for each object the whole way (dx, dy)."""

    scene: Scene
    travel: tuple[tuple[float, float], ...]
    frame_total: int

    def at(self, frame: int) -> Scene:
        """The scene at one frame, from 0 to frame_total - 1."""
        share = frame / max(self.frame_total - 1, 1)
        moved = tuple(
            replace(item, place=(item.place[0] + share * dx, item.place[1] + share * dy, *item.place[2:]))
            for item, (dx, dy) in zip(self.scene.objects, self.travel, strict=True)
        )
        return replace(self.scene, objects=moved)


def direction(travel: tuple[float, float]) -> str | None:
    """left, right, up or down; None for an object that stands still."""
    dx, dy = travel
    if dx:
        return "right" if dx > 0 else "left"
    return ("down" if dy > 0 else "up") if dy else None


def make_clip(rng: SeededRandom, count: int, frame_total: int, width: int = 512, height: int = 512) -> Clip:
    """``count`` different objects, each in a lane of its own so that nothing is ever hidden; at least one moves."""
    sideways = rng.chance(0.5)
    moving = rng.shuffled([True] + [rng.chance(0.4) for _ in range(count - 1)])
    pairs = rng.sample([(shape, colour) for shape in SHAPES for colour in COLOURS], count)
    short, lane = min(width, height), 1.0 / count
    objects, travel = [], []
    for index, (shape, colour) in enumerate(pairs):
        size = rng.choice(["small", "medium"])
        w, h = SIZES[size] * short / width, SIZES[size] * short / height
        along, across = (w, h) if sideways else (h, w)
        cross_place = index * lane + rng.uniform(0.1, 0.9) * (lane - across)
        start = rng.uniform(0.02, 0.98 - along)
        way = 0.0
        if moving[index]:
            low, high = rng.uniform(0.02, 0.12), rng.uniform(0.86, 0.98) - along
            start, way = (low, high - low) if rng.chance(0.5) else (high, low - high)
        place = (start, cross_place, w, h) if sideways else (cross_place, start, w, h)
        objects.append(SceneObject(shape, colour, size, place))
        travel.append((way, 0.0) if sideways else (0.0, way))
    return Clip(Scene(tuple(objects), rng.choice(list(BACKGROUNDS)), width, height), tuple(travel), frame_total)
