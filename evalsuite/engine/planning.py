"""Planning: everything that can be wrong is found here, before a model is loaded."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.backends import check_backend, identify_answers, identify_backend
from evalsuite.backends.base import BackendOptions, Facts
from evalsuite.data import TaskData, has_kind, open_task_data
from evalsuite.engine.identity import Identities
from evalsuite.engine.manifest import check_resumable
from evalsuite.engine.plan import Plan, SplitPlan, TaskPlan
from evalsuite.engine.precheck import refuse_broken_examples
from evalsuite.engine.ray import options as ray_options
from evalsuite.engine.shares.state import share_note
from evalsuite.errors import EvalsuiteError, SeveralErrors, StoreError, UnknownName, UsageError, concerning
from evalsuite.inspection.lock import Lock, check_source, read_lock, with_locked_revisions
from evalsuite.metrics import load_metric
from evalsuite.runs.folder import STORE
from evalsuite.runs.store import Count, PredictionStore
from evalsuite.settings.run import RunConfig
from evalsuite.specs.overrides import check_metric_options, with_metric_options
from evalsuite.specs.schema import TaskSpec
from evalsuite.specs.templates import fill, placeholders

if TYPE_CHECKING:
    from evalsuite.specs import TaskRegistry


BYTES_PER_ROW = 2_000  # generous: prompt, answer, ten references, index
FREE_SPACE_RESERVE = 50 << 20


def make_plan(config: RunConfig, registry: TaskRegistry) -> Plan:
    """Check a run completely. Raises one error that names everything that is wrong with models, metrics and data."""
    if config.shard is not None and config.shard.count == 1:
        config = dataclasses.replace(config, shard=None)
    with concerning("tasks"):
        selected = registry.select(config.tasks)
    specs, skipped = _with_data(_with_splits(selected, config), config)
    check_metric_options(specs, config.metric_options)
    specs = [with_metric_options(spec, config.metric_options) for spec in specs]
    with concerning("lock"):
        lock = read_lock(config.lock) if config.lock else None
    if lock is not None:
        specs = [with_locked_revisions(spec, lock) for spec in specs]
    with concerning("model"):
        models = {spec.id: model_for(spec, config) for spec in specs}
    problems = _Problems()
    if config.engine == "ray":
        with problems.collected(), concerning("engine_option"):
            ray_options.check(config)
    for model in dict.fromkeys(models.values()):
        with problems.collected(), concerning("model" if config.model else "backend"):
            check_backend(config.backend, backend_options(config, model))
    data: dict[str, TaskData] = {}
    for spec in specs:
        with problems.collected(spec.id):
            _check_metrics(spec)
        with problems.collected(spec.id), concerning("data_dir" if config.data_dir else "data"):
            data[spec.id] = _open_data(spec, config, lock)
    problems.raise_any()
    identities = _identities(specs, models, config)
    whole_folder = config.folder(identities.naming())
    folder = whole_folder if config.shard is None else whole_folder / config.shard.folder
    tasks = tuple(
        TaskPlan(
            spec,
            data[spec.id],
            models[spec.id],
            data[spec.id].fingerprint(_splits(spec, config)),
            tuple(
                _plan_split(spec.id, split, data[spec.id], config, folder, identities.splits[spec.id, split])
                for split in _splits(spec, config)
            ),
            identities.models[models[spec.id]],
        )
        for spec in specs
    )
    share = [] if config.devices else [share_note(config.shard, whole_folder)]
    notes = (note for note in (*share, *skipped, *_warnings(specs, config)) if note)
    plan = Plan(config, whole_folder, folder, tasks, tuple(notes))
    check_resumable(plan)
    _check_disk(plan)
    if config.on_error == "stop":
        refuse_broken_examples(plan.tasks, config)
    return plan


def _with_data(specs: Sequence[TaskSpec], config: RunConfig) -> tuple[list[TaskSpec], list[str]]:
    """Tasks that have this kind of data, and a note for each other one; one that was asked for by its id stays."""
    named = {word.strip() for word in config.tasks.split(",")}
    kept = [spec for spec in specs if spec.id in named or has_kind(spec, config.data)]
    if not kept:
        kept = list(specs)
    notes = [f"{spec.id}: left out, it has no {config.data} data" for spec in specs if spec not in kept]
    return kept, notes


def _with_splits(specs: Sequence[TaskSpec], config: RunConfig) -> list[TaskSpec]:
    """Tasks that have one of the splits asked for. Raises UnknownName for a split that none of them has."""
    if config.splits is None:
        return list(specs)
    known = {split.name for spec in specs for split in spec.splits}
    for name in config.splits:
        if name not in known:
            raise UnknownName("split of these tasks", name, known, "--splits")
    return [spec for spec in specs if _splits(spec, config)]


def _splits(spec: TaskSpec, config: RunConfig) -> list[str]:
    if config.splits is None:
        return [split.name for split in spec.reported()]
    return [split.name for split in spec.splits if split.name in config.splits]


class _Problems:
    """Errors of a plan, gathered so that a user meets all of them at once."""

    def __init__(self) -> None:
        self._found: dict[str, EvalsuiteError] = {}

    @contextlib.contextmanager
    def collected(self, task: str = "") -> Iterator[None]:
        """Keep what the block raises, under the name of the task unless the message begins with it."""
        try:
            yield
        except EvalsuiteError as error:
            message = str(error)
            self._found.setdefault(message if message.startswith(task) else f"{task}: {message}", error)

    def raise_any(self) -> None:
        """A single error keeps its kind; several become one, with the highest exit status among them."""
        if not self._found:
            return
        errors = list(self._found.values())
        if len(errors) == 1 and str(errors[0]) in self._found:
            raise errors[0]
        raise SeveralErrors(self._found.items())


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


def _identities(specs: Sequence[TaskSpec], models: Mapping[str, str | None], config: RunConfig) -> Identities:
    """Looked up at every plan, finished or not: old answers must never be shown as those of new weights."""
    options = {model: backend_options(config, model) for model in dict.fromkeys(models.values())}
    with concerning("model" if config.model else "backend"):
        of_models = {model: identify_backend(config.backend, given) for model, given in options.items()}
    of_splits = {
        (spec.id, split): identify_answers(config.backend, options[models[spec.id]], spec.id, split)
        for spec in specs
        for split in _splits(spec, config)
    }
    return Identities(of_models, of_splits)


def _check_metrics(spec: TaskSpec) -> None:
    for use in spec.metrics:
        load_metric(use.name, **use.parameters).check()


def _open_data(spec: TaskSpec, config: RunConfig, lock: Lock | None) -> TaskData:
    data = open_task_data(spec, config.data, data_dir=config.data_dir, seed=config.data_seed, scale=config.data_scale)
    if lock is not None:
        check_source(lock, data, _splits(spec, config))
    data.check(_splits(spec, config), images=config.needs_images)
    return data


def _warnings(specs: Sequence[TaskSpec], config: RunConfig) -> Iterator[str]:
    for spec in specs:
        if config.data == "hub" and spec.data.hub and spec.data.hub.revision is None:
            yield f"{spec.id}: the spec pins no revision; the one that is loaded is in the manifest"
        if config.data != "synthetic":
            cautions = (load_metric(use.name, **use.parameters).caution() for use in spec.metrics)
            yield from (f"{spec.id}: {caution}" for caution in cautions if caution)


def _stored(folder: Path, task: str, split: str, stop: int | None) -> Count:
    path = folder / STORE
    if not path.exists():
        return Count(0, 0)
    with PredictionStore(path, read_only=True) as store:
        return store.count(task, split, stop)


def _plan_split(task: str, split: str, data: TaskData, config: RunConfig, folder: Path, identity: Facts) -> SplitPlan:
    limit = config.limit
    is_share = limit is not None and limit.fraction is not None
    # Reading local annotations once more is cheap; reading a remote data set is not, unless a share of it is asked for.
    total = data.count(split, exact=is_share or data.kind != "hub")
    stop = None
    if limit is not None:
        stop = limit.of(total)
        total = stop if total is None else min(stop, total)
    count = _stored(folder, task, split, stop)
    share = total if total is None or config.shard is None else config.shard.of(total)
    return SplitPlan(split, share, stop, count.stored - count.errors, count.errors, total, identity)


def _check_disk(plan: Plan) -> None:
    folder = plan.folder.absolute()
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    rows = sum(split.left or 0 for task in plan.tasks for split in task.splits)
    needed = rows * BYTES_PER_ROW + FREE_SPACE_RESERVE
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise StoreError(
            f"{plan.folder}: {math.ceil(needed / 1e6)} MB are needed for the predictions, "
            f"{free // 10**6} MB are free; make room or choose another --out"
        )
