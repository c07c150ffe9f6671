"""Executing a plan: from requests to stored predictions, task by task, surviving what goes wrong with one of them."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalsuite.backends import create_backend
from evalsuite.backends.base import Backend
from evalsuite.engine import manifest as manifests
from evalsuite.engine.local import TaskOutcome, run_task
from evalsuite.engine.observer import Observer, Silent
from evalsuite.engine.plan import Plan, TaskPlan, backend_options
from evalsuite.errors import EvalsuiteError, StoreError
from evalsuite.runfolder import STORE, locked
from evalsuite.specs.digest import inference_digest, spec_digest
from evalsuite.store import PredictionStore

LOG = "failures.log"


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
    with locked(plan.folder), PredictionStore(plan.folder / STORE) as store:
        manifest = manifests.begin(plan.folder, plan.config, _task_entries(plan), command)
        status = "interrupted"
        try:
            left = [split.left for task in plan.tasks for split in task.splits]
            observer.started(None if any(n is None for n in left) else sum(n or 0 for n in left))
            for model, tasks in plan.by_model().items():
                _run_model(plan, model, tasks, store, manifest, outcome, observer)
            status = "done" if outcome.ok else "failed"
        except StoreError:
            status = "failed"
            raise
        finally:
            manifests.finish(
                plan.folder,
                manifest,
                status,
                {"answered": outcome.answered, "errors": outcome.errors, "failures": outcome.failures},
            )
    return outcome


def _run_model(
    plan: Plan,
    model: str | None,
    tasks: Sequence[TaskPlan],
    store: PredictionStore,
    manifest: dict[str, Any],
    outcome: RunOutcome,
    observer: Observer,
) -> None:
    """Load one checkpoint and run all tasks that share it."""
    try:
        backend = create_backend(plan.config.backend, backend_options(plan.config, model))
    except EvalsuiteError as error:
        for task in tasks:
            outcome.failures[task.spec.id] = str(error)
            observer.task_ended(task.spec.id, str(error))
        return
    try:
        _record_model(plan, model, backend, manifest)
        for task in tasks:
            _run_one(plan, task, backend, store, outcome, observer)
    finally:
        backend.close()


def _run_one(
    plan: Plan, task: TaskPlan, backend: Backend, store: PredictionStore, outcome: RunOutcome, observer: Observer
) -> None:
    name = task.spec.id
    result = TaskOutcome()
    try:
        run_task(task, backend, store, plan.config, observer, result)
        message = result.over_budget
    except StoreError:
        raise
    except Exception as error:
        message = _describe_failure(plan.folder, name, error)
    finally:
        outcome.answered += result.answered
        outcome.errors += result.errors
    outcome.notes += result.notes
    if message:
        outcome.failures[name] = message
    observer.task_ended(name, message)


def _record_model(plan: Plan, model: str | None, backend: Backend, manifest: dict[str, Any]) -> None:
    description = dict(backend.describe())
    before = manifest["models"].get(model or "")
    if before is not None:
        manifests.check_same_backend(plan.folder, before, description)
    manifest["models"][model or ""] = description


def _task_entries(plan: Plan) -> dict[str, dict[str, Any]]:
    return {
        task.spec.id: {
            "version": task.spec.version,
            "spec_digest": spec_digest(task.spec),
            "inference_digest": inference_digest(task.spec),
            "model": task.model,
            "data": dict(task.fingerprint),
            "stops": {split.name: split.stop for split in task.splits},
            "spec": task.spec.model_dump(mode="json", exclude_none=True),
        }
        for task in plan.tasks
    }


def _describe_failure(folder: Path, task: str, error: Exception) -> str:
    """One line for the user; for what nobody expected, the traceback goes to a file in the run folder."""
    if isinstance(error, EvalsuiteError):
        return str(error)
    with open(folder / LOG, "a", encoding="utf-8") as log:
        log.write(f"--- {manifests.now()} {task}\n{''.join(traceback.format_exception(error))}\n")
    return f"{type(error).__name__}: {error} (traceback in {folder / LOG})"
