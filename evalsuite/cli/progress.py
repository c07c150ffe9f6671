"""Progress of a run: a live display in a terminal, plain lines elsewhere, nothing with --quiet."""

from __future__ import annotations

import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from evalsuite.cli.printing import say
from evalsuite.inspection.visible import printable
from evalsuite.redaction import without_secrets

if TYPE_CHECKING:
    from rich.progress import TaskID

LINE_EVERY_SECONDS = 10.0


class QuietProgress:
    """Only notes, which nobody should miss; failures are named at the end of every run."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        return None

    def started(self, total: int | None) -> None:
        return None

    def task_started(self, task: str, total: int | None, stored: int) -> None:
        return None

    def advanced(self, task: str, answered: int, failed: int, skipped: int = 0) -> None:
        return None

    def task_ended(self, task: str, message: str | None) -> None:
        return None

    def process_said(self, number: int, line: str) -> None:
        return None

    def note(self, message: str) -> None:
        say(f"note: {message}", err=True)


class LinesProgress(QuietProgress):
    """A line when a task ends, and now and then within a long one."""

    def __init__(self) -> None:
        self._total: int | None = None
        self._done = self._failed = self._skipped = self._stored = 0
        self._task_total: int | None = None
        self._begin = self._shown = self._run_begin = time.monotonic()
        self._run_done = 0
        self._told: set[str] = set()

    def started(self, total: int | None) -> None:
        self._total = total
        self._run_begin = time.monotonic()

    def task_started(self, task: str, total: int | None, stored: int) -> None:
        self._task_total, self._done, self._stored = total, stored, stored
        self._failed = self._skipped = 0
        self._begin = self._shown = time.monotonic()

    def advanced(self, task: str, answered: int, failed: int, skipped: int = 0) -> None:
        self._done += answered
        self._failed += failed
        self._skipped += skipped
        self._run_done += answered + failed + skipped
        if time.monotonic() - self._shown >= LINE_EVERY_SECONDS:
            self._shown = time.monotonic()
            say(self._line(task), err=True)

    def process_said(self, number: int, line: str) -> None:
        say(f"[{number}] {line}", err=True)

    def task_ended(self, task: str, message: str | None) -> None:
        ending = ""
        if message:
            ending = " — failed as above" if message in self._told else f" — failed: {message}"
            self._told.add(message)
        say(self._line(task) + ending, err=True)

    def _line(self, task: str) -> str:
        seconds = max(time.monotonic() - self._begin, 1e-9)
        rate = (self._done - self._stored + self._failed + self._skipped) / seconds
        total = f"/{self._task_total}" if self._task_total is not None else ""
        failed = f", {self._failed} failed" if self._failed else ""
        skipped = f", {self._skipped} skipped" if self._skipped else ""
        return f"{task}: {self._done}{total} examples{failed}{skipped}, {rate:.1f}/s{self._time_left()}"

    def _time_left(self) -> str:
        left = (self._total or 0) - self._run_done
        if self._total is None or left <= 0 or not self._run_done:
            return ""
        seconds = left * (time.monotonic() - self._run_begin) / self._run_done
        return f", about {seconds / 60:.0f} min left" if seconds >= 90 else f", about {seconds:.0f} s left"


class LiveProgress(QuietProgress):
    """A bar per task with rate and time left (rich)."""

    def __enter__(self) -> Self:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._bars: dict[str, tuple[TaskID, float, int]] = {}
        self._overall: TaskID | None = None
        self._progress.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._progress.stop()

    def started(self, total: int | None) -> None:
        self._overall = self._progress.add_task("all", total=total, rate="")
        self._begin, self._done = time.monotonic(), 0

    def task_started(self, task: str, total: int | None, stored: int) -> None:
        bar = self._progress.add_task(task, total=total, completed=stored, rate="")
        self._bars[task] = (bar, time.monotonic(), 0)

    def advanced(self, task: str, answered: int, failed: int, skipped: int = 0) -> None:
        bar, begin, done = self._bars[task]
        done += answered + failed + skipped
        self._done += answered + failed + skipped
        self._bars[task] = (bar, begin, done)
        self._progress.update(bar, advance=answered + failed + skipped, rate=_rate(done, begin))
        if self._overall is not None:
            self._progress.update(
                self._overall, advance=answered + failed + skipped, rate=_rate(self._done, self._begin)
            )

    def task_ended(self, task: str, message: str | None) -> None:
        if message:
            self.note(f"{task}: {message}")

    def process_said(self, number: int, line: str) -> None:
        self.note(f"[{number}] {line}")

    def note(self, message: str) -> None:
        from rich.markup import escape

        self._progress.console.print(escape(printable(without_secrets(message))), highlight=False)


def _rate(done: int, begin: float) -> str:
    return f"{done / max(time.monotonic() - begin, 1e-9):.1f}/s"
