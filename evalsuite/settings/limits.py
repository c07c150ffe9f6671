"""How many examples: at most so many of each split, and how many of them may fail."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from evalsuite.errors import UsageError


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``number`` examples of each split, or that ``fraction`` of each split by itself."""

    number: int | None = None
    fraction: float | None = None

    @classmethod
    def parse(cls, text: str) -> Limit:
        """``"100"`` or ``"10%"``. Raises UsageError.

        >>> Limit.parse("10%").of(45)
        5
        """
        match = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?)%", text.strip())
        if match and match[1] and int(match[1]) > 0:
            return cls(number=int(match[1]))
        if match and match[2] and 0 < float(match[2]) <= 100:
            return cls(fraction=float(match[2]) / 100)
        raise UsageError(f"--limit {text}: give a number of examples such as 100, or a percentage such as 10%")

    def of(self, total: int | None) -> int:
        """How many examples of a split with ``total`` examples; at least one. A share of None raises ValueError."""
        if self.number is not None:
            return self.number
        if total is None or self.fraction is None:
            raise ValueError("a share of an unknown number of examples")
        return max(1, math.ceil(self.fraction * total - 1e-9))

    def __str__(self) -> str:
        return str(self.number) if self.number is not None else f"{100 * (self.fraction or 0):g}%"


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """How many examples of a split may fail before the run of its task counts as failed."""

    number: int | None = None
    fraction: float = 0.01

    @classmethod
    def parse(cls, text: str) -> ErrorBudget:
        """``"0"``, ``"5"`` or ``"1%"``. Raises UsageError."""
        match = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?)%", text.strip())
        if match and match[1]:
            return cls(number=int(match[1]))
        if match and match[2] and float(match[2]) <= 100:
            return cls(fraction=float(match[2]) / 100)
        raise UsageError(f"--max-errors {text}: give a number such as 0, or a percentage such as 1%")

    def allowed(self, total: int | None) -> int | None:
        """How many of ``total`` examples may fail; None when that depends on a total that is not known yet."""
        if self.number is not None:
            return self.number
        return None if total is None else int(self.fraction * total + 1e-9)

    def __str__(self) -> str:
        return str(self.number) if self.number is not None else f"{100 * self.fraction:g}%"
