"""What a viewer asks of runs: splits, scores of single examples, and pages of examples that fit a filter."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.comparison.answers import RunAnswers
from evalsuite.data import BadExample, TaskData, open_task_data
from evalsuite.errors import EvalsuiteError, UnknownName
from evalsuite.inspection.pictures import Picture
from evalsuite.inspection.references import ReferenceView, reference_views
from evalsuite.inspection.views import view_example
from evalsuite.inspection.visible import printable, visible
from evalsuite.metrics import WeightedMetric, load_metric
from evalsuite.prompts import RequestBuilder
from evalsuite.runfolder import STORE
from evalsuite.scoring import answer_of
from evalsuite.specs.schema import TaskSpec
from evalsuite.store import PredictionStore
from evalsuite.types import Example, Prediction

if TYPE_CHECKING:
    from evalsuite.specs import TaskRegistry

PAGE = 24
PICTURE_BYTES = 250_000
SHOWN = ("all", "failed", "changed", "better", "worse")
SORTS = ("position", "lowest", "highest")


@dataclass(frozen=True, slots=True)
class Query:
    """Which examples of a split, and in which order. low, high: of the example's own value, in paper units."""

    task: str
    split: str
    text: str = ""
    stratum: str = ""
    show: str = "all"
    sort: str = "position"
    low: float | None = None
    high: float | None = None
    page: int = 0


@dataclass(frozen=True, slots=True)
class Answered:
    """What one run said to an example. value: the example's own value in paper units, None where it has none alone."""

    run: str
    text: str
    value: float | None
    error: str
    table: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """One example on a page."""

    id: str
    position: int
    prompt: str
    references: Sequence[ReferenceView]
    strata: Mapping[str, str]
    answers: Sequence[Answered]


@dataclass(frozen=True, slots=True)
class Page:
    """Cards of one page, and of how many examples they are a part."""

    cards: Sequence[Card]
    found: int
    total: int
    page: int

    @property
    def pages(self) -> int:
        return max(1, math.ceil(self.found / PAGE))


@dataclass(frozen=True, slots=True)
class _Row:
    """What filters and sorting need of an example; the rest stays in the store."""

    position: int
    id: str
    value: float | None
    failed: bool
    strata: Mapping[str, str]


@dataclass
class Browser:
    """Runs to look at. The first one gives tasks and examples; the others are set beside it by id.

    Stores are read page by page; only ids and values of a split stay in memory. Safe to call from several threads.
    """

    runs: list[RunAnswers]
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _rows: dict[tuple[int, str, str], list[_Row]] = field(default_factory=dict)
    _data: dict[str, TaskData | str] = field(default_factory=dict)

    @classmethod
    def open(cls, folders: Sequence[Path], registry: TaskRegistry | None = None) -> Browser:
        """Raises StoreError when a folder is no run."""
        return cls([RunAnswers.open(folder, registry) for folder in folders])

    def splits(self) -> list[tuple[str, str, str]]:
        """(task, split, title) of everything that has answers."""
        run = self.runs[0]
        return [(task, split, run.spec(task).title) for task in run.tasks() for split in run.splits(task)]

    def strata(self, task: str, split: str) -> list[str]:
        """``name=value`` of all groups of a split, most frequent first, at most a hundred."""
        counts: dict[str, int] = {}
        for row in self._split_rows(0, task, split):
            for name, value in row.strata.items():
                counts[f"{name}={value}"] = counts.get(f"{name}={value}", 0) + 1
        return sorted(counts, key=lambda name: -counts[name])[:100]

    def page(self, query: Query) -> Page:
        """The examples that fit, one page of them. Raises UnknownName for a task or split that is not there."""
        self._check(query.task, query.split)
        rows = self._split_rows(0, query.task, query.split)
        chosen = [row for row in rows if _fits(row, query) and self._shown(row, query)]
        if query.text:
            inside = self._positions_with(query)
            chosen = [row for row in chosen if row.position in inside]
        if query.sort != "position":
            sign = 1 if query.sort == "lowest" else -1
            chosen.sort(key=lambda row: (row.value is None, sign * (row.value or 0.0), row.position))
        last = max(0, math.ceil(len(chosen) / PAGE) - 1)
        page = min(max(query.page, 0), last)
        shown = chosen[page * PAGE : (page + 1) * PAGE]
        return Page(self._cards(query.task, query.split, shown), len(chosen), len(rows), page)

    def pictures(self, task: str, split: str, position: int) -> tuple[Sequence[Picture], str]:
        """The example's pictures with what its references say about places, and why there are none, if so.

        Raises UnknownName for a task or split that is not there.
        """
        self._check(task, split)
        data = self._task_data(task)
        if isinstance(data, str):
            return (), data
        example = self._example(task, split, position)
        if example is None:
            return (), "the data no longer hold this example"
        spec = TaskSpec.model_validate(self.runs[0].kept_spec(task))
        view = view_example(example, RequestBuilder(spec), PICTURE_BYTES)
        return view.pictures, view.error

    def _check(self, task: str, split: str) -> None:
        run = self.runs[0]
        if task not in run.tasks():
            raise UnknownName("task", task, run.tasks())
        if split not in run.splits(task):
            raise UnknownName(f"split of {task}", split, run.splits(task))

    def _shown(self, row: _Row, query: Query) -> bool:
        if query.show == "failed":
            return row.failed
        if query.show == "all":
            return True
        change = self._change(row, query)
        return change != 0 if query.show == "changed" else change > 0 if query.show == "better" else change < 0

    def _change(self, row: _Row, query: Query) -> float:
        """By how much the second run is better on this example; 0 without a second run or a value."""
        if len(self.runs) < 2:
            return 0.0
        other = self._values_by_id(1, query.task, query.split).get(row.id)
        if other is None or row.value is None:
            return 0.0
        difference = other - row.value
        return difference if self._higher_is_better(query.task) else -difference

    @lru_cache(maxsize=512)  # noqa: B019 (a browser lives as long as its process)
    def _higher_is_better(self, task: str) -> bool:
        use = self.runs[0].spec(task).headline()
        return load_metric(use.name, **use.parameters).values[0].higher_is_better

    @lru_cache(maxsize=32)  # noqa: B019
    def _values_by_id(self, run: int, task: str, split: str) -> Mapping[str, float | None]:
        return {row.id: row.value for row in self._split_rows(run, task, split)}

    def _split_rows(self, run: int, task: str, split: str) -> list[_Row]:
        with self._lock:
            key = (run, task, split)
            if key not in self._rows:
                self._rows[key] = list(_scored_rows(self.runs[run], task, split))
            return self._rows[key]

    def _positions_with(self, query: Query) -> set[int]:
        """Positions whose prompt, answer or references hold the text, upper and lower case alike."""
        with PredictionStore(self.runs[0].folder / STORE, read_only=True) as store:
            return store.positions_with(query.task, query.split, query.text)

    def _cards(self, task: str, split: str, rows: Sequence[_Row]) -> list[Card]:
        stored = [self._stored(run, task, split, [row.id for row in rows]) for run in range(len(self.runs))]
        values = [self._values_by_id(run, task, split) for run in range(len(self.runs))]
        cards = []
        for row in rows:
            first = stored[0][row.id]
            answers = [
                _answered(self.runs[run].name, found, values[run].get(row.id))
                for run in range(len(self.runs))
                if (found := stored[run].get(row.id)) is not None
            ]
            references = reference_views(first.references or ())
            cards.append(Card(printable(row.id), row.position, visible(first.prompt), references, row.strata, answers))
        return cards

    def _stored(self, run: int, task: str, split: str, ids: Sequence[str]) -> dict[str, Prediction]:
        answers = self.runs[run]
        if task not in answers.tasks() or split not in answers.splits(task):
            return {}
        with PredictionStore(answers.folder / STORE, read_only=True) as store:
            return {item.key.id: item for item in store.with_ids(task, split, ids)}

    def _task_data(self, task: str) -> TaskData | str:
        """The data of the run, or why they cannot be opened."""
        with self._lock:
            if task not in self._data:
                self._data[task] = _open_data(self.runs[0], task)
            return self._data[task]

    @lru_cache(maxsize=256)  # noqa: B019 (a browser lives as long as its process)
    def _example(self, task: str, split: str, position: int) -> Example | BadExample | None:
        data = self._task_data(task)
        if isinstance(data, str):
            return None
        with self._lock:
            found = data.examples(split, start=lambda place: place == position, stop=position + 1)
            return next(iter(found), None)

    def __hash__(self) -> int:
        return id(self)


def _fits(row: _Row, query: Query) -> bool:
    """Whether group and value are those asked for."""
    if query.stratum:
        name, _, value = query.stratum.partition("=")
        if row.strata.get(name) != value:
            return False
    if query.low is not None and (row.value is None or row.value < query.low):
        return False
    return query.high is None or (row.value is not None and row.value <= query.high)


def _scored_rows(run: RunAnswers, task: str, split: str) -> Iterator[_Row]:
    """Every stored example with its own headline value."""
    if task not in run.tasks() or split not in run.splits(task):
        return
    spec = run.spec(task)
    use = spec.headline()
    metric = load_metric(use.name, **use.parameters)
    stop = run.manifest["tasks"][task]["stops"].get(split)
    with PredictionStore(run.folder / STORE, read_only=True) as store:
        stored = list(store.read(task, split, stop))
    scorable = [item for item in stored if item.references is not None]
    values: dict[int, float | None] = {}
    if scorable and not isinstance(metric, WeightedMetric):
        answers: list[Any] = [answer_of(item, spec) for item in scorable]
        predictions = answers if metric.takes_answers else [answer.text for answer in answers]
        references = [item.references or () for item in scorable]
        try:
            table = metric.prepare(predictions, references).batch_statistics(predictions, references)
            scale = metric.values[0].scale
            for item, value in zip(scorable, metric.finalize(table)[metric.values[0].name], strict=True):
                values[item.position] = float(value) * scale if math.isfinite(float(value)) else None
        except (EvalsuiteError, ValueError, TypeError):
            values = {}  # a metric that cannot score here leaves the examples to be looked at
    for item in stored:
        yield _Row(item.position, item.key.id, values.get(item.position), item.error is not None, item.strata)


def _answered(run: str, item: Prediction, value: float | None) -> Answered:
    view = reference_views([item.text])[0]
    return Answered(run, view.text, value, printable(item.error or ""), view.table)


def _open_data(run: RunAnswers, task: str) -> TaskData | str:
    asked = run.manifest["run"]
    try:
        spec = TaskSpec.model_validate(run.kept_spec(task))
        folder = asked.get("data_dir")
        return open_task_data(
            spec, asked["data"], data_dir=Path(folder) if folder else None, seed=asked.get("data_seed", 0)
        )
    except (EvalsuiteError, ValueError) as error:
        return f"the data of this run cannot be opened: {error}"
