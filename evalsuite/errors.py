"""Every error that evalsuite raises on purpose.

    EvalsuiteError
    ├── SeveralErrors         all that is wrong with a run, found at once
    ├── UsageError            a wrong word in a command or a call (exit status 2)
    │   ├── UnknownName       no task, metric, backend, ... of that name; carries suggestions
    │   └── SpecError         a task spec that does not fit the schema: file, line, field
    ├── MissingDependency     an optional package or program is not installed
    ├── DataError             a data set as a whole is wrong: missing file, column, split
    ├── ExampleError          one example is wrong: broken image, missing field
    ├── BackendError          a model cannot be loaded or fails as a whole
    │   └── BackendOutOfMemory  a batch did not fit; the engine halves it
    ├── StoreError            a run folder or its store is damaged, locked or of another version
    └── ScoringError          predictions that cannot be scored

A message says what is wrong, where, and what to do. The command line prints it without a traceback.
"""

from __future__ import annotations

import contextlib
import difflib
import functools
import warnings
from collections.abc import Iterable, Iterator
from typing import Self

UNREADABLE = (OSError, ValueError, RecursionError)
"""What reading a JSON file may raise: no file, no text, no JSON, thousands of digits or levels."""


class EvalsuiteError(Exception):
    """Base of all errors raised on purpose.

    setting: what of a run's settings is wrong, as a file names it (``data_dir``, ``option.threads``), so that a message
    can say where it was given; "" where no setting is.
    """

    exit_status = 1
    setting = ""

    def about(self, setting: str) -> Self:
        """The same error, of this setting unless it names one already."""
        self.setting = self.setting or setting
        return self


class SeveralErrors(EvalsuiteError):
    """Everything that is wrong with a run, found at once: (message, error) of each."""

    def __init__(self, parts: Iterable[tuple[str, EvalsuiteError]]) -> None:
        self.parts = list(parts)
        self.exit_status = max(error.exit_status for _, error in self.parts)
        super().__init__("\n".join(message for message, _ in self.parts))


class UsageError(EvalsuiteError):
    """The command or call itself is wrong."""

    exit_status = 2


class UnknownName(UsageError):
    """There is no ``kind`` called ``name``; ``known`` are the valid ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str], where: str = "") -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        place = f"{where}: " if where else ""
        super().__init__(f"{place}unknown {kind} {name!r}. {did_you_mean(name, self.known)}")
        if where.startswith("--"):
            self.setting = where.lstrip("-").replace("-", "_")


class SpecError(UsageError):
    """A task spec does not fit the schema. ``problems`` has one line per mistake."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class MissingDependency(EvalsuiteError):
    """An optional package or program is needed but not installed."""

    def __init__(self, what: str, needs: str, extra: str | None = None, way_out: str = "") -> None:
        self.needs, self.extra = needs, extra
        if extra:
            way_out = f"pip install 'evalsuite[{extra}]'"
        self.way_out = way_out
        super().__init__(f"{what} needs {needs!r}, which is not installed: {way_out}")


class DataError(EvalsuiteError):
    """A data set as a whole cannot be used."""


class ExampleError(EvalsuiteError):
    """One example cannot be used; the run stores it as an error row and goes on."""


class BackendError(EvalsuiteError):
    """A backend cannot be set up, or fails for a reason that is not one example's."""


class BackendOutOfMemory(BackendError):
    """A batch did not fit into memory."""


class StoreError(EvalsuiteError):
    """A run folder or its store cannot be used."""


class ScoringError(EvalsuiteError):
    """Stored predictions cannot be scored."""


class Caution(UserWarning):
    """Something to know of a file or folder that stops nothing. The command line prints it as a note."""


@functools.cache
def caution(message: str) -> None:
    """Say it once in the life of the process."""
    warnings.warn(message, Caution, stacklevel=3)


@contextlib.contextmanager
def concerning(setting: str) -> Iterator[None]:
    """Errors that the block raises are about this setting, unless they name one already."""
    try:
        yield
    except EvalsuiteError as error:
        raise error.about(setting)  # noqa: B904 (it is the same error)


def did_you_mean(word: str, known: Iterable[str], limit: int = 12) -> str:
    """``Did you mean 'x'?`` for the nearest valid word, else the list of valid words.

    >>> did_you_mean("promt", ["prompt", "metrics"])
    "Did you mean 'prompt'?"
    >>> did_you_mean("zzz", ["prompt", "metrics"])
    'Known: metrics, prompt.'
    """
    words = sorted(set(known))
    word = word[:100]  # likeness takes the product of both lengths
    lowered = {candidate.lower(): candidate for candidate in words}
    near = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {lowered[near[0]]!r}?"
    if not words:
        return "None are known."
    shown = ", ".join(words[:limit])
    return f"Known: {shown}{', …' if len(words) > limit else ''}."
