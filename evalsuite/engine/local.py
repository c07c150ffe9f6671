"""One task on this machine: stream its examples through the backend into the store."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from evalsuite.backends.base import Backend, Prepared
from evalsuite.data import BadExample
from evalsuite.engine.batching import BatchSizer, Failed, pack, prepare_ahead
from evalsuite.engine.config import RunConfig
from evalsuite.engine.observer import Observer
from evalsuite.engine.plan import SplitPlan, TaskPlan
from evalsuite.errors import BackendOutOfMemory
from evalsuite.prompts import RequestBuilder
from evalsuite.store import PredictionStore
from evalsuite.types import Example, ExampleKey, Generation, Prediction, Request

STORE_EVERY = 64  # error rows from reading are stored in groups


@dataclass
class TaskOutcome:
    """What happened to one task, filled in while it runs so that it holds even when the task breaks off."""

    answered: int = 0
    errors: int = 0
    over_budget: str | None = None
    notes: list[str] = field(default_factory=list)


def run_task(
    task: TaskPlan,
    backend: Backend,
    store: PredictionStore,
    config: RunConfig,
    observer: Observer,
    outcome: TaskOutcome,
) -> None:
    """Answer every example of the task that is not stored. Raises what makes the whole task impossible."""
    total = [split.total for split in task.splits]
    observer.task_started(
        task.spec.id, None if None in total else sum(n or 0 for n in total), sum(split.stored for split in task.splits)
    )
    for split in task.splits:
        _SplitRun(task, split, backend, store, config, observer, outcome).run()
        if outcome.over_budget:
            return


class _SplitRun:
    """The examples of one split on their way: what was sent out is remembered until its answer is stored."""

    def __init__(
        self,
        task: TaskPlan,
        split: SplitPlan,
        backend: Backend,
        store: PredictionStore,
        config: RunConfig,
        observer: Observer,
        outcome: TaskOutcome,
    ) -> None:
        self.task, self.split, self.backend, self.store = task, split, backend, store
        self.config, self.observer, self.outcome = config, observer, outcome
        self.pending: dict[ExampleKey, tuple[Example, Request]] = {}
        self.bad: list[Prediction] = []
        self.broken_off: Exception | None = None
        self.seen = 0
        self.errors = 0

    def run(self) -> None:
        name = self.task.spec.id
        damaged = self.store.remove_damaged(name, self.split.name)
        if damaged:
            shown = ", ".join(map(str, damaged[:5])) + (", …" if len(damaged) > 5 else "")
            self.observer.note(f"{len(damaged)} damaged rows are made again: {shown}")
        workers = self.config.workers or os.cpu_count() or 1
        prepared = prepare_ahead(self._requests(), self.backend, workers)
        limits = BatchSizer.of(self.backend.limits)
        for item in pack(prepared, limits):
            if isinstance(item, Failed):
                self._store([Generation(item.request.key, "", error=item.error)])
            else:
                self._store(generate(self.backend, item, limits))
            if self._over_budget():
                return
        self._store_bad()
        if self.broken_off is not None:
            raise self.broken_off
        self._over_budget(ended=True)
        self._report_replay()

    def _requests(self) -> Iterator[Request]:
        """Requests for what is not stored. When the source breaks off, what it gave before is still answered."""
        try:
            yield from self._readable_requests()
        except Exception as error:
            self.broken_off = error

    def _readable_requests(self) -> Iterator[Request]:
        build = RequestBuilder(self.task.spec)
        done = self.store.done(self.task.spec.id, self.split.name)
        stop = self.split.stop

        def wanted(position: int) -> bool:
            return position >= len(done) or not done[position]

        for example in self.task.data.examples(self.split.name, start=wanted, stop=stop):
            self.seen += 1
            if isinstance(example, BadExample):
                self._set_aside(_bad_prediction(example))
            elif example.key in self.pending:
                self._set_aside(_duplicate(example))
            else:
                request = build(example)
                self.pending[example.key] = (example, request)
                yield request

    def _set_aside(self, prediction: Prediction) -> None:
        self.bad.append(prediction)
        if len(self.bad) >= STORE_EVERY:
            self._store_bad()

    def _store(self, generations: Sequence[Generation]) -> None:
        predictions = []
        for generation in generations:
            example, request = self.pending.pop(generation.key)
            if not generation.skipped:
                predictions.append(_prediction(example, request, generation))
        self._write(predictions)
        if len(predictions) < len(generations):
            self.observer.advanced(self.task.spec.id, 0, 0, len(generations) - len(predictions))

    def _store_bad(self) -> None:
        bad, self.bad = self.bad, []
        self._write(bad)

    def _write(self, predictions: Sequence[Prediction]) -> None:
        if not predictions:
            return
        self.store.add(predictions)
        failed = sum(prediction.error is not None for prediction in predictions)
        self.errors += failed
        self.outcome.errors += failed
        self.outcome.answered += len(predictions) - failed
        self.observer.advanced(self.task.spec.id, len(predictions) - failed, failed)

    def _over_budget(self, ended: bool = False) -> bool:
        """Stop as soon as more examples failed than are allowed; with an unknown total, judge at the end."""
        total = self.split.total if self.split.total is not None else (self.seen if ended else None)
        if total is None or self.errors <= self.config.max_errors.allowed(total):
            return False
        examples = self.store.errors(self.task.spec.id, limit=3)
        shown = "; ".join(f"{key.split}/{key.id}: {error}" for key, error in examples)
        self.outcome.over_budget = (
            f"{self.errors} of {total} examples of split {self.split.name} failed, "
            f"more than --max-errors {self.config.max_errors} allows ({shown})"
        )
        return True

    def _report_replay(self) -> None:
        """A backend that replays a file says how file and data fit together; answers stored before were matched too."""
        report = getattr(self.backend, "report", None)
        if report is None:
            return
        name, split = self.task.spec.id, self.split.name
        if text := report(name, split, also_asked=self.store.ids(name, split)).summary():
            note = f"{name}/{split}: {text}"
            self.outcome.notes.append(note)
            self.observer.note(note)


def generate(backend: Backend, batch: Sequence[Prepared], limits: BatchSizer) -> list[Generation]:
    """The batch's generations; a batch that does not fit into memory is halved, and so are those after it."""
    try:
        return backend.generate(batch)
    except BackendOutOfMemory as error:
        if len(batch) == 1:
            return [Generation(batch[0].request.key, "", error=f"out of memory on this example alone: {error}")]
        limits.shrink(batch)
    half = len(batch) // 2
    return [*generate(backend, batch[:half], limits), *generate(backend, batch[half:], limits)]


def _prediction(example: Example, request: Request, generation: Generation) -> Prediction:
    details: dict[str, object] = {}
    if generation.token_ids is not None:
        details["tokens"] = len(generation.token_ids)
    if generation.log_probabilities is not None:
        details["log_probabilities"] = list(generation.log_probabilities)
    if generation.seconds is not None:
        details["seconds"] = round(generation.seconds, 4)
    return Prediction(
        example.key,
        example.position,
        request.prompt,
        generation.text,
        example.references,
        example.strata,
        generation.error,
        details,
    )


def _duplicate(example: Example) -> Prediction:
    """The store marks a repeated id the same way; this one is met while its first occurrence is still in flight."""
    key, position = example.key, example.position
    error = f"the id {key.id!r} occurs twice in the data; this is its occurrence at position {position}"
    return Prediction(
        key._replace(id=f"{key.id}#{position}"), position, "", "", example.references, example.strata, error
    )


def _bad_prediction(bad: BadExample) -> Prediction:
    return Prediction(bad.key, bad.position, "", "", bad.references, bad.strata or {}, bad.error)
