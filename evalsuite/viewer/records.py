"""What is asked of a viewer, and what it answers: a question about examples, and a page of cards."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalsuite.inspection.references import ReferenceView

PAGE = 24
SHOWN = ("all", "failed", "changed", "better", "worse")
SORTS = ("position", "lowest", "highest")
FEW_RUNS = 3
"""So many runs stand side by side unless a query says otherwise; of more, one alone."""


@dataclass(frozen=True, slots=True)
class Query:
    """Which examples of a split, and in which order. low, high: of the example's own value, in paper units.

    run: number of the run that gives the examples. beside: runs whose answers stand beside its own, the first of them
    is what ``changed``, ``better`` and ``worse`` compare with; None for all others where they are few.
    """

    task: str
    split: str
    text: str = ""
    stratum: str = ""
    show: str = "all"
    sort: str = "position"
    low: float | None = None
    high: float | None = None
    page: int = 0
    run: int = 0
    beside: tuple[int, ...] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether it is for all examples in data set order."""
        return (self.text, self.stratum, self.show, self.sort, self.low, self.high) == (
            "",
            "",
            "all",
            SORTS[0],
            None,
            None,
        )


@dataclass(frozen=True, slots=True)
class Answered:
    """What one run said to an example. value: the example's own value in paper units, None where it has none alone.

    number: of the run. ended: why the answer is no whole one, or "". table: the answer as a safe HTML table, or "".
    long: several lines or many characters.
    """

    run: str
    number: int
    text: str
    value: float | None
    error: str
    table: str = ""
    long: bool = False
    ended: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One example on a page."""

    id: str
    position: int
    prompt: str
    references: Sequence[ReferenceView]
    strata: Mapping[str, str]
    answers: Sequence[Answered]


@dataclass(frozen=True, slots=True)
class Page:
    """Cards of one page, and of how many examples they are a part.

    problem: why examples have no scores, or "". waiting: scores and groups are not known yet, but will be.
    """

    cards: Sequence[Card]
    found: int
    total: int
    page: int
    problem: str = ""
    waiting: bool = False

    @property
    def pages(self) -> int:
        return pages_of(self.found)


def pages_of(examples: int) -> int:
    """How many pages so many examples take, at least one."""
    return max(1, math.ceil(examples / PAGE))
