"""From summed statistics to rows of results: values in the papers' unit, intervals, what they stand for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from evalsuite.metrics import Metric, WeightedMetric
from evalsuite.runs.results import ResultRow
from evalsuite.scoring.statistics import bootstrap, bootstrap_weights
from evalsuite.specs.schema import TaskSpec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evalsuite.metrics.base import Array

    Mask = NDArray[np.bool_]


def shared_fields(spec: TaskSpec, split: str, stratum: str, value: str, manifest: Mapping[str, Any]) -> dict[str, Any]:
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


def why_partial(spec: TaskSpec, split: str, n: int, manifest: Mapping[str, Any]) -> str:
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


def value_rows(
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
