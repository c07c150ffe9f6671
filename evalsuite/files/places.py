"""Places in a file of settings, and what is wrong there."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


Place = tuple[str | int, ...]
Problem = tuple[Place, str]


def dotted(place: Place) -> str:
    """A place in a spec as people write it.

    >>> dotted(("metrics", 0, "parameters", "variant"))
    'metrics[0].parameters.variant'
    """
    text = ""
    for step in place:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
