"""Statistics of heavy metrics in several processes, with the same result as in one."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalsuite.metrics import Metric
    from evalsuite.metrics.base import Array

SHARE = 32  # examples handed over at once
WORTH_IT = 512  # fewer heavy examples are done before a second process has started


class StatisticsWorkers:
    """Computes ``metric.batch_statistics``, spreading heavy metrics over ``jobs`` processes.

    Examples keep their order and each is computed alone, so that the number of jobs changes nothing. Processes are
    started when a first large enough batch comes, afresh rather than forked: the parent may hold a model and threads.
    A script that asks for more than one job needs the usual ``if __name__ == "__main__":`` guard.
    """

    def __init__(self, jobs: int = 1) -> None:
        self._jobs = jobs
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> StatisticsWorkers:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def batch_statistics(self, metric: Metric, predictions: Sequence[Any], references: Sequence[Any]) -> Array:
        """Shape (n, k), as ``metric.batch_statistics`` gives it."""
        if self._jobs == 1 or not metric.heavy or metric.needs_corpus or len(predictions) < WORTH_IT:
            return metric.batch_statistics(predictions, references)
        import numpy as np

        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._jobs, mp_context=get_context("spawn"))
        shares = [
            (metric, predictions[start : start + SHARE], references[start : start + SHARE])
            for start in range(0, len(predictions), SHARE)
        ]
        return np.concatenate(list(self._pool.map(_share, shares)))


def _share(work: tuple[Metric, Sequence[Any], Sequence[Any]]) -> Array:
    metric, predictions, references = work
    return metric.batch_statistics(predictions, references)
