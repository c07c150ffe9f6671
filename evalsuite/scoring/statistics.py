"""Confidence intervals of metric values from the statistics of the examples.

A metric's value is a function of the *sum* of its statistics, so a bootstrap resample is a vector of whole-number
weights, and all resamples together are one product ``weights @ statistics``: no example is scored twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evalsuite.metrics.base import Array, Metric, WeightedMetric

Interval = tuple[float, float]

_DRAWS_AT_ONCE = 1 << 18  # bounds the memory, and stays in the cache
_DRAWS_PER_CATEGORY = 16  # one binomial costs about as much as this many single draws


def bootstrap(
    metric: Metric, statistics: Array, *, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> dict[str, Interval]:
    """Percentile intervals of every value of ``metric``, in official units (Efron and Tibshirani 1993, chapter 13).

    Each resample draws n of the n examples with replacement. The result depends on the seed and the statistics, not on
    the order of the examples; one example gives an interval of width 0. A resample for which the metric has no value
    (NaN, such as the mean of a group that was not drawn) is left out; without any value both ends are NaN.

    statistics: shape (n, k), a row per example, from the metric made ready for this corpus.
    Raises ValueError for no examples, a wrong shape, fewer than one resample, or a confidence not between 0 and 1.
    """
    return _intervals(metric.finalize(resampled_totals(statistics, resamples=resamples, seed=seed)), confidence)


def bootstrap_weights(
    metric: WeightedMetric,
    chosen: NDArray[np.bool_],
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """:func:`bootstrap` for a metric that is no function of a sum, prepared on the whole corpus.

    chosen: shape (n,), the examples of the corpus that are resampled; the others weigh 0.
    """
    _check(int(chosen.sum()), resamples)
    parts = []
    for drawn in example_weights(np.random.default_rng(seed), int(chosen.sum()), resamples):
        weights = np.zeros((len(drawn), len(chosen)))
        weights[:, chosen] = drawn
        parts.append(metric.weighted_values(weights))
    return _intervals({name: np.concatenate([part[name] for part in parts]) for name in parts[0]}, confidence)


def bootstrap_mean(
    metrics: Sequence[Metric],
    tables: Sequence[Array],
    *,
    paired: bool,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> dict[str, Interval]:
    """:func:`bootstrap` of the unweighted mean of several metrics' values, such as one per language.

    tables: shape (n, k) each, the statistics of one part. paired: row i of every table belongs to the same example
    (the same image in every language), which is then drawn for all parts at once; otherwise the parts are drawn
    independently.
    """
    if paired:
        weights = np.concatenate(list(example_weights(np.random.default_rng(seed), len(tables[0]), resamples)))
        totals = [weights @ np.asarray(table, np.float64) for table in tables]
    else:
        seeds = np.random.SeedSequence(seed).generate_state(len(tables))
        drawn = zip(tables, seeds, strict=True)
        totals = [resampled_totals(table, resamples=resamples, seed=int(own)) for table, own in drawn]
    values = [metric.finalize(total) for metric, total in zip(metrics, totals, strict=True)]
    means = {name: np.mean([np.asarray(part[name]) for part in values], axis=0) for name in values[0]}
    return _intervals(means, confidence)


def resampled_totals(statistics: Array, *, resamples: int, seed: int) -> Array:
    """Shape (resamples, k): the sum of the statistics of n examples drawn with replacement, once per resample.

    Exact multinomial resampling. Equal rows are interchangeable, so where there are few distinct ones (an accuracy has
    two) their numbers are drawn at once.
    """
    statistics = np.asarray(statistics, np.float64)
    if statistics.ndim != 2:
        raise ValueError(f"statistics have shape (examples, k), not {statistics.shape}")
    _check(len(statistics), resamples)
    generator = np.random.default_rng(seed)
    rows, counts = _sorted_rows(statistics)
    if len(rows) * _DRAWS_PER_CATEGORY <= len(statistics):
        shares, drawn = counts / len(statistics), max(1, _DRAWS_AT_ONCE // len(rows))
        sizes = [min(drawn, resamples - start) for start in range(0, resamples, drawn)]
        parts = [generator.multinomial(len(statistics), shares, size=size) @ rows for size in sizes]
    else:
        rows = np.repeat(rows, counts, axis=0)
        parts = [weights @ rows for weights in example_weights(generator, len(rows), resamples)]
    return np.concatenate(parts)


def _check(examples: int, resamples: int) -> None:
    if not examples:
        raise ValueError("no examples: there is nothing to resample")
    if resamples < 1:
        raise ValueError(f"resamples is 1 or more, not {resamples}")


def _sorted_rows(statistics: Array) -> tuple[Array, NDArray[np.int64]]:
    """Distinct rows in a fixed order, and how often each occurs."""
    ordered = statistics[np.lexsort(statistics.T)] if statistics.shape[1] else statistics
    is_new = np.concatenate([[True], (ordered[1:] != ordered[:-1]).any(axis=1)])
    starts = np.flatnonzero(is_new)
    return ordered[starts], np.diff(np.append(starts, len(ordered)))


def example_weights(generator: np.random.Generator, n: int, resamples: int) -> Iterator[Array]:
    """How often each of n examples is drawn with replacement, in chunks of resamples: shape (chunk, n).

    Draws follow each other, whatever the size of a chunk.
    """
    chunk = max(1, _DRAWS_AT_ONCE // n)
    for start in range(0, resamples, chunk):
        size = min(chunk, resamples - start)
        draws = generator.integers(n, size=(size, n))
        draws += np.arange(size)[:, None] * n
        yield np.bincount(draws.ravel(), minlength=size * n).reshape(size, n).astype(np.float64)


def _intervals(values: Mapping[str, Array], confidence: float) -> dict[str, Interval]:
    if not 0 < confidence < 1:
        raise ValueError(f"confidence lies between 0 and 1, not {confidence}")
    tail = (1 - confidence) / 2
    return {name: _interval(np.asarray(value, np.float64), tail) for name, value in values.items()}


def _interval(values: Array, tail: float) -> Interval:
    values = values[~np.isnan(values)]
    if not values.size:
        return float("nan"), float("nan")
    low, high = np.percentile(values, [100 * tail, 100 * (1 - tail)])
    return float(low), float(high)
