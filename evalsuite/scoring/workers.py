"""Statistics of heavy metrics in several processes, with the same result as in one, even when a process dies."""

from __future__ import annotations

import os
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing import connection, get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from types import TracebackType
from typing import TYPE_CHECKING, Any

from evalsuite.errors import ScoringError
from evalsuite.settings.run import TIME_LIMIT

if TYPE_CHECKING:
    from evalsuite.metrics import Metric
    from evalsuite.metrics.base import Array

SHARE = 32  # examples handed over at once
WORTH_IT = 512  # fewer heavy examples are done before a second process has started
TRIES = 3  # times that an example alone may end or hang its process
_TICK = 1.0
_CLOSING_SECONDS = 5.0


class StatisticsWorkers:
    """Computes ``metric.batch_statistics``, spreading heavy metrics over ``jobs`` processes.

    Examples keep their order and each is computed alone, so that the number of jobs changes nothing. Processes are
    started when a first large enough batch comes, afresh rather than forked: the parent may hold a model and threads.
    A script that asks for more than one job needs the usual ``if __name__ == "__main__":`` guard.

    A process that dies, or is at one share for longer than ``time_limit`` seconds, is replaced, and its examples are
    computed again one by one. An example that ends its process TRIES times is computed as an empty answer, and named.
    """

    def __init__(self, jobs: int = 1, time_limit: float = TIME_LIMIT) -> None:
        self._jobs, self._time_limit = jobs, time_limit
        self._workers: list[_Worker] = []

    def __enter__(self) -> StatisticsWorkers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: BaseException | TracebackType | None) -> None:
        self._end(_CLOSING_SECONDS if kind is None else 0.0)

    def _end(self, seconds: float = 0.0) -> None:
        for worker in self._workers:
            worker.connection.close()  # ends a process that waits for work
        for worker in self._workers:
            worker.end(seconds)
        self._workers.clear()

    def batch_statistics(
        self,
        metric: Metric,
        predictions: Sequence[Any],
        references: Sequence[Any],
        lost: dict[int, str] | None = None,
    ) -> Array:
        """Shape (n, k), as ``metric.batch_statistics`` gives it.

        lost: place -> reason, filled with the examples that were computed as empty answers. Without it, and for an
        example that ends its process even as an empty answer, ScoringError.
        """
        if self._jobs == 1 or not metric.heavy or metric.needs_corpus or len(predictions) < WORTH_IT:
            return metric.batch_statistics(predictions, references)
        import numpy as np

        shares = deque(
            _Share(start, list(predictions[start : start + SHARE]), list(references[start : start + SHARE]))
            for start in range(0, len(predictions), SHARE)
        )
        try:
            found = self._spread(metric, shares, lost)
        except BaseException:
            self._end()  # they are at shares that nobody waits for any more
            raise
        return np.concatenate([found[start] for start in sorted(found)])

    def _spread(self, metric: Metric, left: deque[_Share], lost: dict[int, str] | None) -> dict[int, Array]:
        """The table of each share, by its start."""
        found: dict[int, Array] = {}
        while left or any(worker.share for worker in self._workers):
            while len(self._workers) < min(self._jobs, len(left)):
                self._workers.append(_Worker())
            for worker in self._workers:
                if left and worker.has_begun and worker.share is None:
                    worker.hand(metric, left.popleft())
            for worker in self._ended():
                if worker.share is not None:
                    left.extendleft(self._again(worker.share, worker.reason, lost))
                worker.end()
                self._workers.remove(worker)
            for worker in self._workers:
                if worker.share is not None and worker.table is not None:
                    found[worker.share.start] = worker.table
                    worker.share = worker.table = None
        return found

    def _ended(self) -> list[_Worker]:
        """Wait for an answer; the processes that died, or took too long, with the reason in words."""
        busy = [worker for worker in self._workers if worker.share is not None or not worker.has_begun]
        begin = time.monotonic()
        ready = connection.wait([worker.connection for worker in busy], min(_TICK, self._time_limit))
        # Time in which this process itself was stopped counts for nobody.
        waited = min(time.monotonic() - begin, 2 * _TICK)
        for worker in busy:
            worker.seconds += waited
            if worker.connection in ready:
                worker.receive()
            elif worker.seconds > self._time_limit:
                worker.late(self._time_limit)
        return [worker for worker in busy if worker.reason]

    def _again(self, share: _Share, reason: str, lost: dict[int, str] | None) -> list[_Share]:
        """What of a share is to be computed again, in reversed order."""
        if len(share.predictions) > 1:
            return share.one_by_one()[::-1]
        share.tries += 1
        if share.tries < TRIES:
            return [share]
        if lost is None or share.start in lost:
            raise ScoringError(f"the process that scored the example at place {share.start} {reason}, {TRIES} times")
        lost[share.start] = reason
        return [share.as_empty_answer()]


@dataclass
class _Share:
    """Consecutive examples; ``start`` is the place of the first one. tries: how often one alone ended its process."""

    start: int
    predictions: list[Any]
    references: list[Any]
    tries: int = 0

    def one_by_one(self) -> list[_Share]:
        pairs = enumerate(zip(self.predictions, self.references, strict=True), self.start)
        return [_Share(place, [prediction], [references]) for place, (prediction, references) in pairs]

    def as_empty_answer(self) -> _Share:
        from evalsuite.metrics import Answer

        (prediction,) = self.predictions
        empty = Answer("", prediction.id) if isinstance(prediction, Answer) else ""
        return _Share(self.start, [empty], self.references)


@dataclass(eq=False)
class _Worker:
    """A process that computes one share at a time. reason: why it must be replaced."""

    share: _Share | None = None
    table: Array | None = None
    seconds: float = 0.0
    reason: str = ""
    connection: Connection[Any, Any] = field(init=False)
    process: SpawnProcess = field(init=False)
    has_begun: bool = False

    def __post_init__(self) -> None:
        context = get_context("spawn")
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other,), daemon=True)
        self.process.start()
        other.close()

    def hand(self, metric: Metric, share: _Share) -> None:
        self.share, self.seconds = share, 0.0
        try:
            self.connection.send((metric, share.predictions, share.references))
        except OSError:  # it has died; waiting for its answer finds that out
            return

    def receive(self) -> None:
        """Take what the process sent. Raises what the metric raised, ScoringError when it cannot even begin."""
        try:
            answer = self.connection.recv()
        except (EOFError, OSError):
            self.process.join(_CLOSING_SECONDS)
            self._failed(f"ended with {_status(self.process.exitcode)}")
            return
        if answer is None:
            self.has_begun, self.seconds = True, 0.0
        elif isinstance(answer, BaseException):
            raise answer
        else:
            self.table = answer

    def late(self, limit: float) -> None:
        self._failed(f"took longer than {limit:g} s (--time-limit)")

    def _failed(self, reason: str) -> None:
        if not self.has_begun:
            raise ScoringError(f"a process for scoring {reason} before it began; try --jobs 1")
        self.reason = reason

    def end(self, seconds: float = 0.0) -> None:
        """Wait so long for the process to end by itself, then kill it."""
        if seconds:
            self.process.join(seconds)
        self.process.kill()
        self.process.join()
        self.connection.close()


def _status(code: int | None) -> str:
    if code is None or code >= 0:
        return f"status {code}"
    killed = ", perhaps for want of memory" if code == -signal.SIGKILL else ""
    return f"signal {-code} ({signal.Signals(-code).name}{killed})"


def _serve(requests: Connection[Any, Any]) -> None:
    """The life of a process: say that it has begun, then answer requests until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    threading.Thread(target=_end_with_parent, daemon=True).start()
    requests.send(None)
    while True:
        try:
            metric, predictions, references = requests.recv()
        except (EOFError, OSError):
            return
        try:
            requests.send(metric.batch_statistics(predictions, references))
        except Exception as error:
            requests.send(_portable(error))


def _end_with_parent() -> None:
    """A parent that was killed cannot end its processes; at a long example they would go on without it."""
    parent = parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _portable(error: Exception) -> Exception:
    """The error with the traceback of this process as a note; another one when it cannot be sent."""
    import pickle

    text = "".join(traceback.format_exception(error))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        error = RuntimeError(f"{type(error).__name__}: {error}")
    error.add_note(f"In a process for scoring:\n{text}")
    return error
