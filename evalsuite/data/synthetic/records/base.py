"""What a generator of records is, and the parameters that several share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.world import MOST_OBJECTS, Scene, make_scene
from evalsuite.errors import UnknownName, UsageError

Parameter = int | float | str | bool
Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Knob:
    """A parameter of a generator: its default and, for numbers, the smallest and largest value."""

    default: Parameter
    low: float = 0
    high: float = 1


@dataclass(frozen=True, slots=True)
class Generator:
    """``make`` with its parameters. Calling it gives a record; ``complete`` checks parameters without making one.

    Besides its parameters ``make`` finds the name of the split under ``split``, for data with a language in each split.
    """

    name: str
    make: Callable[[SeededRandom, int, Parameters], dict[str, Any]]
    knobs: Mapping[str, Knob]

    def __call__(self, rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
        return self.make(rng, index, self.complete(parameters))

    def complete(self, parameters: Parameters) -> dict[str, Parameter]:
        """All parameters with defaults filled in. Raises UnknownName or UsageError for one that does not fit."""
        complete: dict[str, Parameter] = {name: knob.default for name, knob in self.knobs.items()}
        for name, value in parameters.items():
            if name not in self.knobs:
                raise UnknownName("parameter", name, self.knobs, where=f"synthetic generator {self.name}")
            complete[name] = self._checked(name, value)
        return complete

    def _checked(self, name: str, value: Any) -> Parameter:
        knob = self.knobs[name]
        where = f"synthetic generator {self.name}: parameter {name!r}"
        if isinstance(knob.default, bool):
            if not isinstance(value, bool):
                raise UsageError(f"{where} must be true or false, not {value!r}")
            return value
        kinds = (int, float) if isinstance(knob.default, float) else (int,)
        if isinstance(value, bool) or not isinstance(value, kinds) or not knob.low <= value <= knob.high:
            kind = "a number" if len(kinds) > 1 else "a whole number"
            raise UsageError(f"{where} must be {kind} of {knob.low:g}..{knob.high:g}, not {value!r}")
        return float(value) if isinstance(knob.default, float) else value


def canvas(width: int = 1024, height: int = 1024) -> dict[str, Knob]:
    """Size of the picture in pixels."""
    return {"width": Knob(width, 64, 8192), "height": Knob(height, 64, 8192)}


def objects(default: int, fewest: int = 1, most: int = MOST_OBJECTS) -> dict[str, Knob]:
    return {"max_objects": Knob(default, fewest, most)}


CLUTTER = {"clutter": Knob(0.0, 0.0, 0.5)}  # share of an object that another one may cover
TEXT_SCALE = {"text_scale": Knob(1.0, 0.4, 1.3)}


def scene_of(rng: SeededRandom, parameters: Parameters, fewest: int, repeated: bool) -> Scene:
    """A scene of ``fewest`` to ``max_objects`` objects; ``repeated``: several may be alike."""
    most = parameters["max_objects"]
    count = rng.integer(min(fewest, most), most)
    clutter = parameters.get("clutter", 0.0)
    return make_scene(rng, count, parameters["width"], parameters["height"], repeated, clutter)
