"""What filters and sorting need of every example of a split, a few bytes each; the rest stays in the store."""

from __future__ import annotations

import hashlib
import itertools
import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.comparison.answers import RunAnswers
from evalsuite.errors import EvalsuiteError
from evalsuite.metrics import Metric, WeightedMetric, load_metric
from evalsuite.metrics.groups import statistics_by_group
from evalsuite.runs.folder import STORE
from evalsuite.runs.store import PredictionStore
from evalsuite.scoring.reading import CHUNK, answer_of
from evalsuite.specs.parts import MetricUse
from evalsuite.specs.schema import TaskSpec
from evalsuite.types import Prediction

if TYPE_CHECKING:
    from evalsuite.metrics.base import Array

_NO_GROUP = -1


@dataclass(frozen=True, eq=False)
class SplitIndex:
    """One entry per stored example, in data set order.

    positions: int64. keys: 64-bit digests of the ids. values: the example's own headline value in paper units, NaN
    where it has none alone. failed: whether it is an error row. groups: stratum name -> (values, code of each example,
    -1 where it has none). problem: why there are no values, or "".
    """

    positions: NDArray[np.int64]
    keys: NDArray[np.int64]
    values: NDArray[np.float64]
    failed: NDArray[np.bool_]
    groups: Mapping[str, tuple[Sequence[str], NDArray[np.int32]]]
    higher_is_better: bool
    problem: str = ""

    @classmethod
    def empty(cls) -> SplitIndex:
        """Of a split without examples."""
        none = np.empty(0, np.int64)
        return cls(none, none, np.empty(0), np.empty(0, np.bool_), {}, True)

    def __len__(self) -> int:
        return len(self.positions)

    def value(self, position: int) -> float | None:
        """The value of the example at a position, None where it has none."""
        place = int(np.searchsorted(self.positions, position))
        found = place < len(self) and self.positions[place] == position
        return float(self.values[place]) if found and math.isfinite(self.values[place]) else None

    def strata(self) -> dict[str, int]:
        """``name=value`` of every group with its number of examples, most frequent first."""
        counts: dict[str, int] = {}
        for name, (labels, codes) in self.groups.items():
            for label, count in zip(labels, np.bincount(codes[codes >= 0], minlength=len(labels)), strict=True):
                counts[f"{name}={label}"] = int(count)
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    def of_group(self, stratum: str) -> NDArray[np.bool_]:
        """Which examples belong to the group ``name=value``; none for one that is not there."""
        name, _, value = stratum.partition("=")
        labels, codes = self.groups.get(name, ((), np.zeros(len(self), np.int32)))
        return codes == list(labels).index(value) if value in labels else np.zeros(len(self), bool)

    def gains(self, other: SplitIndex) -> NDArray[np.float64]:
        """By how much each example is better in the other index, paired by id; 0 where either has no value."""
        if not len(other):
            return np.zeros(len(self))
        order = np.argsort(other.keys)
        places = order[np.minimum(np.searchsorted(other.keys, self.keys, sorter=order), len(other) - 1)]
        difference = np.where(other.keys[places] == self.keys, other.values[places], np.nan) - self.values
        return np.nan_to_num(difference if self.higher_is_better else -difference)


@dataclass
class _Columns:
    """An index that grows while rows are read."""

    positions: array[int] = field(default_factory=lambda: array("q"))
    keys: array[int] = field(default_factory=lambda: array("q"))
    failed: bytearray = field(default_factory=bytearray)
    labels: dict[str, dict[str, int]] = field(default_factory=dict)
    codes: dict[str, array[int]] = field(default_factory=dict)

    def add(self, item: Prediction) -> None:
        for name in item.strata.keys() - self.labels.keys():
            self.labels[name], self.codes[name] = {}, array("i", [_NO_GROUP]) * len(self.positions)
        for name, known in self.labels.items():
            value = item.strata.get(name)
            self.codes[name].append(_NO_GROUP if value is None else known.setdefault(value, len(known)))
        self.positions.append(item.position)
        self.keys.append(_key(item.key.id))
        self.failed.append(item.error is not None)


def split_index(run: RunAnswers, task: str, split: str) -> SplitIndex:
    """Read and score a split, a chunk of rows at a time; only metrics that need the whole corpus hold it in memory.

    Scored as ``evalsuite score`` does: by the headline of the run's protocol. Raises StoreError at a damaged row.
    """
    spec = run.spec(task)
    use = spec.headline(run.asked.protocol)
    metric = load_metric(use.name, **use.parameters)
    columns, chunks, problem = _Columns(), _Values(metric, use, spec), ""
    with PredictionStore(run.folder / STORE, read_only=True) as store:
        stored = store.read(task, split, run.manifest["tasks"][task]["stops"].get(split))
        while items := list(itertools.islice(stored, CHUNK)):
            for item in items:
                columns.add(item)
            chunks.add(items)
    groups = {name: (list(known), np.array(columns.codes[name], np.int32)) for name, known in columns.labels.items()}
    try:
        values = chunks.values(groups)
    # A metric that cannot score here leaves the examples to be looked at; the page says why.
    except (EvalsuiteError, ValueError, TypeError) as error:
        values, problem = np.full(len(columns.positions), np.nan), str(error) or type(error).__name__
    return SplitIndex(
        np.array(columns.positions, np.int64),
        np.array(columns.keys, np.int64),
        values,
        np.frombuffer(columns.failed, np.bool_),
        groups,
        metric.values[0].higher_is_better,
        problem,
    )


class _Values:
    """The headline value of each example, computed chunk by chunk where the metric allows it."""

    def __init__(self, metric: Metric, use: MetricUse, spec: TaskSpec) -> None:
        self._metric, self._use, self._spec = metric, use, spec
        self._whole = metric.needs_corpus or use.corpus is not None
        self._alone = not isinstance(metric, WeightedMetric)
        self._answers: list[Any] = []
        self._references: list[Sequence[Any]] = []
        self._scorable: list[bool] = []
        self._parts: list[Array] = []
        self._error: EvalsuiteError | ValueError | TypeError | None = None

    def add(self, items: Sequence[Prediction]) -> None:
        self._scorable += [item.references is not None for item in items]
        if not self._alone or self._error:
            return
        for item in items:
            if item.references is not None:
                answer = answer_of(item, self._spec)
                self._answers.append(answer if self._metric.takes_answers else answer.text)
                self._references.append(item.references)
        if not self._whole:
            self._score(self._metric, None)

    def values(self, groups: Mapping[str, tuple[Sequence[str], NDArray[np.int32]]]) -> NDArray[np.float64]:
        """Shape (n,), paper units. Raises what the metric raises."""
        found = np.full(len(self._scorable), np.nan)
        if not self._alone or not any(self._scorable):
            return found
        scorable = np.array(self._scorable)
        if self._whole:
            of_corpus = groups.get(self._use.corpus or "")
            codes = None if of_corpus is None else of_corpus[1][scorable].tolist()
            prepared = self._metric if codes else self._metric.prepare(self._answers, self._references)
            self._score(prepared, codes)
        if self._error:
            raise self._error
        found[scorable] = np.concatenate(self._parts)
        for name, value in self._use.only.items():
            labels, codes_of_name = groups.get(name, ([], np.full(len(found), _NO_GROUP, np.int32)))
            found[codes_of_name != (labels.index(value) if value in labels else -2)] = np.nan
        return found

    def _score(self, metric: Metric, codes: Sequence[int] | None) -> None:
        if not self._answers:
            return
        try:
            if codes is None:
                table = metric.batch_statistics(self._answers, self._references)
            else:
                (table,) = statistics_by_group([metric], self._answers, self._references, codes)
            value = metric.values[0]
            official = np.asarray(metric.finalize(table)[value.name], np.float64)
            self._parts.append(np.where(np.isfinite(official), official, np.nan) * value.scale)
        except (EvalsuiteError, ValueError, TypeError) as error:
            self._error = error
        self._answers, self._references = [], []


def _key(id: str) -> int:
    digest = hashlib.blake2b(id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)
