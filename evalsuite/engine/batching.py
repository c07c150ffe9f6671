"""From a stream of requests to batches: images prepared ahead of the model, batches formed by cost."""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from evalsuite.backends.base import Backend, BatchLimits, Prepared
from evalsuite.errors import EvalsuiteError, ExampleError
from evalsuite.types import Request

CHUNK = 8  # requests per hand-over to a worker: amortises the cost of a future
AHEAD = 4  # full batches that may wait, prepared, in front of the model
MAX_WAITING_BYTES = 256 << 20


@dataclass(frozen=True, slots=True)
class Failed:
    """A request whose example turned out broken while it was prepared."""

    request: Request
    error: str


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


def prepare_ahead(requests: Iterable[Request], backend: Backend, workers: int) -> Generator[Prepared | Failed]:
    """Prepare requests in worker threads, a bounded number ahead of the consumer; order is kept.

    Close it when it is left early: that ends the threads.
    """
    stream = iter(requests)
    waiting: deque[Future[list[Prepared | Failed]]] = deque()
    ahead = max(2 * workers, AHEAD * backend.limits.max_examples // CHUNK)
    chunk_bytes = 0
    with ThreadPoolExecutor(workers, thread_name_prefix="prepare") as pool:
        try:
            while True:
                allowed = min(ahead, max(workers, MAX_WAITING_BYTES // max(chunk_bytes, 1)))
                while len(waiting) < allowed and (chunk := list(islice(stream, CHUNK))):
                    waiting.append(pool.submit(_prepare_chunk, backend, chunk))
                if not waiting:
                    return
                ready = waiting.popleft().result()
                chunk_bytes = max(chunk_bytes, sum(map(_held_bytes, ready)))
                yield from ready
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _prepare_chunk(backend: Backend, requests: list[Request]) -> list[Prepared | Failed]:
    return [_prepare(backend, request) for request in requests]


def _prepare(backend: Backend, request: Request) -> Prepared | Failed:
    try:
        return backend.prepare(request)
    except ExampleError as error:
        return Failed(request, str(error))
    except MemoryError:
        return Failed(request, "out of memory while the example was prepared")
    except EvalsuiteError:  # not one example's problem
        raise
    # Decoders meet broken files with every kind of error; one example must not end the task, the error budget may.
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return Failed(request, f"unexpected {type(error).__name__} while the example was prepared: {error} ({where})")


def _held_bytes(item: Prepared | Failed) -> int:
    """Memory of what waits: the prepared payload, and the encoded images that the request still holds."""
    encoded = sum(len(getattr(visual, "data", b"")) for visual in item.request.visuals)
    return encoded + (item.nbytes if isinstance(item, Prepared) else 0)


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
        held += _held_bytes(item)
        is_heavy = held > MAX_WAITING_BYTES
        if is_heavy or len(window) >= capacity:
            batches = _split(window, limits)
            tails = [] if is_heavy else _partly_filled(batches, limits)
            if sum(map(len, tails)) > capacity // 2:
                tails = []
            window = [item for tail in tails for item in tail]
            held = sum(map(_held_bytes, window))
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
