"""The difference of one value between two sets of answers to the same examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from evalsuite.comparison.significance import paired_bootstrap, randomization_test, weighted_bootstrap
from evalsuite.metrics import Answer, Metric, Value, WeightedMetric, load_metric
from evalsuite.metrics.groups import statistics_by_group
from evalsuite.runs.answer_counts import AnswerCounts
from evalsuite.scoring.marks import counts_of, with_unread

if TYPE_CHECKING:
    from evalsuite.metrics.base import Array
    from evalsuite.scoring.workers import StatisticsWorkers
    from evalsuite.specs.parts import MetricUse
    from evalsuite.types import JsonValue


Counts = tuple[AnswerCounts | None, AnswerCounts | None]
Marks = tuple[Sequence[int] | None, Sequence[int] | None]


@dataclass(frozen=True, slots=True)
class Difference:
    """One value on n shared examples: before, after, and after minus before with its 95% interval, in paper units.

    p: probability of a difference at least as large if both sides were the same (two-sided); None where not computed.
    better, worse: places of the examples whose own value rose or fell; empty for a metric without values of its own for
    an example, such as average precision. tied: how many stayed.
    counts: of the answers before and after that were unread, cut, empty or withheld; None where no marks were given.
    metric: the name of the metric that ``value`` is of.
    """

    value: Value
    n: int
    before: float
    after: float
    low: float
    high: float
    p: float | None
    better: Sequence[int] = field(default_factory=tuple)
    worse: Sequence[int] = field(default_factory=tuple)
    tied: int = 0
    counts: Counts = (None, None)
    metric: str = ""

    @property
    def difference(self) -> float:
        return self.after - self.before

    @property
    def gain(self) -> tuple[float, float, float]:
        """(difference, low, high) turned so that more is better."""
        if self.value.higher_is_better:
            return self.difference, self.low, self.high
        return -self.difference, -self.high, -self.low


def difference(
    use: MetricUse,
    before: Sequence[Answer],
    after: Sequence[Answer],
    references: Sequence[Sequence[JsonValue]],
    strata: Sequence[Mapping[str, str]],
    workers: StatisticsWorkers,
    *,
    resamples: int = 1000,
    marks: Marks = (None, None),
) -> Difference:
    """The headline value of a metric on two sets of answers; element i of all lists is one example.

    marks: of the answers before and after, as of :func:`evalsuite.scoring.marks.marks_of`, where they are known.
    A corpus metric is prepared anew on these examples, so that document frequencies are those of what is compared.
    Raises ValueError when there are none.
    """
    if use.only:
        ((name, wanted),) = use.only.items()
        kept = [place for place, groups in enumerate(strata) if groups.get(name) == wanted]
        before, after = [before[place] for place in kept], [after[place] for place in kept]
        references, strata = [references[place] for place in kept], [strata[place] for place in kept]
        marks = (_at(marks[0], kept), _at(marks[1], kept))
    if not before:
        raise ValueError("no examples to compare")
    metric = load_metric(use.name, **use.parameters)
    metric.check()
    if isinstance(metric, WeightedMetric):
        return _weighted(metric, before, after, references, resamples, marks)
    groups = [item.get(use.corpus, "") for item in strata] if use.corpus else None
    sides = [_table(metric, answers, references, groups, workers) for answers in (before, after)]
    counts = [
        _counted(ready, answers, references, table, side)
        for (ready, table), answers, side in zip(sides, (before, after), marks, strict=True)
    ]
    return _summed(metric, sides[0][1], sides[1][1], resamples, (counts[0], counts[1]))


def _summed(metric: Metric, before: Array, after: Array, resamples: int, counts: Counts) -> Difference:
    value = metric.values[0]
    totals = [float(metric.finalize(table.sum(axis=0))[value.name]) for table in (before, after)]
    low, high = paired_bootstrap(metric, before, after, resamples=resamples)
    p = randomization_test(metric, before, after)
    changes = _per_example(metric, after) - _per_example(metric, before)
    if not value.higher_is_better:
        changes = -changes
    better, worse = np.flatnonzero(changes > 0).tolist(), np.flatnonzero(changes < 0).tolist()
    scaled = (totals[0] * value.scale, totals[1] * value.scale, low * value.scale, high * value.scale)
    tied = len(before) - len(better) - len(worse)
    return Difference(value, len(before), *scaled, p, better, worse, tied, counts, metric.name)


def _weighted(
    metric: WeightedMetric,
    before: Sequence[Answer],
    after: Sequence[Answer],
    references: Sequence[Sequence[JsonValue]],
    resamples: int,
    marks: Marks,
) -> Difference:
    value = metric.values[0]
    sides = []
    for answers in (before, after):
        ready = metric.prepare(_taken(metric, answers), references)
        assert isinstance(ready, WeightedMetric)
        sides.append(ready)
    whole = np.ones(len(before))
    totals = [float(side.weighted_values(whole)[value.name]) * value.scale for side in sides]
    low, high, p = weighted_bootstrap(sides[0], sides[1], len(before), resamples=resamples)
    ones = np.ones((len(before), 1))
    counts = [
        _counted(side, answers, references, ones, of_side)
        for side, answers, of_side in zip(sides, (before, after), marks, strict=True)
    ]
    scaled = (totals[0], totals[1], low * value.scale, high * value.scale)
    return Difference(value, len(before), *scaled, p, counts=(counts[0], counts[1]), metric=metric.name)


def _at(marks: Sequence[int] | None, places: Sequence[int]) -> Sequence[int] | None:
    return None if marks is None else [marks[place] for place in places]


def _counted(
    metric: Metric,
    answers: Sequence[Answer],
    references: Sequence[Sequence[JsonValue]],
    statistics: Array,
    marks: Sequence[int] | None,
) -> AnswerCounts | None:
    if marks is None:
        return None
    own = np.asarray(marks, np.uint8)
    return counts_of(*with_unread(own, metric, _taken(metric, answers), references, statistics))


def _table(
    metric: Metric,
    answers: Sequence[Answer],
    references: Sequence[Sequence[JsonValue]],
    groups: Sequence[str] | None,
    workers: StatisticsWorkers,
) -> tuple[Metric, Array]:
    """The metric made ready, and the statistics of these answers."""
    taken = _taken(metric, answers)
    if groups is not None:
        return metric, statistics_by_group([metric], taken, references, groups)[0]
    ready = metric.prepare(taken, references)
    return ready, workers.batch_statistics(ready, taken, references)


def _taken(metric: Metric, answers: Sequence[Answer]) -> list[Any]:
    return list(answers) if metric.takes_answers else [answer.text for answer in answers]


def _per_example(metric: Metric, table: Array) -> Array:
    """Each example's own value; 0 where it has none alone, so that it counts as a tie."""
    values: Array = np.nan_to_num(np.asarray(metric.finalize(table)[metric.values[0].name], np.float64))
    return values
