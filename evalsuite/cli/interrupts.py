"""Ctrl-C, and a batch scheduler's SIGTERM: the run ends cleanly, and soon, whatever it is doing."""

from __future__ import annotations

import os
import select
import signal
import threading
import time

INTERRUPTED = 130
INTERRUPTED_MESSAGE = "\ninterrupted; what was answered is stored. Give the same command again to resume."
GRACE_SECONDS = 8.0  # schedulers that send SIGTERM kill after 10 s or more


def end_cleanly_when_interrupted() -> None:
    """Raise KeyboardInterrupt in the main thread at the first signal; end the process at once at a second one.

    A main thread that does not come to its end within GRACE_SECONDS, because it is inside a library or waits for a
    disk, is ended as well. What is stored is safe either way, and the run can be resumed.
    """
    numbers = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN]
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    for number in numbers:
        signal.signal(number, _interrupt)
    # Python runs its handlers between two steps of the main thread only; this pipe is written to at once.
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader, frozenset(numbers)), name="interrupts", daemon=True).start()


def _interrupt(*_: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):  # a second one is the watching thread's business alone
        if signal.getsignal(number) is _interrupt:
            signal.signal(number, _nothing)
    raise KeyboardInterrupt


def _nothing(*_: object) -> None: ...


def _watch(reader: int, numbers: frozenset[int]) -> None:
    received, deadline = 0, None
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not select.select([reader], [], [], left)[0]:
            _end(f"interrupted, and not at its end after {GRACE_SECONDS:g} s: ended at once")
        received += sum(number in numbers for number in os.read(reader, 64))
        if received > 1:
            _end("interrupted twice: ended at once")
        if received and deadline is None:
            deadline = time.monotonic() + GRACE_SECONDS


def _end(reason: str) -> None:
    os.write(2, f"\n{reason}. Give the same command again to resume.\n".encode())
    os._exit(INTERRUPTED)
