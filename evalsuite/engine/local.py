"""One task on this machine: stream its examples through the backend into the store."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from evalsuite.asking.requests import RequestBuilder
from evalsuite.backends.base import Backend, BatchInterrupted, Prepared
from evalsuite.data import BadExample
from evalsuite.engine.answering import generate
from evalsuite.engine.batching import BatchSizer, pack
from evalsuite.engine.flight import CRASHES, TRIES, FlightRecorder
from evalsuite.engine.loading import LazyBackend, Pool
from evalsuite.engine.observer import Observer
from evalsuite.engine.plan import SplitPlan, TaskPlan
from evalsuite.engine.preparing import Failed, prepare_ahead
from evalsuite.metrics import metric_class
from evalsuite.redaction import without_secrets
from evalsuite.runs.store import PredictionStore, as_duplicate
from evalsuite.runs.store_rows import MADE_UP
from evalsuite.settings.run import RunConfig
from evalsuite.types import Example, ExampleKey, Generation, Prediction, Request

STORE_EVERY = 64  # examples that cannot be asked about are stored in groups
FAILURES_SHOWN = 3
CRASHED = (
    "the run crashed {} times while this example was prepared or answered (failures.log has the tracebacks; remove "
    f"{CRASHES} from the run folder to try it again)"
)


@dataclass
class TaskOutcome:
    """What happened to one task, filled in while it runs so that it holds even when the task breaks off."""

    answered: int = 0
    errors: int = 0
    over_budget: str | None = None
    notes: list[str] = field(default_factory=list)


def run_task(
    task: TaskPlan,
    backend: LazyBackend,
    store: PredictionStore,
    recorder: FlightRecorder,
    config: RunConfig,
    observer: Observer,
    outcome: TaskOutcome,
) -> None:
    """Answer every example of the task that is not stored. Raises what makes the whole task impossible."""
    totals = [split.total for split in task.splits]
    known = [total for total in totals if total is not None]
    stored = sum(split.stored for split in task.splits)
    observer.task_started(task.spec.id, sum(known) if len(known) == len(totals) else None, stored)
    for split in task.splits:
        _SplitRun(task, split, backend, store, recorder, config, observer, outcome).run()
        if outcome.over_budget:
            return


class _SplitRun:
    """The examples of one split on their way: what was sent out is remembered until its answer is stored."""

    def __init__(
        self,
        task: TaskPlan,
        split: SplitPlan,
        backend: LazyBackend,
        store: PredictionStore,
        recorder: FlightRecorder,
        config: RunConfig,
        observer: Observer,
        outcome: TaskOutcome,
    ) -> None:
        self.task, self.split, self.backend, self.store = task, split, backend, store
        self.config, self.observer, self.outcome = config, observer, outcome
        self.name = task.spec.id
        self.recorder, self.crashes = recorder, recorder.crashes(task.spec.id, split.name)
        self.pending: dict[ExampleKey, Prediction] = {}  # without text; images are not kept
        self.bad: list[Prediction] = []
        self.broken_off: Exception | None = None
        self.total = split.total  # where it is not known: None until the source was read to its end
        self.errors = 0
        self.first_errors: list[str] = []

    def run(self) -> None:
        self._remove_damaged()
        done = self.store.done(self.name, self.split.name)
        if self.total is not None and done[: self.split.end].count(1) == self.total:
            return
        suspects = {at for at, count in self.crashes.items() if count < TRIES and done[at : at + 1] != b"\1"}
        for request in self._requests(suspects.__contains__) if suspects else ():
            self._answer([request], self.backend.get(), workers=1)
        requests = self._requests(lambda at: at not in suspects and done[at : at + 1] != b"\1")
        first = next(requests, None)
        if first is not None:
            workers = self.config.workers or os.cpu_count() or 1
            self._answer(itertools.chain([first], requests), self.backend.get(), workers)
        self._store([])
        self._report_replay()
        if self._too_many_failed():
            self.outcome.over_budget = self._budget_message()
        elif self.errors:
            self._note_failed()
        if self.outcome.over_budget is None and self.broken_off is not None:
            raise self.broken_off

    def _answer(self, requests: Iterable[Request], backend: Backend | Pool, workers: int) -> None:
        if isinstance(backend, Pool):  # which finds out by itself on what its workers die
            for answers in backend.answers(requests):
                self._store(answers)
                if self._too_many_failed():
                    return
            return
        backend = self.recorder.watched(backend, self.name, self.split.name, lambda key: self.pending[key].position)
        limits = BatchSizer.of(backend.limits)
        with contextlib.closing(prepare_ahead(requests, backend, workers, self.config.time_limit)) as prepared:
            for item in pack(prepared, limits):
                if isinstance(item, Failed):
                    self._store([Generation(item.request.key, "", error=item.error)])
                else:
                    self._generate(backend, item, limits)
                if self._too_many_failed():
                    return

    def _generate(self, backend: Backend, batch: Sequence[Prepared], limits: BatchSizer) -> None:
        try:
            self._store(generate(backend, batch, limits))
        except BatchInterrupted as error:
            self._store(error.answered)
            raise

    def _requests(self, wanted: Callable[[int], bool]) -> Iterator[Request]:
        """Requests of the positions wanted. When the source breaks off, what it gave before is still answered."""
        try:
            yield from self._readable_requests(wanted)
        except Exception as error:
            self.broken_off = error

    def _readable_requests(self, wanted: Callable[[int], bool]) -> Iterator[Request]:
        scores_tokens = any(metric_class(use.name).takes_answers for use in self.task.spec.metrics)
        build = RequestBuilder(self.task.spec, log_probabilities=scores_tokens)
        positions = 0

        def counted(position: int) -> bool:
            nonlocal positions
            positions = position + 1
            mine = self.config.shard is None or self.config.shard.holds(position)
            return mine and wanted(position)

        for example in self.task.data.examples(self.split.name, start=counted, stop=self.split.stop):
            if isinstance(example, BadExample):
                self._set_aside(_unasked(example, error=example.error))
            elif self.crashes.get(example.position, 0) >= TRIES:
                self._set_aside(_unasked(example, error=CRASHED.format(self.crashes[example.position])))
            elif self._is_repeated(example):
                self._set_aside(as_duplicate(_unasked(example)))
            else:
                request = build(example)
                self.pending[example.key] = _unasked(example, prompt=request.prompt)
                yield request
            if self._too_many_failed():
                return
        if self.total is None:
            self.total = positions if self.config.shard is None else self.config.shard.of(positions)

    def _is_repeated(self, example: Example) -> bool:
        """Whether another example has this id: one that is on its way, or was set aside, or is stored."""
        if example.key in self.pending or any(item.key == example.key and not item.details for item in self.bad):
            return True
        return self.store.is_duplicate(example.key, example.position)

    def _set_aside(self, prediction: Prediction) -> None:
        self.bad.append(prediction)
        if len(self.bad) >= STORE_EVERY or self._too_many_failed():
            self._store([])

    def _store(self, generations: Sequence[Generation]) -> None:
        """Write these answers and what was set aside, in one transaction."""
        predictions, self.bad = self.bad, []
        skipped = 0
        for generation in generations:
            asked = self.pending.pop(generation.key)
            if generation.skipped:
                skipped += 1
            else:
                predictions.append(_answered(asked, generation))
        if predictions:
            predictions = self.store.add(predictions)
        failed = [prediction for prediction in predictions if prediction.error is not None]
        answered = len(predictions) - len(failed)
        self.errors += len(failed)
        self.first_errors += [_shown(prediction) for prediction in failed[: FAILURES_SHOWN - len(self.first_errors)]]
        self.outcome.errors += len(failed)
        self.outcome.answered += answered
        if predictions or skipped:
            self.observer.advanced(self.name, answered, len(failed), skipped)

    def _too_many_failed(self) -> bool:
        """Whether more examples failed than may. Failures of earlier sessions count: all of them are tried again."""
        allowed = self.config.errors_allowed.allowed(self.total)
        return allowed is not None and self.errors + len(self.bad) > allowed

    def _budget_message(self) -> str:
        of_total = "" if self.total is None else f" of {self.total}"
        return (
            f"{self.errors}{of_total} examples of split {self.split.name} failed, "
            f"more than --max-errors {self.config.errors_allowed} allows ({'; '.join(self.first_errors)})"
        )

    def _note_failed(self) -> None:
        more = ", …" if self.errors > len(self.first_errors) else ""
        note = (
            f"{self.name}: {self.errors} of {self.total} examples of split {self.split.name} failed and count as empty "
            f"answers ({'; '.join(self.first_errors)}{more})"
        )
        self.outcome.notes.append(note)
        self.observer.note(note)

    def _remove_damaged(self) -> None:
        damaged = self.store.remove_damaged(self.name, self.split.name)
        if damaged:
            shown = ", ".join(map(str, damaged[:5])) + (", …" if len(damaged) > 5 else "")
            self.observer.note(f"{len(damaged)} damaged rows are made again: {shown}")

    def _report_replay(self) -> None:
        """A backend that replays a file says how file and data fit together; answers stored before were matched too."""
        report = getattr(self.backend.loaded, "report", None)
        if report is None:
            return
        stored = self.store.ids(self.name, self.split.name)
        if text := report(self.name, self.split.name, also_asked=stored).summary():
            note = f"{self.name}/{self.split.name}: {text}"
            self.outcome.notes.append(note)
            self.observer.note(note)


def _unasked(example: Example | BadExample, *, prompt: str = "", error: str | None = None) -> Prediction:
    details = MADE_UP if isinstance(example, BadExample) and not example.has_id else {}
    return Prediction(
        example.key, example.position, prompt, "", example.references, example.strata or {}, _shareable(error), details
    )


def _shareable(error: str | None) -> str | None:
    """A message of a backend or a data source may quote an address with a key in it."""
    return None if error is None else without_secrets(error)


def _shown(failed: Prediction) -> str:
    return f"{failed.key.split}/{failed.key.id}: {failed.error}"


def _answered(asked: Prediction, generation: Generation) -> Prediction:
    details: dict[str, object] = {}
    if generation.token_ids is not None:
        details["tokens"] = len(generation.token_ids)
    if generation.log_probabilities is not None:
        details["token_ids"] = generation.token_ids and list(generation.token_ids)
        details["log_probabilities"] = list(generation.log_probabilities)
    if generation.ended is not None:
        details["ended"] = generation.ended
    if generation.seconds is not None:
        details["seconds"] = round(generation.seconds, 4)
    return dataclasses.replace(asked, text=generation.text, error=_shareable(generation.error), details=details)
