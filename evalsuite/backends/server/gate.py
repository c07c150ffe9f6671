"""How many requests may be under way at once: fewer when the server is overloaded, slowly more when it is not."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

POLL = 0.2  # seconds between looks at the stop signal while waiting


class Gate:
    """Additive increase, multiplicative decrease, as congestion control does it.

    ``limit`` starts at ``most``. An overload halves it, once for all requests that were under way when it happened;
    each success adds 1 / limit, which is one more request per round of answers.
    """

    def __init__(self, most: int) -> None:
        self._most, self.limit = most, float(most)
        self._active = 0
        self._halved = 0.0  # when
        self._closed_until = 0.0
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def passage(self, stop: threading.Event) -> Iterator[float]:
        """Wait for a place and hold it; yields the time at which it was given. With ``stop`` set nobody waits."""
        with self._changed:
            while not stop.is_set():
                closed = self._closed_until - time.monotonic()
                if closed <= 0 and self._active < max(1, int(self.limit)):
                    break
                self._changed.wait(min(POLL, closed) if closed > 0 else POLL)
            self._active += 1
        try:
            yield time.monotonic()
        finally:
            with self._changed:
                self._active -= 1
                self._changed.notify()

    def overloaded(self, since: float) -> None:
        """A request that passed at ``since`` met an overload."""
        with self._changed:
            if since > self._halved:
                self.limit, self._halved = max(1.0, self.limit / 2), time.monotonic()

    def close_for(self, seconds: float) -> None:
        """Let nobody pass for so long: the server asked for it."""
        with self._changed:
            self._closed_until = max(self._closed_until, time.monotonic() + seconds)

    def succeeded(self) -> None:
        with self._changed:
            self.limit = min(float(self._most), self.limit + 1 / self.limit)
            self._changed.notify()
