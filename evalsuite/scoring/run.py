"""From stored predictions to results: no model, no data set, only the run folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import ScoringError
from evalsuite.metrics import load_metric, metric_class
from evalsuite.runs.failures import describe_failure, log_failure
from evalsuite.runs.folder import STORE
from evalsuite.runs.lock import locked
from evalsuite.runs.manifest import read_answered
from evalsuite.runs.results import ResultRow, write_results
from evalsuite.runs.store import PredictionStore
from evalsuite.scoring.averages import Averages
from evalsuite.scoring.example_statistics import all_statistics
from evalsuite.scoring.marks import Tally
from evalsuite.scoring.reading import Groups, noted, scorable
from evalsuite.scoring.rows import shared_fields, value_rows, why_partial
from evalsuite.scoring.workers import StatisticsWorkers
from evalsuite.settings.recorded import recorded_config
from evalsuite.settings.run import TIME_LIMIT, RunConfig
from evalsuite.specs.digest import inference_digest
from evalsuite.specs.names import files_named
from evalsuite.specs.overrides import MetricOptions, with_metric_options
from evalsuite.specs.schema import TaskSpec
from evalsuite.types import ExampleKey

if TYPE_CHECKING:
    from evalsuite.specs import TaskRegistry


@dataclass
class ScoredRun:
    """The results of a run.

    failures: why a task could not be scored. incomplete: why the values of a task are not those of a finished run.
    notes: examples whose scoring ended or hung its process. settings: how the values were made.
    """

    folder: Path
    rows: list[ResultRow] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    incomplete: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    settings: Mapping[str, Any] = field(default_factory=dict)


def score_run(
    folder: Path,
    registry: TaskRegistry | None = None,
    *,
    resamples: int = 1000,
    metric_options: MetricOptions | None = None,
    protocol: str | None = None,
    jobs: int = 1,
    time_limit: float = TIME_LIMIT,
) -> ScoredRun:
    """Score everything that a run folder holds and write ``results.json`` and ``results.parquet``.

    A task is scored by its spec in ``registry`` where that still asks the model the same, else by the spec that the
    manifest kept. The registry's averages follow, each when all its members are there.

    metric_options: parameters beside the specs; None for those of the run. protocol: whose rule gives the headline,
    ``paligemma`` or ``official``; None for that of the run. jobs: processes for heavy metrics; time_limit: seconds for
    one example in these. One that ends or hangs its process counts as a failed example, against the run's error budget.
    Raises StoreError for a folder that cannot be read, or that another process writes into; a task that cannot be
    scored is a failure of its own.
    """
    with locked(folder, "score", make=False):
        scored = computed(
            folder,
            registry,
            resamples=resamples,
            metric_options=metric_options,
            protocol=protocol,
            jobs=jobs,
            time_limit=time_limit,
        )
        write_results(folder, scored.rows, scored.settings)
    return scored


def computed(
    folder: Path,
    registry: TaskRegistry | None,
    *,
    resamples: int,
    metric_options: MetricOptions | None,
    protocol: str | None,
    jobs: int = 1,
    time_limit: float = TIME_LIMIT,
) -> ScoredRun:
    """As :func:`score_run`, without writing results. The folder must be locked."""
    manifest = read_answered(folder)
    asked = recorded_config(manifest)
    if metric_options is None:
        metric_options = asked.metric_options
    protocol = protocol or asked.protocol
    options = {metric: dict(given) for metric, given in metric_options.items()}
    settings = {"resamples": resamples, "metric_options": options, "protocol": protocol}
    scored = ScoredRun(folder, settings=settings)
    with PredictionStore(folder / STORE, read_only=True) as store, StatisticsWorkers(jobs, time_limit) as workers:
        store.verify()
        averages = Averages(registry.groups() if registry else (), resamples)
        context = _Context(manifest, asked, resamples, workers, protocol, averages)
        for task_id, entry in manifest["tasks"].items():
            if entry.get("state") != "done":
                scored.incomplete[task_id] = entry.get("failure") or "the run was interrupted"
            try:
                spec = with_metric_options(spec_of(task_id, entry, registry), metric_options)
                scored.rows += _score_task(store, spec, context)
            # A metric from outside, or references of a form it does not expect, must not cost the other tasks.
            except Exception as error:
                scored.failures[task_id] = describe_failure(folder, task_id, error)
    for key, reason in context.lost.items():
        message = f"{key} counts as a failed example: the process that scored it {reason}"
        scored.notes.append(message)
        log_failure(folder, key.task, message)
    scored.failures.update(context.failures)
    scored.rows += averages.rows(scored.rows)
    return scored


def spec_of(task_id: str, entry: Mapping[str, Any], registry: TaskRegistry | None) -> TaskSpec:
    """The spec that a task of a run is scored by; ``entry`` is what the manifest says of it."""
    try:
        kept = TaskSpec.model_validate(entry["spec"])
    except ValueError as error:
        raise ScoringError(f"the spec in the manifest is of another version of evalsuite ({error})") from error
    for use in kept.metrics:
        for name, message in files_named(metric_class(use.name), use):
            raise ScoringError(f"the spec in the manifest: metric {use.name}: parameter {name}: {message}")
    if registry is None or task_id not in registry.ids():
        return kept
    current = registry.get(task_id)
    return current if inference_digest(current) == inference_digest(kept) else kept


@dataclass(frozen=True, slots=True)
class _Context:
    """What scoring every task of a run shares. lost: examples that ended their process."""

    manifest: Mapping[str, Any]
    asked: RunConfig
    resamples: int
    workers: StatisticsWorkers
    protocol: str
    averages: Averages
    lost: dict[ExampleKey, str] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def _score_task(store: PredictionStore, spec: TaskSpec, context: _Context) -> list[ResultRow]:
    stops = context.manifest["tasks"][spec.id]["stops"]
    found = [split.name for split in spec.splits if store.count(spec.id, split.name, stops.get(split.name)).stored]
    if not found:
        raise ScoringError("no prediction is stored; give the run command again")
    rows: list[ResultRow] = []
    for split in found:
        rows += _score_split(store, spec, split, context)
    return rows


def _score_split(store: PredictionStore, spec: TaskSpec, split: str, context: _Context) -> list[ResultRow]:
    manifest = context.manifest
    groups = Groups(tuple(spec.fields.strata))
    metrics = [load_metric(use.name, **use.parameters) for use in spec.metrics]
    for metric in metrics:
        metric.check()
    predictions = store.read(spec.id, split, manifest["tasks"][spec.id]["stops"].get(split))
    corpora = [use.corpus for use in spec.metrics]
    ids: list[str] = []
    parts = noted(scorable(predictions, spec, groups), ids if context.averages.wants(spec.id, split) else None)
    lost: dict[int, tuple[str, str]] = {}
    tallies = [Tally(use.only) for use in spec.metrics]
    statistics = all_statistics(parts, metrics, corpora, groups, context.workers, lost, tallies)
    if statistics is None:
        raise ScoringError(f"split {split} has no predictions with references to score")
    if lost:
        _count_lost(lost, ExampleKey(spec.id, split, ""), groups, len(statistics[0]), context)
    partial = why_partial(spec, split, len(statistics[0]), manifest)
    rows: list[ResultRow] = []
    headline = spec.headline(context.protocol)
    for use, metric, table, tally in zip(spec.metrics, metrics, statistics, tallies, strict=True):
        seen = groups.seen(use.only, len(table))
        if use == headline and ids:
            kept = [id for id, is_seen in zip(ids, seen, strict=True) if is_seen]
            unprepared = load_metric(use.name, **use.parameters)  # a prepared one holds its corpus
            context.averages.keep(spec.id, split, unprepared, table[seen], kept)
        for stratum, value, mask in groups.masks(len(table)):
            if not (mask & seen).any():
                continue
            shared = shared_fields(spec, split, stratum, value, manifest)
            shared |= {"protocol": use.protocol, "errors": groups.errors[stratum, value], "partial": partial}
            shared |= dataclasses.asdict(tally.counts(stratum, value))
            rows += value_rows(metric, table, mask & seen, use == headline, shared, context.resamples)
    return rows


def _count_lost(
    lost: Mapping[int, tuple[str, str]], split: ExampleKey, groups: Groups, n: int, context: _Context
) -> None:
    """Examples (place -> id, reason) that ended their process are failed examples; too many of them fail the task."""
    for place, (id_, reason) in lost.items():
        groups.count_lost(place)
        context.lost[split._replace(id=id_)] = reason
    budget = context.asked.max_errors
    failed, allowed = groups.errors["", ""], budget.allowed(n)
    if allowed is not None and failed > allowed:
        id_, reason = next(iter(lost.values()))
        context.failures[split.task] = (
            f"{failed} of {n} examples of split {split.split} failed, more than --max-errors {budget} allows "
            f"({split.split}/{id_}: the process that scored it {reason})"
        )
