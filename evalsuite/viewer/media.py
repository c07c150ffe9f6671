"""The pictures of single examples, from data that can be read in order only."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalsuite.asking.requests import RequestBuilder
from evalsuite.comparison.answers import RunAnswers
from evalsuite.data import BadExample, TaskData
from evalsuite.errors import EvalsuiteError
from evalsuite.inspection.pictures import Picture
from evalsuite.inspection.views import view_example
from evalsuite.specs.schema import TaskSpec
from evalsuite.types import Example

PICTURE_BYTES = 250_000
REMEMBERED = 256
BEHIND = 120
"""A reading from the start also keeps so many examples before those asked for: who pages back needs them next."""

_Place = tuple[int, str, str]  # number of the run, task, split


@dataclass
class _Cursor:
    """A reading of a split that stands behind the example at ``passed``. Only ``wanted`` examples are made."""

    place: _Place
    examples: Iterator[Example | BadExample]
    wanted: set[int]
    passed: int = -1


@dataclass
class ExampleReader:
    """Opens the data of runs, and finds examples in them by position. Safe to call from several threads.

    The examples of a page are found together, in one reading; the next page goes on where it stopped.
    """

    runs: Sequence[RunAnswers]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _data: dict[tuple[int, str], TaskData | str] = field(default_factory=dict)
    _pages: OrderedDict[tuple[_Place, int], Sequence[int]] = field(default_factory=OrderedDict)
    _found: OrderedDict[tuple[_Place, int], Example | BadExample] = field(default_factory=OrderedDict)
    _cursor: _Cursor | None = None

    def announce(self, run: int, task: str, split: str, positions: Sequence[int]) -> None:
        """These examples are shown together: when one of them is asked for, the others will be."""
        with self._lock:
            for position in positions:
                self._pages[(run, task, split), position] = positions
            _forget_oldest(self._pages)

    def pictures(self, run: int, task: str, split: str, position: int) -> tuple[Sequence[Picture], str]:
        """The example's pictures with what its references say about places, and why there are none, if so."""
        place = (run, task, split)
        with self._lock:
            data = self._opened(run, task)
            if isinstance(data, str):
                return (), data
            try:
                example = self._example(place, data, position)
            except (EvalsuiteError, OSError) as error:
                self._cursor = None
                return (), f"the data of this run cannot be read: {error}"
        if example is None:
            return (), "the data no longer hold this example"
        spec = TaskSpec.model_validate(self.runs[run].kept_spec(task))
        view = view_example(example, RequestBuilder(spec), PICTURE_BYTES)
        return view.pictures, view.error

    def _example(self, place: _Place, data: TaskData, position: int) -> Example | BadExample | None:
        if (place, position) not in self._found:
            self._read(place, data, sorted(self._pages.get((place, position), (position,))))
        return self._found.get((place, position))

    def _read(self, place: _Place, data: TaskData, positions: Sequence[int]) -> None:
        cursor = self._cursor
        if cursor is None or cursor.place != place or cursor.passed >= positions[0]:
            wanted = set(range(max(0, positions[0] - BEHIND), positions[0]))
            cursor = self._cursor = _Cursor(place, iter(data.examples(place[2], start=wanted.__contains__)), wanted)
        cursor.wanted.update(positions)
        while cursor.passed < positions[-1]:
            example = next(cursor.examples, None)
            if example is None:
                self._cursor = None
                break
            cursor.passed = example.position
            self._found[place, example.position] = example
        cursor.wanted.clear()
        _forget_oldest(self._found)

    def _opened(self, run: int, task: str) -> TaskData | str:
        """The data of the run, or why they cannot be opened."""
        if (run, task) not in self._data:
            self._data[run, task] = _open_data(self.runs[run], task)
        return self._data[run, task]


def _forget_oldest(remembered: OrderedDict[tuple[_Place, int], Any]) -> None:
    while len(remembered) > REMEMBERED:
        remembered.popitem(last=False)


def _open_data(run: RunAnswers, task: str) -> TaskData | str:
    try:
        return run.data(task)
    except (EvalsuiteError, ValueError) as error:
        return f"the data of this run cannot be opened: {error}"
