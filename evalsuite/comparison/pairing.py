"""Which example of one run is which example of another."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Example(Protocol):
    @property
    def id(self) -> str: ...
    @property
    def content(self) -> str: ...


class Pairs(NamedTuple):
    """places: (place in the first list, place in the second) of each shared example, in the first list's order.

    only_first, only_second: how many examples have no partner.
    """

    places: list[tuple[int, int]]
    only_first: int
    only_second: int


def pair(first: Sequence[Example], second: Sequence[Example]) -> Pairs:
    """Pair examples by content: what was asked, and what is right. Positions do not count.

    Among examples of equal content those with equal ids are partners; what is left of them is paired in order, so that
    data whose ids were made anew still meet. No example has two partners.
    """
    exact = {(item.id, item.content): place for place, item in enumerate(second)}
    found = {place: exact.pop((item.id, item.content), None) for place, item in enumerate(first)}
    left: defaultdict[str, deque[int]] = defaultdict(deque)
    for place in sorted(exact.values()):
        left[second[place].content].append(place)
    for place, partner in found.items():
        waiting = left.get(first[place].content)
        if partner is None and waiting:
            found[place] = waiting.popleft()
    places = [(place, partner) for place, partner in found.items() if partner is not None]
    return Pairs(places, len(first) - len(places), len(second) - len(places))
