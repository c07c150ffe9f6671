"""Plain portraits, as plain data. How a figure looks has nothing to do with any label of a person."""

from __future__ import annotations

from dataclasses import dataclass

from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.world import BACKGROUNDS, COLOURS

SKINS = ("green", "blue", "purple")  # colours that no person has
SHIRTS = tuple(name for name in COLOURS if name not in SKINS)


@dataclass(frozen=True, slots=True)
class Avatar:
    """A bald, round-headed figure. skin: one of SKINS; shirt: one of SHIRTS; head: its width as a share of the side."""

    skin: str
    shirt: str
    background: str
    head: float
    smiling: bool
    glasses: bool
    hat: bool
    width: int
    height: int


def make_avatar(rng: SeededRandom, width: int, height: int) -> Avatar:
    return Avatar(
        rng.choice(SKINS),
        rng.choice(SHIRTS),
        rng.choice(list(BACKGROUNDS)),
        rng.uniform(0.34, 0.46),
        rng.chance(0.6),
        rng.chance(0.35),
        rng.chance(0.35),
        width,
        height,
    )
