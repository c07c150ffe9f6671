"""Executing a plan: from requests to stored predictions, task by task, surviving what goes wrong with one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.backends import create_backend, identify_backend
from evalsuite.backends.base import Backend, BackendOptions, Facts
from evalsuite.engine.flight import FlightRecorder, recording
from evalsuite.engine.identity import changes
from evalsuite.engine.loading import LazyBackend
from evalsuite.engine.local import TaskOutcome, run_task
from evalsuite.engine.manifest import Session, check_resumable
from evalsuite.engine.observer import Observer, Silent
from evalsuite.engine.plan import Plan, TaskPlan
from evalsuite.engine.planning import backend_options
from evalsuite.errors import BackendError, StoreError
from evalsuite.runs.failures import describe_failure
from evalsuite.runs.folder import STORE
from evalsuite.runs.lock import locked
from evalsuite.runs.store import PredictionStore
from evalsuite.settings.run import RunConfig

if TYPE_CHECKING:
    from evalsuite.engine.ray.pool import RayPool


@dataclass
class RunOutcome:
    """How a run ended: ``failures`` says why, for each task that could not be completed within its error budget."""

    folder: Path
    answered: int = 0
    errors: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.failures


def execute(plan: Plan, observer: Observer | None = None, command: Sequence[str] = ()) -> RunOutcome:
    """Answer what the plan asks and is not stored yet.

    A task that fails does not stop the others. Raises StoreError when nothing can be stored any more, and
    KeyboardInterrupt after everything answered so far was stored.
    """
    observer = observer or Silent()
    outcome = RunOutcome(plan.folder)
    with locked(plan.folder):
        check_resumable(plan)  # again: another process may have used the folder since it was planned
        with recording(plan.folder) as recorder, PredictionStore(plan.folder / STORE) as store:
            store.verify()
            with _recorded(Session(plan, command), outcome) as session:
                left = [split.left for task in plan.tasks for split in task.splits]
                known = [number for number in left if number is not None]
                observer.started(sum(known) if len(known) == len(left) else None)
                for model, tasks in plan.by_model().items():
                    with _lazy_backend(plan, model, session, outcome, observer) as backend:
                        for task in tasks:
                            _run_one(plan, task, backend, store, recorder, session, outcome, observer)
    return outcome


@contextmanager
def _recorded(session: Session, outcome: RunOutcome) -> Iterator[Session]:
    """Write down how the session ends, however it ends."""
    try:
        yield session
        status = "done" if outcome.ok else "failed"
    except BaseException as error:
        status = "failed" if isinstance(error, Exception) else "interrupted"
        with suppress(StoreError):  # on a full disk this fails as well, and says less
            session.ended(status, outcome.answered, outcome.errors)
        raise
    session.ended(status, outcome.answered, outcome.errors)


def _load(config: RunConfig, options: BackendOptions) -> Backend | RayPool:
    if config.engine == "local":
        return create_backend(config.backend, options)
    from evalsuite.engine.ray.options import check
    from evalsuite.engine.ray.pool import RayPool

    return RayPool(config.backend, options, check(config), config.workers, config.time_limit)


@contextmanager
def _lazy_backend(
    plan: Plan, model: str | None, session: Session, outcome: RunOutcome, observer: Observer
) -> Iterator[LazyBackend]:
    """The backend of one checkpoint, closed at the end when it was loaded."""

    def load() -> Backend | RayPool:
        options = backend_options(plan.config, model)
        backend = _load(plan.config, options)
        _refuse_changed(plan, model, identify_backend(plan.config.backend, options))
        described = backend.describe()
        session.model_loaded(model, described)
        for note in described.get("notes", ()):
            outcome.notes.append(note)
            observer.note(note)
        return backend

    backend = LazyBackend(load)
    try:
        yield backend
    finally:
        if backend.loaded is not None:
            try:
                backend.loaded.close()
            except Exception as error:  # every answer is stored by now
                observer.note(f"closing the backend: {describe_failure(plan.folder, str(model), error)}")


def _refuse_changed(plan: Plan, model: str | None, now: Facts) -> None:
    """Raise BackendError when the model's files are not those that were planned with: training may be writing them."""
    planned = plan.by_model()[model][0].identity
    if changed := changes(model, planned, now):
        raise BackendError(f"{'; '.join(changed)} while the model was loaded; give the command again")


def _run_one(
    plan: Plan,
    task: TaskPlan,
    backend: LazyBackend,
    store: PredictionStore,
    recorder: FlightRecorder,
    session: Session,
    outcome: RunOutcome,
    observer: Observer,
) -> None:
    name = task.spec.id
    result = TaskOutcome()
    try:
        run_task(task, backend, store, recorder, plan.config, observer, result)
        message = result.over_budget
    except StoreError:
        raise
    except Exception as error:
        message = describe_failure(plan.folder, name, error)
    finally:
        outcome.answered += result.answered
        outcome.errors += result.errors
    outcome.notes += result.notes
    if message:
        outcome.failures[name] = message
    session.task_ended(name, message)
    observer.task_ended(name, message)
