"""From stored predictions to results: no model, no data set, only the run folder."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import EvalsuiteError, ScoringError
from evalsuite.metrics import Metric, load_metric
from evalsuite.parsing import parse_answer
from evalsuite.results import ResultRow, write_results
from evalsuite.runfolder import STORE, read_manifest
from evalsuite.specs.digest import inference_digest
from evalsuite.specs.schema import MetricUse, TaskSpec
from evalsuite.statistics import bootstrap
from evalsuite.store import PredictionStore
from evalsuite.types import JsonValue, Prediction

if TYPE_CHECKING:
    import numpy as np

    from evalsuite.metrics.base import Array
    from evalsuite.specs import TaskRegistry

CHUNK = 4096


@dataclass
class ScoredRun:
    """The results of a run; ``failures`` says which tasks could not be scored, and why."""

    folder: Path
    rows: list[ResultRow] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)


def score_run(folder: Path, registry: TaskRegistry | None = None, *, resamples: int = 1000) -> ScoredRun:
    """Score everything that a run folder holds and write ``results.json`` and ``results.parquet``.

    A task is scored by its spec in ``registry`` where that still asks the model the same, else by the spec that the
    manifest kept. Raises StoreError for a folder that cannot be read; a task that cannot be scored is a failure of its
    own.
    """
    manifest = read_manifest(folder)
    scored = ScoredRun(folder)
    with PredictionStore(folder / STORE, read_only=True) as store:
        counts = store.counts()
        for task_id, entry in manifest["tasks"].items():
            spec = _spec(task_id, entry, registry)
            try:
                for split in spec.splits:
                    if (task_id, split.name) in counts:
                        stop = entry["stops"].get(split.name)
                        scored.rows += _score_split(store, spec, split.name, stop, manifest, resamples)
            except EvalsuiteError as error:
                scored.failures[task_id] = str(error)
    write_results(folder, scored.rows)
    return scored


def _spec(task_id: str, entry: Mapping[str, Any], registry: TaskRegistry | None) -> TaskSpec:
    kept = TaskSpec.model_validate(entry["spec"])
    if registry is None or task_id not in registry.ids():
        return kept
    current = registry.get(task_id)
    return current if inference_digest(current) == inference_digest(kept) else kept


@dataclass(frozen=True, slots=True)
class _Scorable:
    """What scoring needs of one split, in data set order. Examples without references are only counted."""

    predictions: list[str]
    references: list[Sequence[JsonValue]]


@dataclass
class _Groups:
    """Which stratum value each scored example belongs to: codes by stratum name, grown while reading."""

    names: tuple[str, ...]
    values: dict[str, dict[str, int]] = field(default_factory=dict)
    codes: dict[str, list[int]] = field(default_factory=dict)
    errors: dict[tuple[str, str], int] = field(default_factory=dict)

    def add(self, prediction: Prediction) -> None:
        for name in self.names:
            value = prediction.strata.get(name, "")
            codes = self.values.setdefault(name, {})
            self.codes.setdefault(name, []).append(codes.setdefault(value, len(codes)))

    def count_error(self, prediction: Prediction) -> None:
        for key in [("", ""), *((name, prediction.strata.get(name, "")) for name in self.names)]:
            self.errors[key] = self.errors.get(key, 0) + 1

    def masks(self) -> Iterator[tuple[str, str, np.ndarray | slice]]:
        """(stratum name, value, rows): first all rows under empty names, then each value of each stratum."""
        import numpy as np

        yield "", "", slice(None)
        for name in self.names:
            codes = np.asarray(self.codes.get(name, []))
            for value, code in self.values.get(name, {}).items():
                yield name, value, codes == code


def _score_split(
    store: PredictionStore, spec: TaskSpec, split: str, stop: int | None, manifest: Mapping[str, Any], resamples: int
) -> list[ResultRow]:
    groups = _Groups(tuple(spec.fields.strata))
    metrics = [load_metric(use.name, **use.parameters) for use in spec.metrics]
    statistics = _all_statistics(_scorable(store.read(spec.id, split, stop), spec, groups), metrics)
    if statistics is None:
        raise ScoringError(f"split {split} has no predictions with references to score")
    rows = []
    for use, metric, table in zip(spec.metrics, metrics, statistics, strict=True):
        for stratum, value, mask in groups.masks():
            part = table[mask]
            errors = groups.errors.get((stratum, value), 0)
            rows += _rows(spec, split, stratum, value, use, metric, part, errors, manifest, resamples)
    return rows


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
                part.predictions.append(parse_answer(prediction.text, spec.parsing))
                part.references.append(prediction.references)
        yield part


def _all_statistics(parts: Iterator[_Scorable], metrics: list[Metric]) -> list[Array] | None:
    """A table (n, k) of statistics per metric; ``metrics`` that need the corpus are replaced by prepared ones.

    Only when some metric needs the corpus is it held in memory.
    """
    import numpy as np

    if any(metric.needs_corpus for metric in metrics):
        whole = _Scorable([], [])
        for part in parts:
            whole.predictions.extend(part.predictions)
            whole.references.extend(part.references)
        if whole.predictions:
            metrics[:] = [metric.prepare(whole.predictions, whole.references) for metric in metrics]
        parts = iter([whole])
    tables: list[list[Array]] = [[] for _ in metrics]
    for part in parts:
        if part.predictions:
            for table, metric in zip(tables, metrics, strict=True):
                table.append(metric.batch_statistics(part.predictions, part.references))
    return [np.concatenate(table) for table in tables] if tables[0] else None


def _rows(
    spec: TaskSpec,
    split: str,
    stratum: str,
    value: str,
    use: MetricUse,
    metric: Metric,
    statistics: Array,
    errors: int,
    manifest: Mapping[str, Any],
    resamples: int,
) -> list[ResultRow]:
    official = metric.finalize(statistics.sum(axis=0))
    intervals = bootstrap(metric, statistics, resamples=resamples) if resamples else {}
    paper = next(
        (row for row in spec.rows if row.split == split and dict(row.stratum) == _stratum(stratum, value)), None
    )
    rows = []
    for position, info in enumerate(metric.values):
        low, high = intervals.get(info.name, (math.nan, math.nan))
        rows.append(
            ResultRow(
                task=spec.id,
                task_version=spec.version,
                title=spec.title,
                family=spec.family,
                paper_name=paper.name if paper else "",
                reference=paper.reference if paper else "",
                split=split,
                stratum=f"{stratum}={value}" if stratum else "",
                metric=info.name,
                signature=metric.signature(),
                protocol=use.protocol,
                headline=use.headline and position == 0,
                value=_number(official[info.name], info.scale),
                ci_low=_number(low, info.scale),
                ci_high=_number(high, info.scale),
                unit=info.unit,
                n=len(statistics),
                errors=errors,
                higher_is_better=info.higher_is_better,
                attributes=manifest["run"]["attributes"],
                run=manifest["name"],
                data=manifest["run"]["data"],
                backend=manifest["run"]["backend"],
                model=_model(spec, manifest),
            )
        )
    return rows


def _model(spec: TaskSpec, manifest: Mapping[str, Any]) -> str:
    """The model that answered: as it was asked for, or what the backend's default turned out to be."""
    asked = manifest["tasks"][spec.id]["model"] or ""
    return asked or str(manifest["models"].get("", {}).get("model") or "")


def _stratum(name: str, value: str) -> dict[str, str]:
    return {name: value} if name else {}


def _number(value: Any, scale: float) -> float | None:
    number = float(value) * scale
    return number if math.isfinite(number) else None
