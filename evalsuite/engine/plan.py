"""Planning: everything that can be wrong is found here, before a model is loaded."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.backends import check_backend
from evalsuite.backends.base import BackendOptions
from evalsuite.data import TaskData, open_task_data
from evalsuite.engine.config import Limit, RunConfig
from evalsuite.engine.manifest import check_resumable
from evalsuite.errors import DataError, EvalsuiteError, StoreError, UsageError
from evalsuite.metrics import load_metric
from evalsuite.runfolder import STORE
from evalsuite.specs.schema import TaskSpec, fill, placeholders
from evalsuite.store import PredictionStore

if TYPE_CHECKING:
    from evalsuite.specs import TaskRegistry

BYTES_PER_ROW = 2_000  # generous: prompt, answer, ten references, index
FREE_SPACE_RESERVE = 50 << 20


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """One split of one task: ``total`` examples to answer (None: known at the end), ``stored`` are done."""

    name: str
    total: int | None
    stop: int | None
    stored: int
    errors: int

    @property
    def left(self) -> int | None:
        return None if self.total is None else max(0, self.total - self.stored)


@dataclass(frozen=True, slots=True)
class TaskPlan:
    spec: TaskSpec
    data: TaskData
    model: str | None
    fingerprint: Mapping[str, Any]
    splits: tuple[SplitPlan, ...]

    @property
    def work(self) -> int | None:
        """New tokens at most, summed over the examples that are left."""
        left = [split.left for split in self.splits]
        if any(count is None for count in left):
            return None
        return sum(count or 0 for count in left) * self.spec.decoding.max_new_tokens


@dataclass(frozen=True)
class Plan:
    """A checked run: tasks grouped by the checkpoint they share, in the order in which they run."""

    config: RunConfig
    folder: Path
    tasks: tuple[TaskPlan, ...]
    warnings: tuple[str, ...] = field(default=())

    def by_model(self) -> dict[str | None, list[TaskPlan]]:
        groups: dict[str | None, list[TaskPlan]] = {}
        for task in self.tasks:
            groups.setdefault(task.model, []).append(task)
        return groups


def make_plan(config: RunConfig, registry: TaskRegistry) -> Plan:
    """Check a run completely. Raises the first fatal error, or one UsageError that lists all data errors."""
    specs = registry.select(config.tasks)
    models = {spec.id: model_for(spec, config) for spec in specs}
    for spec in specs:
        _check_metrics(spec)
    for model in dict.fromkeys(models.values()):
        check_backend(config.backend, backend_options(config, model))
    folder = config.folder()
    opened, warnings = _open_data(specs, config)
    fingerprints = {spec.id: data.fingerprint() for spec, data in opened}
    check_resumable(folder, specs, config, fingerprints)
    counts = _stored_counts(folder)
    tasks = tuple(
        TaskPlan(spec, data, models[spec.id], fingerprints[spec.id], _plan_splits(spec, data, config.limit, counts))
        for spec, data in opened
    )
    _check_disk(folder, tasks)
    return Plan(config, folder, tasks, tuple(warnings))


def model_for(spec: TaskSpec, config: RunConfig) -> str | None:
    """The model of this task: the ``--model`` template with {transfer}, {task} and the attributes filled in.

    Raises UsageError for a name in braces that is none of these.
    """
    if config.model is None:
        return None
    known = {"transfer": spec.transfer, "task": spec.id, **{k: str(v) for k, v in config.attributes.items()}}
    for name in placeholders(config.model):
        if name not in known:
            raise UsageError(
                f"--model {config.model}: {{{name}}} is not known; give --set {name}=VALUE "
                f"or use one of {', '.join(sorted(known))}"
            )
    return fill(config.model, known)


def backend_options(config: RunConfig, model: str | None) -> BackendOptions:
    return BackendOptions(model, config.attributes, config.options)


def _check_metrics(spec: TaskSpec) -> None:
    for use in spec.metrics:
        load_metric(use.name, **use.parameters).check()


def _open_data(specs: Sequence[TaskSpec], config: RunConfig) -> tuple[list[tuple[TaskSpec, TaskData]], list[str]]:
    opened, problems, warnings = [], [], []
    for spec in specs:
        try:
            data = open_task_data(spec, config.data, data_dir=config.data_dir, seed=config.data_seed)
            data.check(images=config.needs_images)
        except EvalsuiteError as error:
            problems.append(f"{spec.id}: {error}")
            continue
        opened.append((spec, data))
        if config.data == "hub" and spec.data.hub and spec.data.hub.revision is None:
            warnings.append(f"{spec.id}: the spec pins no revision; the one that is loaded is in the manifest")
    if problems:
        raise DataError("\n".join(problems))
    return opened, warnings


def _stored_counts(folder: Path) -> dict[tuple[str, str], tuple[int, int]]:
    path = folder / STORE
    if not path.exists():
        return {}
    with PredictionStore(path, read_only=True) as store:
        return {key: (count.stored - count.errors, count.errors) for key, count in store.counts().items()}


def _plan_splits(
    spec: TaskSpec, data: TaskData, limit: Limit | None, counts: Mapping[tuple[str, str], tuple[int, int]]
) -> tuple[SplitPlan, ...]:
    plans = []
    for split in spec.splits:
        total = data.count(split.name)
        stop = None
        if limit is not None:
            if total is None and limit.fraction is not None:
                raise UsageError(
                    f"{spec.id}: the size of split {split.name} is not known, "
                    "so --limit must be a number of examples, not a percentage"
                )
            stop = limit.of(total)
            total = stop if total is None else min(stop, total)
        stored, errors = counts.get((spec.id, split.name), (0, 0))
        plans.append(SplitPlan(split.name, total, stop, stored, errors))
    return tuple(plans)


def _check_disk(folder: Path, tasks: Sequence[TaskPlan]) -> None:
    existing = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    rows = sum(split.left or 0 for task in tasks for split in task.splits)
    needed = rows * BYTES_PER_ROW + FREE_SPACE_RESERVE
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise StoreError(
            f"{folder}: {math.ceil(needed / 1e6)} MB are needed for the predictions, "
            f"{free // 10**6} MB are free; make room or choose another --out"
        )
