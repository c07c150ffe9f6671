"""What the engine tells while it works; the command line shows it, a library user may ignore it."""

from __future__ import annotations

from typing import Protocol


class Observer(Protocol):
    def started(self, total: int | None) -> None:
        """The run begins; ``total`` examples are to be answered (None: not known)."""
        ...

    def task_started(self, task: str, total: int | None, stored: int) -> None: ...

    def advanced(self, task: str, answered: int, failed: int, skipped: int = 0) -> None:
        """That many more examples of the task were stored; ``skipped`` ones are done too, and not stored."""
        ...

    def task_ended(self, task: str, message: str | None) -> None:
        """``message`` is None when the task was done, else why it failed."""
        ...

    def process_said(self, number: int, line: str) -> None:
        """A process of ``--devices`` wrote a line."""
        ...

    def note(self, message: str) -> None:
        """Something the user should know that stops nothing."""
        ...


class Silent:
    """Says nothing."""

    def started(self, total: int | None) -> None: ...
    def task_started(self, task: str, total: int | None, stored: int) -> None: ...
    def advanced(self, task: str, answered: int, failed: int, skipped: int = 0) -> None: ...
    def task_ended(self, task: str, message: str | None) -> None: ...
    def process_said(self, number: int, line: str) -> None: ...
    def note(self, message: str) -> None: ...
