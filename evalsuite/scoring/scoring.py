"""From stored predictions to results: no model, no data set, only the run folder."""

from __future__ import annotations

import itertools
import math
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.answers.parsing import parse_answer
from evalsuite.errors import ScoringError
from evalsuite.metrics import Answer, Metric, WeightedMetric, load_metric, metric_class
from evalsuite.metrics.groups import statistics_by_group
from evalsuite.runs.folder import STORE, describe_failure, log_failure, read_manifest
from evalsuite.runs.results import ResultRow, write_results
from evalsuite.runs.store import PredictionStore
from evalsuite.scoring.averages import Averages
from evalsuite.scoring.statistics import bootstrap, bootstrap_weights
from evalsuite.scoring.workers import StatisticsWorkers
from evalsuite.settings.run import TIME_LIMIT, ErrorBudget
from evalsuite.specs.digest import inference_digest
from evalsuite.specs.names import files_named
from evalsuite.specs.overrides import MetricOptions, with_metric_options
from evalsuite.specs.schema import TaskSpec
from evalsuite.types import ExampleKey, JsonValue, Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evalsuite.metrics.base import Array
    from evalsuite.specs import TaskRegistry

    Mask = NDArray[np.bool_]

CHUNK = 4096
PAPERS = "paligemma"
_NO_GROUP, _ABSENT = -1, -2


@dataclass
class ScoredRun:
    """The results of a run.

    failures: why a task could not be scored. incomplete: why the values of a task are not those of a finished run.
    notes: examples whose scoring ended or hung its process.
    """

    folder: Path
    rows: list[ResultRow] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    incomplete: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


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
    Raises StoreError for a folder that cannot be read; a task that cannot be scored is a failure of its own.
    """
    manifest = read_manifest(folder)
    if metric_options is None:
        metric_options = manifest["run"].get("metric_options", {})
    scored = ScoredRun(folder)
    with PredictionStore(folder / STORE, read_only=True) as store, StatisticsWorkers(jobs, time_limit) as workers:
        store.verify()
        averages = Averages(registry.groups() if registry else (), resamples)
        context = _Context(manifest, resamples, workers, protocol or manifest["run"].get("protocol", PAPERS), averages)
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
    write_results(folder, scored.rows)
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


@dataclass(frozen=True, slots=True)
class _Scorable:
    """What scoring needs of one split, in data set order. Examples without references are only counted."""

    answers: list[Answer]
    references: list[Sequence[JsonValue]]

    def predictions(self, metric: Metric) -> list[Answer] | list[str]:
        """The answers in the form that the metric takes."""
        return self.answers if metric.takes_answers else [answer.text for answer in self.answers]


@dataclass
class _Groups:
    """Which stratum value each scored example belongs to: codes by stratum name, grown while reading.

    An example whose record gave no value belongs to none of the stratum's groups, but to the whole.
    """

    names: tuple[str, ...]
    values: dict[str, dict[str, int]] = field(default_factory=dict)
    codes: dict[str, array[int]] = field(default_factory=dict)
    errors: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, prediction: Prediction) -> None:
        for name in self.names:
            value = prediction.strata.get(name)
            known = self.values.setdefault(name, {})
            code = _NO_GROUP if value is None else known.setdefault(value, len(known))
            self.codes.setdefault(name, array("i")).append(code)

    def count_error(self, prediction: Prediction) -> None:
        self.errors["", ""] += 1
        self.errors.update((name, prediction.strata[name]) for name in self.names if name in prediction.strata)

    def count_lost(self, place: int) -> None:
        """As :meth:`count_error`, for an example that was added already, as number ``place``."""
        self.errors["", ""] += 1
        for name, values in self.values.items():
            self.errors.update((name, value) for value, code in values.items() if code == self.codes[name][place])

    def seen(self, only: Mapping[str, str], n: int) -> Mask:
        """Which of n examples a metric sees that is for one value of a stratum alone; all without that."""
        import numpy as np

        chosen = np.ones(n, bool)
        for name, value in only.items():
            chosen &= np.asarray(self.codes.get(name, ()), np.int32) == self.values.get(name, {}).get(value, _ABSENT)
        return chosen

    def masks(self, n: int) -> Iterator[tuple[str, str, Mask]]:
        """(stratum name, value, which of n examples): first all of them under empty names, then each value."""
        import numpy as np

        yield "", "", np.ones(n, bool)
        for name in self.names:
            codes = np.asarray(self.codes.get(name, ()), np.int32)
            for value, code in self.values.get(name, {}).items():
                yield name, value, codes == code


def _score_split(store: PredictionStore, spec: TaskSpec, split: str, context: _Context) -> list[ResultRow]:
    manifest = context.manifest
    groups = _Groups(tuple(spec.fields.strata))
    metrics = [load_metric(use.name, **use.parameters) for use in spec.metrics]
    for metric in metrics:
        metric.check()
    predictions = store.read(spec.id, split, manifest["tasks"][spec.id]["stops"].get(split))
    corpora = [use.corpus for use in spec.metrics]
    ids: list[str] = []
    parts = _noted(_scorable(predictions, spec, groups), ids if context.averages.wants(spec.id, split) else None)
    lost: dict[int, tuple[str, str]] = {}
    statistics = _all_statistics(parts, metrics, corpora, groups, context.workers, lost)
    if statistics is None:
        raise ScoringError(f"split {split} has no predictions with references to score")
    if lost:
        _count_lost(lost, ExampleKey(spec.id, split, ""), groups, len(statistics[0]), context)
    partial = _partial(spec, split, len(statistics[0]), manifest)
    rows: list[ResultRow] = []
    headline = spec.headline(context.protocol)
    for use, metric, table in zip(spec.metrics, metrics, statistics, strict=True):
        seen = groups.seen(use.only, len(table))
        if use == headline and ids:
            kept = [id for id, is_seen in zip(ids, seen, strict=True) if is_seen]
            unprepared = load_metric(use.name, **use.parameters)  # a prepared one holds its corpus
            context.averages.keep(spec.id, split, unprepared, table[seen], kept)
        for stratum, value, mask in groups.masks(len(table)):
            if not (mask & seen).any():
                continue
            shared = _shared_fields(spec, split, stratum, value, manifest)
            shared |= {"protocol": use.protocol, "errors": groups.errors[stratum, value], "partial": partial}
            rows += _rows(metric, table, mask & seen, use == headline, shared, context.resamples)
    return rows


def _count_lost(
    lost: Mapping[int, tuple[str, str]], split: ExampleKey, groups: _Groups, n: int, context: _Context
) -> None:
    """Examples (place -> id, reason) that ended their process are failed examples; too many of them fail the task."""
    for place, (id_, reason) in lost.items():
        groups.count_lost(place)
        context.lost[split._replace(id=id_)] = reason
    budget = ErrorBudget.parse(context.manifest["run"].get("max_errors", str(ErrorBudget())))
    failed, allowed = groups.errors["", ""], budget.allowed(n)
    if allowed is not None and failed > allowed:
        id_, reason = next(iter(lost.values()))
        context.failures[split.task] = (
            f"{failed} of {n} examples of split {split.split} failed, more than --max-errors {budget} allows "
            f"({split.split}/{id_}: the process that scored it {reason})"
        )


def _shared_fields(spec: TaskSpec, split: str, stratum: str, value: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
    """What all values of one split or stratum have in common."""
    place = {stratum: value} if stratum else {}
    paper = next((row for row in spec.rows if row.split == split and dict(row.stratum) == place), None)
    return {
        "task": spec.id,
        "task_version": spec.version,
        "title": spec.title,
        "family": spec.family,
        "paper_name": paper.name if paper else "",
        "reference": paper.reference if paper else "",
        "split": split,
        "stratum": f"{stratum}={value}" if stratum else "",
        "attributes": manifest["run"]["attributes"],
        "run": manifest["name"],
        "data": manifest["run"]["data"],
        "backend": manifest["run"]["backend"],
        "model": _model(spec, manifest),
    }


def _partial(spec: TaskSpec, split: str, n: int, manifest: Mapping[str, Any]) -> str:
    """Why ``n`` examples are not the whole published split; "" when they are, or when its size is not known."""
    entry = manifest["tasks"][spec.id]
    if entry.get("state") != "done":
        return entry.get("failure") or "the run was interrupted"
    if entry.get("limit"):
        return f"the first {n:,} examples (--limit {entry['limit']})"
    size = next((known.size for known in spec.splits if known.name == split), None)
    if manifest["run"]["data"] != "synthetic" and size is not None and n < size:
        return f"{n:,} of {size:,} examples"
    return ""


def _scorable(predictions: Iterable[Prediction], spec: TaskSpec, groups: _Groups) -> Iterator[_Scorable]:
    """Predictions in chunks. A failed example is scored as an empty answer, never left out."""
    stream = iter(predictions)
    while chunk := list(itertools.islice(stream, CHUNK)):
        part = _Scorable([], [])
        for prediction in chunk:
            if prediction.error is not None:
                groups.count_error(prediction)
            if prediction.references is not None:
                groups.add(prediction)
                part.answers.append(answer_of(prediction, spec))
                part.references.append(prediction.references)
        yield part


def _noted(parts: Iterator[_Scorable], ids: list[str] | None) -> Iterator[_Scorable]:
    """The parts as they are; the ids of their examples are added to ``ids``."""
    for part in parts:
        if ids is not None:
            ids += [answer.id for answer in part.answers]
        yield part


def answer_of(prediction: Prediction, spec: TaskSpec) -> Answer:
    """What the metrics see of a stored answer."""
    token_ids, log_probabilities = (prediction.details.get(name) for name in ("token_ids", "log_probabilities"))
    return Answer(
        parse_answer(prediction.text, spec.parsing),
        prediction.key.id,
        None if token_ids is None else tuple(token_ids),
        None if log_probabilities is None else tuple(log_probabilities),
    )


def _all_statistics(
    parts: Iterator[_Scorable],
    metrics: list[Metric],
    corpora: Sequence[str | None],
    groups: _Groups,
    workers: StatisticsWorkers,
    lost: dict[int, tuple[str, str]],
) -> list[Array] | None:
    """A table (n, k) of statistics per metric; ``metrics`` that need the corpus are replaced by prepared ones.

    Only when some metric needs the corpus is it held in memory. corpora: per metric, the stratum whose values are
    corpora of their own; its examples are then computed within these. lost: filled with place -> (id, reason) of
    examples that could only be computed as empty answers.
    """
    import numpy as np

    if any(corpora) or any(metric.needs_corpus for metric in metrics):
        whole = _Scorable([], [])
        for part in parts:
            whole.answers.extend(part.answers)
            whole.references.extend(part.references)
        if whole.answers:
            metrics[:] = [metric.prepare(whole.predictions(metric), whole.references) for metric in metrics]
        parts = iter([whole])
    tables: list[list[Array]] = [[] for _ in metrics]
    before = 0
    for part in parts:
        if part.answers:
            for table, metric, corpus in zip(tables, metrics, corpora, strict=True):
                if corpus is None:
                    lost_here: dict[int, str] = {}
                    table.append(workers.batch_statistics(metric, part.predictions(metric), part.references, lost_here))
                    lost.update({before + at: (part.answers[at].id, reason) for at, reason in lost_here.items()})
            # Metrics that share their corpora go together, so that these are tokenized once.
            for (corpus, _), places in _sharing(metrics, corpora).items():
                together = [metrics[place] for place in places]
                predictions = part.predictions(together[0])
                found = statistics_by_group(together, predictions, part.references, groups.codes[corpus])
                for place, table_of_one in zip(places, found, strict=True):
                    tables[place].append(table_of_one)
            before += len(part.answers)
    return [np.concatenate(table) for table in tables] if tables[0] else None


def _sharing(metrics: Sequence[Metric], corpora: Sequence[str | None]) -> dict[tuple[str, bool], list[int]]:
    """Places of the metrics that have corpora of their own, by stratum and by the form of answers they take."""
    places: dict[tuple[str, bool], list[int]] = {}
    for place, (metric, corpus) in enumerate(zip(metrics, corpora, strict=True)):
        if corpus is not None:
            places.setdefault((corpus, metric.takes_answers), []).append(place)
    return places


def _rows(
    metric: Metric, table: Array, chosen: Mask, headline: bool, shared: Mapping[str, Any], resamples: int
) -> Iterator[ResultRow]:
    """A row for each value of the metric over the chosen examples; the first is the headline where the metric is."""
    intervals = {}
    if isinstance(metric, WeightedMetric):
        official = metric.weighted_values(chosen.astype(float))
        if resamples:
            intervals = bootstrap_weights(metric, chosen, resamples=resamples)
    else:
        official = metric.finalize(table[chosen].sum(axis=0))
        if resamples:
            intervals = bootstrap(metric, table[chosen], resamples=resamples)
    for position, info in enumerate(metric.values):
        low, high = intervals.get(info.name, (math.nan, math.nan))
        yield ResultRow(
            metric=info.name,
            signature=metric.signature(),
            headline=headline and position == 0,
            value=_number(official[info.name], info.scale),
            ci_low=_number(low, info.scale),
            ci_high=_number(high, info.scale),
            unit=info.unit,
            n=int(chosen.sum()),
            higher_is_better=info.higher_is_better,
            **shared,
        )


def _model(spec: TaskSpec, manifest: Mapping[str, Any]) -> str:
    """The model that answered: as it was asked for, or what the backend's default turned out to be."""
    asked = manifest["tasks"][spec.id]["model"] or ""
    return asked or str(manifest["models"].get("", {}).get("model") or "")


def _number(value: Any, scale: float) -> float | None:
    number = float(value) * scale
    return number if math.isfinite(number) else None
