"""The statistics of every example of a split, for every metric of its task."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from evalsuite.metrics import Metric
from evalsuite.metrics.groups import statistics_by_group
from evalsuite.scoring.marks import FAILED, Tally, with_unread
from evalsuite.scoring.reading import Groups, Scorable
from evalsuite.scoring.workers import StatisticsWorkers

if TYPE_CHECKING:
    from evalsuite.metrics.base import Array


def all_statistics(
    parts: Iterator[Scorable],
    metrics: list[Metric],
    corpora: Sequence[str | None],
    groups: Groups,
    workers: StatisticsWorkers,
    lost: dict[int, tuple[str, str]],
    tallies: Sequence[Tally],
) -> list[Array] | None:
    """A table (n, k) of statistics per metric; ``metrics`` that need the corpus are replaced by prepared ones.

    Only when some metric needs the corpus is it held in memory. corpora: per metric, the stratum whose values are
    corpora of their own; its examples are then computed within these. lost: filled with place -> (id, reason) of
    examples that could only be computed as empty answers. tallies: per metric, filled with the marks of the answers.
    """
    import numpy as np

    if any(corpora) or any(metric.needs_corpus for metric in metrics):
        whole = Scorable()
        for part in parts:
            whole.answers.extend(part.answers)
            whole.references.extend(part.references)
            whole.marks.extend(part.marks)
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
            marks = np.frombuffer(part.marks, np.uint8).copy()
            marks[[place - before for place in lost if place >= before]] = FAILED
            codes_here = groups.part(before, len(marks))
            for tally, metric, table in zip(tallies, metrics, tables, strict=True):
                marked = with_unread(marks, metric, part.predictions(metric), part.references, table[-1])
                tally.add(*marked, codes_here)
            before += len(part.answers)
    return [np.concatenate(table) for table in tables] if tables[0] else None


def _sharing(metrics: Sequence[Metric], corpora: Sequence[str | None]) -> dict[tuple[str, bool], list[int]]:
    """Places of the metrics that have corpora of their own, by stratum and by the form of answers they take."""
    places: dict[tuple[str, bool], list[int]] = {}
    for place, (metric, corpus) in enumerate(zip(metrics, corpora, strict=True)):
        if corpus is not None:
            places.setdefault((corpus, metric.takes_answers), []).append(place)
    return places
