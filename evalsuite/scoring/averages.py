"""Averages that papers print over several tasks or splits, computed from the statistics of their members."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalsuite.errors import ScoringError
from evalsuite.metrics import Metric, WeightedMetric
from evalsuite.runs.answer_counts import AnswerCounts
from evalsuite.runs.results import ResultRow
from evalsuite.scoring.statistics import bootstrap_mean

if TYPE_CHECKING:
    from evalsuite.metrics.base import Array
    from evalsuite.specs.groups import GroupSpec


@dataclass(frozen=True, slots=True)
class _Part:
    """What is kept of one member: its prepared headline metric, and statistics and id of each example."""

    metric: Metric
    table: Array
    ids: list[str]


class Averages:
    """Collects the members' statistics while tasks are scored, then gives a row for each average that is complete.

    groups: the averages that may be asked for. resamples: of the intervals; 0 for none.
    """

    def __init__(self, groups: Iterable[GroupSpec], resamples: int) -> None:
        self._groups, self._resamples = list(groups), resamples
        self._wanted = {part for group in self._groups for part in group.parts()}
        self._parts: dict[tuple[str, str], _Part] = {}

    def wants(self, task: str, split: str) -> bool:
        """Whether some average has this split as a member."""
        return (task, split) in self._wanted

    def keep(self, task: str, split: str, metric: Metric, table: Array, ids: Sequence[str]) -> None:
        """Remember a member. Raises ScoringError for a metric whose examples do not add up."""
        if isinstance(metric, WeightedMetric):
            raise ScoringError(f"{metric.name} of {task} is no function of a sum and cannot be averaged")
        self._parts[task, split] = _Part(metric, table, list(ids))

    def rows(self, scored: Sequence[ResultRow]) -> Iterator[ResultRow]:
        """A headline row for each average whose members were all scored. scored: the rows of the members."""
        values = {(row.task, row.split): row for row in scored if row.headline and not row.stratum}
        for group in self._groups:
            if all(part in values and part in self._parts for part in group.parts()):
                yield self._row(group, [values[part] for part in group.parts()])

    def _row(self, group: GroupSpec, members: Sequence[ResultRow]) -> ResultRow:
        first, parts = members[0], [self._parts[part] for part in group.parts()]
        found = [row.value for row in members]
        value = None if None in found else math.fsum(value or 0.0 for value in found) / len(found)
        low, high = self._interval(first.metric, parts)
        paper = group.rows[0] if group.rows else None
        partial = sorted({row.partial for row in members if row.partial})
        return dataclasses.replace(
            first,
            task=group.id,
            task_version=group.version,
            title=group.title,
            family=group.family,
            paper_name=paper.name if paper else "",
            reference=paper.reference if paper else "",
            split=f"mean of {len(members)}",
            value=value,
            ci_low=low,
            ci_high=high,
            n=sum(row.n for row in members),
            errors=sum(row.errors for row in members),
            **dataclasses.asdict(AnswerCounts.total(row.answer_counts for row in members)),
            partial="; ".join(partial),
        )

    def _interval(self, name: str, parts: Sequence[_Part]) -> tuple[float | None, float | None]:
        """The same examples in all members (an image in every language) are drawn together."""
        if not self._resamples:
            return None, None
        info = next(info for info in parts[0].metric.values if info.name == name)
        paired = all(sorted(part.ids) == sorted(parts[0].ids) for part in parts)
        tables = [part.table[_order(part.ids)] if paired else part.table for part in parts]
        metrics = [part.metric for part in parts]
        low, high = bootstrap_mean(metrics, tables, paired=paired, resamples=self._resamples)[name]
        return (low * info.scale, high * info.scale) if math.isfinite(low) else (None, None)


def _order(ids: Sequence[str]) -> list[int]:
    return sorted(range(len(ids)), key=ids.__getitem__)
