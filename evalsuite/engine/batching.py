"""From a stream of prepared requests to batches, formed by cost."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from evalsuite.backends.base import BatchLimits, Prepared
from evalsuite.engine.preparing import AHEAD, MAX_WAITING_BYTES, Failed, held_bytes


@dataclass(slots=True)
class BatchSizer:
    """A backend's limits, lowered when a batch turns out not to fit."""

    max_examples: int
    max_cost: int | None

    @classmethod
    def of(cls, limits: BatchLimits) -> BatchSizer:
        return cls(limits.max_examples, limits.max_cost)

    def fits(self, batch: Sequence[Prepared]) -> bool:
        """Whether the batch keeps the limits; one example alone always does."""
        if len(batch) == 1:
            return True
        return len(batch) <= self.max_examples and (self.max_cost is None or padded_cost(batch) <= self.max_cost)

    def shrink(self, batch: Sequence[Prepared]) -> None:
        """Allow at most half the padded cost of the batch that did not fit."""
        half = max(1, padded_cost(batch) // 2)
        self.max_cost = half if self.max_cost is None else min(self.max_cost, half)


def padded_cost(batch: Sequence[Prepared]) -> int:
    """What a batch costs when every example is padded to the longest one."""
    return max(item.cost for item in batch) * len(batch)


def pack(prepared: Iterable[Prepared | Failed], limits: BatchSizer) -> Iterator[list[Prepared] | Failed]:
    """Batches of like cost within ``limits``, from a window over the stream; failed requests pass at once.

    Sorting a window by cost keeps padding small: a batch costs its longest example times its size. A group's last
    batch may be partly filled; it waits in the window for the next examples.
    """
    window: list[Prepared] = []
    held = 0
    capacity = AHEAD * limits.max_examples
    for item in prepared:
        if isinstance(item, Failed):
            yield item
            continue
        window.append(item)
        held += held_bytes(item)
        is_heavy = held > MAX_WAITING_BYTES
        if is_heavy or len(window) >= capacity:
            batches = _split(window, limits)
            tails = [] if is_heavy else _partly_filled(batches, limits)
            if sum(map(len, tails)) > capacity // 2:
                tails = []
            window = [item for tail in tails for item in tail]
            held = sum(map(held_bytes, window))
            yield from (batch for batch in batches if not any(batch is tail for tail in tails))
    yield from _split(window, limits)


def _partly_filled(batches: list[list[Prepared]], limits: BatchSizer) -> list[list[Prepared]]:
    """The last batch of each group, where it could take more examples."""
    last_of_group = {repr(batch[0].group): batch for batch in batches}
    return [batch for batch in last_of_group.values() if len(batch) < limits.max_examples]


def _split(window: list[Prepared], limits: BatchSizer) -> list[list[Prepared]]:
    """Batches by group, longest first: the batch that needs most memory comes first and fails first."""
    batches: list[list[Prepared]] = []
    current: list[Prepared] = []
    for item in sorted(window, key=lambda item: (repr(item.group), -item.cost)):
        if current and not _may_join(item, current, limits):
            batches.append(current)
            current = []
        current.append(item)
    return [*batches, current] if current else batches


def _may_join(item: Prepared, batch: list[Prepared], limits: BatchSizer) -> bool:
    longest = batch[0]  # sorted: no later item costs more
    return (
        item.group == longest.group
        and len(batch) < limits.max_examples
        and (limits.max_cost is None or longest.cost * (len(batch) + 1) <= limits.max_cost)
    )
