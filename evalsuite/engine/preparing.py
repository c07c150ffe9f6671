"""Requests made ready for the model in threads, ahead of it; an example that hangs costs itself alone."""

from __future__ import annotations

import threading
import time
import traceback
from collections import deque
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Protocol

from evalsuite.backends.base import BatchLimits, Prepared
from evalsuite.errors import EvalsuiteError, ExampleError
from evalsuite.settings.run import TIME_LIMIT
from evalsuite.types import Request

CHUNK = 8  # requests per hand-over to a thread: amortises its cost
AHEAD = 4  # full batches that may wait, prepared, in front of the model
MAX_WAITING_BYTES = 256 << 20
CLOSING_SECONDS = 3.0  # how long threads are waited for that are still inside an example
_TICK = 1.0


class Preparer(Protocol):
    """The part of a backend that works ahead of the model, in several threads at once."""

    @property
    def limits(self) -> BatchLimits: ...

    def prepare(self, request: Request) -> Prepared: ...


@dataclass(frozen=True, slots=True)
class Failed:
    """A request whose example turned out broken while it was prepared."""

    request: Request
    error: str


@dataclass(eq=False)
class _Chunk:
    """Requests that one thread prepares, and what has become of them. Whoever holds ``lock`` may take it away."""

    requests: list[Request]
    ready: list[Prepared | Failed] = field(default_factory=list)
    error: Exception | None = None
    ended: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    taken_away: bool = False
    thread: threading.Thread | None = None

    def prepare(self, backend: Preparer) -> None:
        self.thread = threading.current_thread()
        for request in self.requests:
            try:
                item = _prepare(backend, request)
            except Exception as error:
                self.error = error
                break
            with self.lock:
                if self.taken_away:
                    return
                self.ready.append(item)
        self.ended.set()

    def wait(self, seconds: float) -> _Chunk | None:
        """Wait for the end of the chunk. Of one that hangs, return what is left, for another thread.

        An example that took longer than ``seconds`` is Failed. Only time in which this process was awake counts: a
        process that was stopped does not blame its examples.
        """
        tick = min(_TICK, seconds)
        waited, done, last = 0.0, 0, time.monotonic()
        while not self.ended.wait(tick):
            now = time.monotonic()
            waited, last = waited + min(now - last, 2 * tick), now
            with self.lock:
                if len(self.ready) != done:
                    waited, done = 0.0, len(self.ready)
                elif waited >= seconds and not self.ended.is_set() and done < len(self.requests):
                    self.taken_away = True
                    error = f"not prepared within {seconds:g} s (--time-limit): its file, or the decoder, hangs"
                    self.ready.append(Failed(self.requests[done], error))
                    return _Chunk(self.requests[done + 1 :])
        return None


class _Threads:
    """Threads that prepare chunks in the order in which they were put; none of them keeps a process from ending."""

    def __init__(self, backend: Preparer, number: int) -> None:
        self._backend = backend
        self._chunks: SimpleQueue[_Chunk | None] = SimpleQueue()
        self._closed = False
        self._threads: list[threading.Thread] = []
        for _ in range(number):
            self.start()

    def replace(self, hanging: threading.Thread | None, first: _Chunk) -> None:
        """Leave one that hangs to itself; another one takes its place, and begins with the chunk ``first``."""
        self._threads = [thread for thread in self._threads if thread is not hanging]
        self.start(first)

    def start(self, first: _Chunk | None = None) -> None:
        thread = threading.Thread(target=self._work, args=(first,), name="prepare", daemon=True)
        self._threads.append(thread)
        thread.start()

    def put(self, chunk: _Chunk) -> None:
        self._chunks.put(chunk)

    def close(self) -> None:
        """End the threads; one that does not come to the end of its example soon is left to itself."""
        self._closed = True
        for _ in self._threads:
            self._chunks.put(None)
        deadline = time.monotonic() + CLOSING_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def _work(self, chunk: _Chunk | None) -> None:
        chunk = chunk or self._chunks.get()
        while chunk is not None:
            if self._closed:
                return
            chunk.prepare(self._backend)
            if chunk.taken_away:
                return
            chunk = self._chunks.get()


def prepare_ahead(
    requests: Iterable[Request], backend: Preparer, workers: int, time_limit: float = TIME_LIMIT
) -> Generator[Prepared | Failed]:
    """Prepare requests in worker threads, a bounded number ahead of the consumer; order is kept.

    An example that takes longer than ``time_limit`` seconds is Failed, and its thread replaced. Close the generator
    when it is left early: that ends the threads.
    """
    stream = iter(requests)
    waiting: deque[_Chunk] = deque()
    ahead = max(2 * workers, AHEAD * backend.limits.max_examples // CHUNK)
    chunk_bytes = 0
    threads = _Threads(backend, workers)
    try:
        while True:
            allowed = min(ahead, max(workers, MAX_WAITING_BYTES // max(chunk_bytes, 1)))
            while len(waiting) < allowed and (requested := list(islice(stream, CHUNK))):
                waiting.append(_Chunk(requested))
                threads.put(waiting[-1])
            if not waiting:
                return
            chunk = waiting.popleft()
            if (rest := chunk.wait(time_limit)) is not None:
                waiting.appendleft(rest)
                threads.replace(chunk.thread, rest)
            elif chunk.error is not None:
                raise chunk.error
            chunk_bytes = max(chunk_bytes, sum(map(held_bytes, chunk.ready)))
            yield from chunk.ready
    finally:
        for chunk in waiting:
            chunk.taken_away = True
        threads.close()


def _prepare(backend: Preparer, request: Request) -> Prepared | Failed:
    try:
        return backend.prepare(request)
    except ExampleError as error:
        return Failed(request, str(error))
    except MemoryError:
        return Failed(request, "out of memory while the example was prepared")
    except EvalsuiteError:  # not one example's problem
        raise
    # Decoders meet broken files with every kind of error, and those written in Rust panic with a BaseException; one
    # example must not end the task, the error budget may.
    except BaseException as error:
        return Failed(request, unexpected(error, "was prepared"))


def unexpected(error: BaseException, when: str) -> str:
    """An error that nobody thought of in one line, with the place where it was raised."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    where = f"{Path(place.filename).name}:{place.lineno}"
    return f"unexpected {type(error).__name__} while the example {when}: {error} ({where})"


def held_bytes(item: Prepared | Failed) -> int:
    """Memory of what waits: the prepared payload, and the encoded images that the request still holds."""
    encoded = sum(len(getattr(visual, "data", b"")) for visual in item.request.visuals)
    return encoded + (item.nbytes if isinstance(item, Prepared) else 0)
