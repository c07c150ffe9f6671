"""Which examples were under way when a run crashed, so that one that crashes it every time does not stop it for ever.

A decoder or a kernel that crashes takes the whole process with it (a segmentation fault, an abort). So the positions of
what is being prepared and answered stand in a file beside the store. After a crash they come first and one by one when
the same command is given again, so that the one to blame is known; one that crashed the run TRIES times becomes an
error row. A process that was killed from outside blames nobody: the interpreter notes crashes alone.
"""

from __future__ import annotations

import contextlib
import faulthandler
import itertools
import json
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from evalsuite.backends.base import Backend, BatchLimits, Prepared
from evalsuite.errors import StoreError
from evalsuite.files.writing import write_json
from evalsuite.runs.failures import log_failure
from evalsuite.types import ExampleKey, Generation, JsonValue, Request

TRIES = 3
CRASHES = "crashes.json"
"""In a run folder: [task, split, position, crashes] of every example that was under way in a crash."""
_TRACEBACK, _UNDER_WAY = ".crash", ".under-way"
_SLOT = 4096  # bytes for one thread

Place = tuple[str, str, int]


class FlightRecorder:
    """Notes what is under way: two small writes per example and per batch, which the system keeps after a crash."""

    def __init__(self, file: int, crashes: Counter[Place]) -> None:
        self._file, self._crashes = file, crashes
        self._slots = itertools.count()
        self._own = threading.local()

    def crashes(self, task: str, split: str) -> dict[int, int]:
        """Position -> crashes in which that example was under way."""
        return {at: count for (name, part, at), count in self._crashes.items() if (name, part) == (task, split)}

    def note(self, text: bytes) -> None:
        """The calling thread is at these examples now: a line of JSON for each."""
        slot = getattr(self._own, "slot", None)
        if slot is None:
            slot = self._own.slot = next(self._slots)
        os.pwrite(self._file, text[: _SLOT - 1] + b"\0", slot * _SLOT)

    def watched(self, backend: Backend, task: str, split: str, position: Callable[[ExampleKey], int]) -> Backend:
        """The backend, with a note of everything that it prepares and answers."""
        return _Watched(backend, self, json.dumps([task, split]).removesuffix("]"), position)


class _Watched:
    def __init__(
        self, backend: Backend, recorder: FlightRecorder, begin: str, position: Callable[[ExampleKey], int]
    ) -> None:
        self._backend, self._note = backend, recorder.note
        self._begin, self._position = begin, position

    @property
    def limits(self) -> BatchLimits:
        return self._backend.limits

    def describe(self) -> Mapping[str, JsonValue]:
        return self._backend.describe()

    def prepare(self, request: Request) -> Prepared:
        self._note(self._line(request))
        try:
            return self._backend.prepare(request)
        finally:
            self._note(b"")

    def generate(self, batch: Sequence[Prepared]) -> list[Generation]:
        self._note(b"".join(self._line(item.request) for item in batch))
        try:
            return self._backend.generate(batch)
        finally:
            self._note(b"")

    def close(self) -> None:
        self._backend.close()

    def _line(self, request: Request) -> bytes:
        return f"{self._begin}, {self._position(request.key)}]\n".encode()


@contextlib.contextmanager
def recording(folder: Path) -> Iterator[FlightRecorder]:
    """Watch one session, after counting what the last one crashed at. Raises StoreError when that cannot be written.

    Where the interpreter's crash handler is in use already, it is left alone, and crashes are not noticed.
    """
    crashes = _count_last_crash(folder)
    traceback, under_way = folder / _TRACEBACK, folder / _UNDER_WAY
    try:
        with open(traceback, "wb") as tracebacks, open(under_way, "wb") as file:
            is_ours = not faulthandler.is_enabled()
            if is_ours:
                faulthandler.enable(tracebacks)
            try:
                yield FlightRecorder(file.fileno(), crashes)
            finally:
                if is_ours:
                    faulthandler.disable()
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror or error})") from error
    finally:
        for path in (traceback, under_way):
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _count_last_crash(folder: Path) -> Counter[Place]:
    crashes = _read(folder / CRASHES)
    try:
        traceback = (folder / _TRACEBACK).read_text("utf-8", "replace")
        noted = (folder / _UNDER_WAY).read_bytes()
    except OSError:
        return crashes
    if not traceback:
        return crashes
    slots = (noted[at : at + _SLOT].split(b"\0")[0] for at in range(0, len(noted), _SLOT))
    under_way = [_place(json.loads(line)) for slot in slots for line in slot.splitlines() if line.endswith(b"]")]
    crashes.update(set(under_way))
    names = ", ".join(f"{task}/{split} position {at}" for task, split, at in sorted(set(under_way)))
    log_failure(folder, "crash", f"the run crashed; under way were {names or 'no examples'}\n{traceback}")
    write_json(folder / CRASHES, [[*place, count] for place, count in crashes.items()])
    return crashes


def _read(path: Path) -> Counter[Place]:
    try:
        entries = json.loads(path.read_text("utf-8"))
        return Counter({_place(entry): int(entry[3]) for entry in entries})
    except FileNotFoundError:
        return Counter()
    except (OSError, ValueError, TypeError, IndexError) as error:
        raise StoreError(f"{path}: cannot be read ({error}); remove it to try its examples again") from error


def _place(entry: Sequence[JsonValue]) -> Place:
    return str(entry[0]), str(entry[1]), int(entry[2])
