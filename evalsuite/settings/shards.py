"""Shares of a run, for several processes.

Shard i of n takes the positions p with p mod n = i, so that shares are even and depend on nothing else. It is a run of
its own that resumes by itself, on any machine that sees the same data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from evalsuite.errors import UsageError

LAUNCHERS = (("RANK", "WORLD_SIZE", "torchrun"), ("SLURM_PROCID", "SLURM_NTASKS", "srun"))
"""Variables in which a launcher says which process of how many this is. Its children inherit them."""


@dataclass(frozen=True, slots=True)
class Shard:
    """Share ``number`` (from 0) of ``count``. said_by: who cut the run, where it was not the user, in words.

    >>> str(Shard.parse("1/4")), [Shard(1, 4).of(n) for n in (0, 1, 2, 9)]
    ('1/4', [0, 0, 1, 2])
    """

    number: int
    count: int
    said_by: str = field(default="", compare=False)

    @classmethod
    def parse(cls, text: str) -> Shard:
        """``"0/4"`` to ``"3/4"``, or ``"none"`` for the whole, whatever a launcher says. Raises UsageError."""
        if text.strip() == "none":
            return cls(0, 1)
        found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        if not found or int(found[1]) >= int(found[2]):
            raise UsageError(f"--shard {text}: give a number from 0 and a count, such as 0/4 to 3/4, or none")
        return cls(int(found[1]), int(found[2]))

    @classmethod
    def from_launcher(cls, environment: Mapping[str, str]) -> Shard | None:
        """What torchrun or srun says; None for a single process."""
        for number, count, launcher in LAUNCHERS:
            if environment.get(number, "").isdigit() and environment.get(count, "").isdigit():
                said = f"{number}={environment[number]} and {count}={environment[count]} are set ({launcher})"
                shard = cls(int(environment[number]), int(environment[count]), said)
                return shard if shard.count > 1 and shard.number < shard.count else None
        return None

    @property
    def folder(self) -> str:
        """Name of the shard's folder inside of the run's."""
        return f"shard-{self.number}-of-{self.count}"

    def holds(self, position: int) -> bool:
        return position % self.count == self.number

    def of(self, total: int) -> int:
        """How many of ``total`` positions are in this share."""
        return max(0, total - self.number + self.count - 1) // self.count

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"
