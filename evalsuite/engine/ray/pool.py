"""The same run on several workers through Ray, on this machine or a cluster.

This process reads the data and is the only one that writes; workers hold a model each and answer pieces of a few dozen
examples. At most two pieces wait at a worker, so that memory does not grow. A worker that dies costs its piece, which
another one gets; an example on which workers die again and again becomes an error row. Greedy answers do not depend on
how they are batched, so that results are those of a single process.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evalsuite.backends import create_backend
from evalsuite.backends.base import BackendOptions, BatchLimits
from evalsuite.engine.batching import BatchSizer, pack
from evalsuite.engine.preparing import Failed, prepare_ahead
from evalsuite.engine.ray.options import RayOptions
from evalsuite.errors import BackendError, EvalsuiteError, UsageError
from evalsuite.types import Generation, JsonValue, Request

WAITING_PIECES = 2  # per worker, the one it works on included
DEATHS = 2  # of workers on one piece, before it is halved; on one example, before that counts as failed


class Worker:
    """What runs in a process of its own: one loaded backend."""

    def __init__(self, backend: str, options: BackendOptions, threads: int | None, time_limit: float) -> None:
        self._backend = create_backend(backend, options)
        self._threads, self._time_limit = threads, time_limit

    def describe(self) -> Mapping[str, JsonValue]:
        return self._backend.describe()

    def answer(self, requests: list[Request]) -> list[Generation]:
        """The answers to a piece, in any order; what is wrong with an example is in its answer."""
        from evalsuite.engine.answering import generate

        limits = BatchSizer.of(self._backend.limits)
        threads = self._threads or os.cpu_count() or 1
        answers: list[Generation] = []
        with contextlib.closing(prepare_ahead(requests, self._backend, threads, self._time_limit)) as prepared:
            for item in pack(prepared, limits):
                if isinstance(item, Failed):
                    answers.append(Generation(item.request.key, "", error=item.error))
                else:
                    answers += generate(self._backend, item, limits)
        return answers


@dataclass(eq=False)
class _Piece:
    """Requests that are handed out together; deaths: workers that were lost with them."""

    requests: list[Request]
    deaths: int = 0


class RayPool:
    """Workers that answer a stream of requests. Stands where a local run has its backend."""

    def __init__(
        self, backend: str, options: BackendOptions, ray_options: RayOptions, threads: int | None, time_limit: float
    ) -> None:
        self._ray = _start(ray_options)
        self._options = ray_options
        actor: Any = self._ray.remote(Worker)
        reserved: Any = actor.options(num_cpus=ray_options.cpus, num_gpus=ray_options.gpus)
        self._make: Callable[[], Any] = lambda: reserved.remote(backend, options, threads, time_limit)
        count = ray_options.workers or _default_workers(self._ray, ray_options)
        _check_room(self._ray, ray_options, count)
        self._workers: list[Any] = [self._make() for _ in range(count)]
        self._facts: Mapping[str, JsonValue] = self._first_facts()

    @property
    def limits(self) -> BatchLimits:
        return BatchLimits(self._options.piece)

    def describe(self) -> Mapping[str, JsonValue]:
        """Facts of the workers' backend, which are those of a local run."""
        return self._facts

    def answers(self, requests: Iterable[Request]) -> Iterator[list[Generation]]:
        """All answers, a piece at a time, in the order in which they are ready. Raises BackendError."""
        pieces: Iterator[_Piece] = (_Piece(chunk) for chunk in _chunks(requests, self._options.piece))
        again: deque[_Piece] = deque()
        running: dict[Any, tuple[int, _Piece]] = {}  # reference to the answer -> number of the worker, piece
        while True:
            for number in self._idle(running):
                piece = again.popleft() if again else next(pieces, None)
                if piece is None:
                    break
                running[self._workers[number].answer.remote(piece.requests)] = (number, piece)
            if not running:
                return
            (ready, *_), _ = self._ray.wait(list(running), num_returns=1)
            number, piece = running.pop(ready)
            try:
                yield self._ray.get(ready)
            except self._ray.exceptions.RayTaskError as error:
                raise _as_ours(error) from None
            except self._ray.exceptions.RayError as error:  # the process is gone, with all that waited at it
                lost = [reference for reference, (other, _) in running.items() if other == number]
                waiting = [running.pop(reference)[1] for reference in lost]
                self._workers[number] = self._make()
                again.extend(waiting)  # they did not run
                failed = _after_death(piece, again)
                if failed is not None:
                    yield [Generation(failed.key, "", error=f"{DEATHS} workers died on this example: {_line(error)}")]

    def close(self) -> None:
        for worker in self._workers:
            self._ray.kill(worker)
        self._workers = []
        self._ray.shutdown()

    def _idle(self, running: Mapping[Any, tuple[int, _Piece]]) -> list[int]:
        """Workers with room for a piece, those with the least to do first; one for each place that is free."""
        busy = [number for number, _ in running.values()]
        places = [number for number in range(len(self._workers)) for _ in range(WAITING_PIECES - busy.count(number))]
        return sorted(places, key=busy.count)

    def _first_facts(self) -> Mapping[str, JsonValue]:
        try:
            found = self._ray.get([worker.describe.remote() for worker in self._workers])
        except self._ray.exceptions.RayTaskError as error:
            self.close()
            raise _as_ours(error) from None
        except self._ray.exceptions.RayError as error:
            self.close()
            raise BackendError(f"ray: a worker could not load the model: {_line(error)}") from None
        if any(facts != found[0] for facts in found):
            self.close()
            raise BackendError("ray: the workers loaded different models or versions; see that all machines are alike")
        facts: Mapping[str, JsonValue] = found[0]
        return facts


def _after_death(piece: _Piece, again: deque[_Piece]) -> Request | None:
    """Hand a piece out once more, in halves after several deaths; an example that is alone by then has failed."""
    piece.deaths += 1
    if piece.deaths < DEATHS:
        again.appendleft(piece)
    elif len(piece.requests) == 1:
        return piece.requests[0]
    else:
        half = len(piece.requests) // 2
        again.extendleft([_Piece(piece.requests[half:]), _Piece(piece.requests[:half])])
    return None


def _chunks(requests: Iterable[Request], size: int) -> Iterator[list[Request]]:
    stream = iter(requests)
    while chunk := list(itertools.islice(stream, size)):
        yield chunk


def _start(options: RayOptions) -> Any:
    """Ray, connected: to the cluster at the address, or to one of its own on this machine."""
    import ray

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(
            address=options.address,
            include_dashboard=False if options.address is None else None,
            log_to_driver=False,
            configure_logging=False,
            runtime_env={"env_vars": {"OMP_WAIT_POLICY": os.environ.get("OMP_WAIT_POLICY", "passive")}},
        )
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise BackendError(f"ray: no cluster at {options.address or 'this machine'}: {_line(error)}") from error
    finally:
        for number, handler in handlers.items():  # Ray takes SIGTERM for itself, which must end our run cleanly
            with contextlib.suppress(ValueError):  # not in the main thread
                signal.signal(number, handler)
    return ray


def _default_workers(ray: Any, options: RayOptions) -> int:
    gpus = float(ray.cluster_resources().get("GPU", 0))
    return max(1, int(gpus / (options.gpus or 1))) if gpus else 2


def _check_room(ray: Any, options: RayOptions, count: int) -> None:
    """Workers that can never start would be waited for for ever."""
    there = ray.cluster_resources()
    for name, each in (("CPU", options.cpus), ("GPU", options.gpus)):
        if each * count > float(there.get(name, 0)):
            ray.shutdown()
            raise UsageError(
                f"ray: {count} workers with {each:g} {name} each do not fit; the cluster has {there.get(name, 0):g}. "
                f"Give --engine-option workers=…, or {name.lower()}s=… of each"
            )


def _as_ours(error: Any) -> Exception:
    """An error that a worker raised, as it would have been raised here."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, EvalsuiteError) else BackendError(f"ray: a worker failed: {_line(error)}")


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__
