"""Scoring in several processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from evalsuite.metrics import Metric, load_metric
from evalsuite.scoring.workers import WORTH_IT, StatisticsWorkers


def tables(n: int) -> tuple[list[str], list[list[str]]]:
    def table(seed: int) -> str:
        cells = "".join(f"<td>{(seed * k) % 7}</td>" for k in range(1, 5))
        return f"<html><body><table><tr>{cells}</tr></table></body></html>"

    return [table(i) for i in range(n)], [[table(i + i % 3)] for i in range(n)]


def test_two_processes_give_the_rows_of_one_in_the_same_order() -> None:
    metric = load_metric("teds")
    predictions, references = tables(WORTH_IT + 77)
    with StatisticsWorkers(2) as workers:
        together = workers.batch_statistics(metric, predictions, references)
    assert np.array_equal(together, metric.batch_statistics(predictions, references))


@dataclass(frozen=True)
class Fake:
    """Stands for a metric; remembers in which process it worked."""

    heavy: bool = True
    needs_corpus: bool = False

    def batch_statistics(self, predictions: Any, references: Any) -> Any:
        import os

        return np.full((len(predictions), 1), os.getpid(), float)


@pytest.mark.parametrize(
    ("metric", "jobs", "n"),
    [(Fake(heavy=False), 2, 1000), (Fake(needs_corpus=True), 2, 1000), (Fake(), 1, 1000), (Fake(), 2, WORTH_IT - 1)],
)
def test_light_work_stays_in_this_process(metric: Metric, jobs: int, n: int) -> None:
    import os

    with StatisticsWorkers(jobs) as workers:
        assert set(workers.batch_statistics(metric, [""] * n, [[]] * n).ravel()) == {os.getpid()}
