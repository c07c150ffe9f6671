"""Batches: formed by cost, bounded, nothing lost, broken examples set aside."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.backends.base import BatchLimits, Prepared
from evalsuite.engine.answering import generate
from evalsuite.engine.batching import BatchSizer, pack
from evalsuite.engine.preparing import AHEAD, CHUNK, Failed, prepare_ahead
from evalsuite.errors import BackendOutOfMemory, ExampleError
from evalsuite.media.images import ImageBytes
from evalsuite.types import Decoding, ExampleKey, Generation, Request


def request(number: int) -> Request:
    return Request(ExampleKey("t", "s", str(number)), "prompt", (), Decoding(4))


def prepared(number: int, cost: int = 1, group: object = None) -> Prepared:
    return Prepared(request(number), None, cost, group)  # type: ignore[arg-type]


class Recorder:
    """A backend whose memory holds ``capacity`` units of padded cost."""

    def __init__(self, capacity: int = 10**9, limits: BatchLimits | None = None, broken: Sequence[str] = ()) -> None:
        self.capacity, self.limits, self.broken = capacity, limits or BatchLimits(4), broken
        self.sizes: list[int] = []
        self.failures = 0
        self.threads: set[str] = set()

    def prepare(self, request: Request) -> Prepared:
        self.threads.add(threading.current_thread().name)
        if request.key.id in self.broken:
            raise ExampleError(f"{request.key.id} is broken")
        return Prepared(request, None, 1)

    def generate(self, batch: Sequence[Prepared]) -> list[Generation]:
        if len(batch) * max(item.cost for item in batch) > self.capacity:
            self.failures += 1
            raise BackendOutOfMemory("too much")
        self.sizes.append(len(batch))
        return [Generation(item.request.key, item.request.key.id) for item in batch]


def test_preparing_keeps_order_and_sets_broken_examples_aside() -> None:
    backend = Recorder(broken=["3"])
    items = list(prepare_ahead(map(request, range(50)), backend, workers=3))  # type: ignore[arg-type]
    assert [item.request.key.id for item in items] == [str(n) for n in range(50)]
    assert [item.error for item in items if isinstance(item, Failed)] == ["3 is broken"]
    assert all(name.startswith("prepare") for name in backend.threads)


def test_preparing_runs_a_bounded_number_ahead() -> None:
    taken = 0

    def stream() -> Iterator[Request]:
        nonlocal taken
        for number in range(10_000):
            taken += 1
            yield request(number)

    items = prepare_ahead(stream(), Recorder(), workers=2)  # type: ignore[arg-type]
    next(items)
    assert taken <= CHUNK * (4 + AHEAD)
    items.close()  # type: ignore[attr-defined]


@settings(deadline=None, max_examples=60)
@given(
    costs=st.lists(st.integers(1, 100), max_size=80),
    size=st.integers(1, 7),
    max_cost=st.none() | st.integers(1, 300),
    groups=st.integers(1, 3),
)
def test_every_example_is_in_one_batch_and_batches_keep_the_limits(
    costs: list[int], size: int, max_cost: int | None, groups: int
) -> None:
    items = [prepared(number, cost, number % groups) for number, cost in enumerate(costs)]
    batches = [batch for batch in pack(items, BatchSizer(size, max_cost)) if not isinstance(batch, Failed)]
    seen = [item.request.key.id for batch in batches for item in batch]
    assert sorted(seen, key=int) == [str(n) for n in range(len(costs))]
    for batch in batches:
        assert len(batch) <= size and len({item.group for item in batch}) == 1
        padded = len(batch) * max(item.cost for item in batch)
        assert max_cost is None or len(batch) == 1 or padded <= max_cost


def test_packing_by_cost_wastes_less_padding_than_file_order() -> None:
    rng = random.Random(0)
    costs = [rng.choice([10, 500]) for _ in range(256)]
    items = [prepared(number, cost) for number, cost in enumerate(costs)]
    batches = [batch for batch in pack(items, BatchSizer(8, None)) if not isinstance(batch, Failed)]
    packed = sum(len(batch) * max(item.cost for item in batch) for batch in batches)
    in_order = sum(8 * max(costs[i : i + 8]) for i in range(0, 256, 8))
    assert packed < 1.2 * sum(costs) < in_order


def test_a_batch_that_does_not_fit_is_halved_and_later_batches_are_smaller() -> None:
    backend, limits = Recorder(capacity=3), BatchSizer(8, None)
    answers = generate(backend, [prepared(n) for n in range(8)], limits)  # type: ignore[arg-type]
    assert [answer.text for answer in answers] == [str(n) for n in range(8)]
    assert backend.sizes == [2, 2, 2, 2]
    assert limits.max_cost == 2


def test_a_batch_formed_before_the_limit_fell_is_split_without_trying() -> None:
    backend, limits = Recorder(capacity=4), BatchSizer(8, 4)
    generate(backend, [prepared(n) for n in range(8)], limits)  # type: ignore[arg-type]
    assert backend.sizes == [4, 4] and backend.failures == 0 and limits.max_cost == 4


def test_heavy_examples_do_not_wait_for_a_full_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalsuite.engine.batching.MAX_WAITING_BYTES", 1000)
    heavy = [Prepared(request(number), None, 1, None, 400) for number in range(9)]
    batches = [batch for batch in pack(heavy, BatchSizer(64, None)) if not isinstance(batch, Failed)]
    assert [len(batch) for batch in batches] == [3, 3, 3]


def test_encoded_images_that_a_request_holds_count_as_waiting_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalsuite.engine.batching.MAX_WAITING_BYTES", 1000)
    image = ImageBytes(b"x" * 600)
    items = [Prepared(replace(request(number), visuals=(image,)), None, 1) for number in range(4)]
    batches = [batch for batch in pack(items, BatchSizer(64, None)) if not isinstance(batch, Failed)]
    assert [len(batch) for batch in batches] == [2, 2]


def test_an_example_that_does_not_fit_alone_becomes_an_error() -> None:
    answers = generate(Recorder(capacity=1), [prepared(0, cost=5), prepared(1)], BatchSizer(2, None))  # type: ignore[arg-type]
    assert [answer.error is None for answer in answers] == [False, True]
    assert answers[0].error is not None and "out of memory on this example alone" in answers[0].error


@pytest.mark.parametrize("workers", [1, 4])
def test_closing_early_ends_the_workers(workers: int) -> None:
    items = prepare_ahead(map(request, range(1000)), Recorder(), workers)  # type: ignore[arg-type]
    next(items)
    items.close()  # type: ignore[attr-defined]
    assert not [t for t in threading.enumerate() if t.name.startswith("prepare")]
