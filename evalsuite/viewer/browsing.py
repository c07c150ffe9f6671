"""What a viewer asks of runs: splits, scores of single examples, and pages of examples that fit a filter."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from evalsuite.answers.parsing import parse_answer
from evalsuite.comparison.answers import RunAnswers
from evalsuite.errors import StoreError, UnknownName, caution
from evalsuite.inspection.overlays import Shape, answer_shapes
from evalsuite.inspection.pictures import Picture
from evalsuite.inspection.references import reference_views
from evalsuite.inspection.visible import printable, visible
from evalsuite.metrics import load_metric
from evalsuite.runs.folder import STORE
from evalsuite.runs.store import PredictionStore
from evalsuite.scoring.mending import mend_results
from evalsuite.types import FILTER, LENGTH, Prediction
from evalsuite.viewer.index import SplitIndex, split_index
from evalsuite.viewer.media import ExampleReader
from evalsuite.viewer.records import FEW_RUNS, PAGE, Answered, Card, Page, Query, pages_of

if TYPE_CHECKING:
    from evalsuite.specs import TaskRegistry

QUICK = 5_000
"""A page of so many examples or more does not wait for scores that nobody sorts or filters by."""
ANSWER_COLOURS = (2, 5, 4)
_ENDED = {LENGTH: "cut at the token limit", FILTER: "withheld by a filter"}
REFERENCE = -1
"""In place of a run: the first reference."""


@dataclass
class Browser:
    """Runs to look at, each of which gives examples; answers of others are set beside them by id.

    Stores are read page by page; only a small index of a split stays in memory, as it was when first asked for. Safe to
    call from several threads.
    """

    runs: list[RunAnswers]
    _indexing: threading.Lock = field(default_factory=threading.Lock)
    _splits: dict[tuple[int, str], list[str]] = field(default_factory=dict)
    _indexes: dict[tuple[int, str, str], SplitIndex] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._reader = ExampleReader(self.runs)

    @classmethod
    def open(cls, folders: Sequence[Path], registry: TaskRegistry | None = None) -> Browser:
        """Damaged results are made again where that is possible. Raises StoreError when a folder is no run."""
        runs = [RunAnswers.open(folder, registry) for folder in folders]
        for folder in folders:
            try:
                mend_results(folder)
            except StoreError as error:  # the page leaves them out, and says so
                caution(str(error))
        return cls(runs)

    def splits(self) -> list[tuple[str, str, str, int]]:
        """(task, split, title, number of the first run that has it) of everything that has answers."""
        found: dict[tuple[str, str], tuple[str, int]] = {}
        for number, run in enumerate(self.runs):
            for task in run.tasks():
                asked = run.manifest["tasks"][task]["stops"]
                if any((task, split) not in found for split in asked):  # else the store need not be opened
                    for split in self.splits_of(number, task):
                        found.setdefault((task, split), (run.spec(task).title, number))
        return [(*place, *rest) for place, rest in found.items()]

    def splits_of(self, run: int, task: str) -> list[str]:
        """Splits of a run's task that have answers, as they were when first asked for."""
        if (run, task) not in self._splits:
            answers = self.runs[run]
            self._splits[run, task] = answers.splits(task) if task in answers.tasks() else []
        return self._splits[run, task]

    def strata(self, query: Query) -> list[str]:
        """``name=value`` of the groups of a split, most frequent first, at most a hundred. Waits for the index."""
        return list(self._index(query.run, query.task, query.split).strata())[:100]

    def beside(self, query: Query) -> tuple[int, ...]:
        """Numbers of the runs whose answers stand beside those of the query's run."""
        others = tuple(number for number in range(len(self.runs)) if number != query.run)
        if query.beside is None:
            return others if len(self.runs) <= FEW_RUNS else ()
        return tuple(number for number in query.beside if number in others)

    def page(self, query: Query, *, quick: bool = False) -> Page:
        """The examples that fit, one page of them. Raises UnknownName for a task or split that is not there.

        quick: a page of a large split that is neither filtered nor sorted comes without scores while these are not yet
        known; they are then made in the background.
        """
        self.check(query)
        if quick and query.is_plain and not self._is_indexed(query):
            total = self._stored_count(query)
            if total >= QUICK:
                threading.Thread(target=self.wait, args=(query,), daemon=True).start()
                return self._quick_page(query, total)
        index = self._index(query.run, query.task, query.split)
        places = np.flatnonzero(self._fitting(index, query))
        if query.sort != "position":
            values = index.values[places]
            places = places[np.argsort(values if query.sort == "lowest" else -values, kind="stable")]  # NaN last
        page = min(max(query.page, 0), pages_of(len(places)) - 1)
        shown = index.positions[places[page * PAGE : (page + 1) * PAGE]].tolist()
        self._reader.announce(query.run, query.task, query.split, shown)
        return Page(self._cards(query, shown), len(places), len(index), page, index.problem)

    def wait(self, query: Query) -> None:
        """Until the scores of the query's run, and of those beside it, are known."""
        self.check(query)
        for number in (query.run, *self.beside(query)):
            self._index(number, query.task, query.split)

    def pictures(self, query: Query, position: int) -> tuple[Sequence[Picture], str]:
        """The example's pictures with what its references say about places, and why there are none, if so."""
        self.check(query)
        pictures, problem = self._reader.pictures(query.run, query.task, query.split, position)
        if len(pictures) == 1:
            shapes = self._places(query, position, (pictures[0].height, pictures[0].width))
            pictures = [replace(pictures[0], shapes=(*pictures[0].shapes, *shapes))]
        return pictures, problem

    def text(self, query: Query, position: int, of: int) -> str:
        """The text that is scored at a position of the query's run: of a run's answer, or of the first reference."""
        self.check(query)
        for item in self._at(query, [position]):
            if of == REFERENCE:
                return str(next(iter(item.references or ()), ""))
            answer = item if of == query.run else self._stored(of, query, [item.key.id]).get(item.key.id)
            return "" if answer is None else parse_answer(answer.text, self.runs[of].spec(query.task).parsing)
        return ""

    def headline(self, query: Query) -> str:
        """Name of the task's headline metric."""
        return self.runs[query.run].spec(query.task).headline().name

    def check(self, query: Query) -> None:
        """Raises UnknownName for a run, task or split that is not there."""
        if not 0 <= query.run < len(self.runs):
            raise UnknownName("run", str(query.run), map(str, range(len(self.runs))))
        run = self.runs[query.run]
        if query.task not in run.tasks():
            raise UnknownName("task", query.task, run.tasks())
        if query.split not in (known := self.splits_of(query.run, query.task)):
            raise UnknownName(f"split of {query.task}", query.split, known)

    def _places(self, query: Query, position: int, size: tuple[int, int]) -> list[Shape]:
        """Where the answers say that something is, for metrics that score places; each run has a colour."""
        use = self.runs[query.run].spec(query.task).headline()
        metric = load_metric(use.name, **use.parameters)
        scale = getattr(metric, "box_scale", None)
        if scale is None:
            return []
        found: list[Shape] = []
        for place, number in enumerate((query.run, *self.beside(query))):
            text, colour = self.text(query, position, number), ANSWER_COLOURS[place % len(ANSWER_COLOURS)]
            first = getattr(metric, "text_first", False)
            found += answer_shapes(text, size, colour, box_scale=scale, text_first=first)
        return found

    def _is_indexed(self, query: Query) -> bool:
        numbers = (query.run, *self.beside(query))
        return all((number, query.task, query.split) in self._indexes for number in numbers)

    def _stored_count(self, query: Query) -> int:
        stop = self.runs[query.run].manifest["tasks"][query.task]["stops"].get(query.split)
        with self._store(query.run) as store:
            return store.count(query.task, query.split, stop).stored

    def _quick_page(self, query: Query, total: int) -> Page:
        page = min(max(query.page, 0), pages_of(total) - 1)
        stop = self.runs[query.run].manifest["tasks"][query.task]["stops"].get(query.split)
        with self._store(query.run) as store:
            shown = store.positions(query.task, query.split, stop, page * PAGE, PAGE)
        self._reader.announce(query.run, query.task, query.split, shown)
        return Page(self._cards(query, shown, scored=False), total, total, page, waiting=True)

    def _store(self, run: int) -> PredictionStore:
        return PredictionStore(self.runs[run].folder / STORE, read_only=True)

    def _fitting(self, index: SplitIndex, query: Query) -> NDArray[np.bool_]:
        """Which examples are asked for. Without a value an example has no score to be within bounds."""
        chosen = np.ones(len(index), bool)
        if query.stratum:
            chosen &= index.of_group(query.stratum)
        if query.low is not None:
            chosen &= index.values >= query.low
        if query.high is not None:
            chosen &= index.values <= query.high
        if query.show == "failed":
            chosen &= index.failed
        elif query.show != "all":
            others = self.beside(query)
            gains = index.gains(self._index(others[0], query.task, query.split)) if others else np.zeros(len(index))
            chosen &= gains != 0 if query.show == "changed" else gains > 0 if query.show == "better" else gains < 0
        if query.text:
            with self._store(query.run) as store:
                positions = store.positions_with(query.task, query.split, query.text)
            chosen &= np.isin(index.positions, np.fromiter(positions, np.int64, len(positions)))
        return chosen

    def _index(self, run: int, task: str, split: str) -> SplitIndex:
        """Made at the first question; of a run without the split it is empty."""
        with self._indexing:
            key = (run, task, split)
            if key not in self._indexes:
                answers = self.runs[run]
                here = split in self.splits_of(run, task)
                self._indexes[key] = split_index(answers, task, split) if here else SplitIndex.empty()
            return self._indexes[key]

    def _cards(self, query: Query, positions: Sequence[int], *, scored: bool = True) -> list[Card]:
        numbers = (query.run, *self.beside(query))
        items = {item.position: item for item in self._at(query, positions)}
        ids = [item.key.id for item in items.values()]
        stored = {number: self._stored(number, query, ids) for number in numbers[1:]}
        stored[query.run] = {item.key.id: item for item in items.values()}
        cards = []
        for position in positions:
            first = items[position]
            answers = [
                _answered(
                    self.runs[number].name, number, item, self._value(number, query, item.position) if scored else None
                )
                for number in numbers
                if (item := stored[number].get(first.key.id)) is not None
            ]
            references = reference_views(first.references or ())
            cards.append(
                Card(printable(first.key.id), position, visible(first.prompt), references, first.strata, answers)
            )
        return cards

    def _value(self, run: int, query: Query, position: int) -> float | None:
        return self._index(run, query.task, query.split).value(position)

    def _at(self, query: Query, positions: Sequence[int]) -> list[Prediction]:
        with self._store(query.run) as store:
            return list(store.at_positions(query.task, query.split, positions))

    def _stored(self, run: int, query: Query, ids: Sequence[str]) -> dict[str, Prediction]:
        if query.split not in self.splits_of(run, query.task):
            return {}
        with self._store(run) as store:
            return {item.key.id: item for item in store.with_ids(query.task, query.split, ids)}


def _answered(run: str, number: int, item: Prediction, value: float | None) -> Answered:
    view = reference_views([item.text])[0]
    ended = _ENDED.get(str(item.details.get("ended")), "")
    return Answered(run, number, view.text, value, printable(item.error or ""), view.table, view.long, ended)
