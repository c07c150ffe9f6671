"""The form in which everything is told: what it is, whether it works here, what it lacks, how to get it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    can_run: None where this machine alone cannot tell. lacks: what is not there; a thing that can run may still lack
    what an option of it needs. how: ways out, each a command to type, a setting to give, or a sentence. package: the
    installed package that a plug-in comes from; "" for what ships.
    """

    name: str
    can_run: bool | None = True
    lacks: tuple[str, ...] = ()
    how: tuple[str, ...] = ()
    package: str = ""
