"""Paired intervals and tests: the same examples are drawn, or exchanged, on both sides."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evalsuite.metrics.base import Array, Metric, WeightedMetric
from evalsuite.scoring.statistics import example_weights, resampled_totals

ROUNDS, FEWEST_ROUNDS = 10_000, 1_000
_EXCHANGES_AT_ONCE = 1 << 22
_MOST_EXCHANGES = 200_000_000  # beyond that, fewer rounds


def paired_bootstrap(
    metric: Metric, before: Array, after: Array, *, resamples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of (after - before) of the headline value, in the official unit.

    before, after: shape (n, k), statistics of the same n examples; a resample draws examples, both sides at once.
    """
    width = before.shape[1]
    totals = resampled_totals(np.hstack([before, after]), resamples=resamples, seed=seed)
    name = metric.values[0].name
    drawn = metric.finalize(totals[:, width:])[name] - metric.finalize(totals[:, :width])[name]
    return _interval(np.asarray(drawn, np.float64), confidence)


def weighted_bootstrap(
    before: WeightedMetric,
    after: WeightedMetric,
    n: int,
    *,
    resamples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> tuple[float, float, float]:
    """(low, high, p) of (after - before) for metrics that are no function of a sum, prepared on the same n examples.

    p is twice the smaller share of resamples on one side of zero (Efron and Tibshirani 1993, chapter 15).
    """
    name = before.values[0].name
    parts = [
        np.asarray(after.weighted_values(weights)[name]) - np.asarray(before.weighted_values(weights)[name])
        for weights in example_weights(np.random.default_rng(seed), n, resamples)
    ]
    drawn = np.concatenate(parts)
    low, high = _interval(drawn, confidence)
    drawn = drawn[~np.isnan(drawn)]
    if not drawn.size:
        return low, high, float("nan")
    smaller = min((drawn <= 0).mean(), (drawn >= 0).mean())
    return low, high, float(min(1.0, max(2 * smaller, 1 / drawn.size)))


def randomization_test(metric: Metric, before: Array, after: Array, *, rounds: int = ROUNDS, seed: int = 0) -> float:
    """Two-sided p of the difference, by exchanging the two sides of random examples (Noreen 1989; Riezler and Maxwell
    2005 for corpus metrics).

    If both sides were the same, exchanging changes nothing. p is the share of rounds whose difference is at least the
    one found, which is counted too, so that p is never 0. Examples whose sides are equal do not matter.
    """
    changes = after - before
    changes = changes[(changes != 0).any(axis=1)]
    if not len(changes):
        return 1.0
    rounds = int(max(FEWEST_ROUNDS, min(rounds, _MOST_EXCHANGES // len(changes))))
    start, end = before.sum(axis=0), after.sum(axis=0)
    name = metric.values[0].name

    def distance(moved: Array) -> Array:
        value = metric.finalize(end - moved)[name] - metric.finalize(start + moved)[name]
        return np.abs(np.asarray(value, np.float64))

    found = float(distance(np.zeros((1, len(start))))[0])
    if np.isnan(found):
        return float("nan")
    generator = np.random.default_rng(seed)
    rows, counts = np.unique(changes, axis=0, return_counts=True)
    extreme = 0
    at_once = max(1, _EXCHANGES_AT_ONCE // len(rows))
    for first in range(0, rounds, at_once):
        size = min(at_once, rounds - first)
        moved = generator.binomial(counts, 0.5, size=(size, len(rows))) @ rows  # equal rows are exchanged together
        extreme += int((distance(moved) >= found * (1 - 1e-12) - 1e-15).sum())
    return (extreme + 1) / (rounds + 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted for testing all of them (Holm 1979), in the given order. NaN stays NaN.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    known = [place for place, p in enumerate(p_values) if p == p]
    adjusted, highest = list(p_values), 0.0
    for rank, place in enumerate(sorted(known, key=lambda place: p_values[place])):
        highest = max(highest, min(1.0, (len(known) - rank) * p_values[place]))
        adjusted[place] = highest
    return adjusted


def _interval(drawn: Array, confidence: float) -> tuple[float, float]:
    drawn = drawn[~np.isnan(drawn)]
    if not drawn.size:
        return float("nan"), float("nan")
    tail = 50 * (1 - confidence)
    low, high = np.percentile(drawn, [tail, 100 - tail])
    return float(low), float(high)
