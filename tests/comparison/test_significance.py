"""Paired intervals and tests, against known results."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats

from evalsuite.comparison.significance import holm, paired_bootstrap, randomization_test
from evalsuite.metrics import load_metric
from evalsuite.metrics.base import Array

ACCURACY = load_metric("exact_match")


def scores(values: Array) -> Array:
    """Statistics of a mean: (score, 1)."""
    return np.column_stack([np.asarray(values, float), np.ones(len(values))])


def test_p_is_that_of_all_possible_exchanges_on_a_small_corpus() -> None:
    before, after = np.array([0.0, 0, 1, 0, 1, 0]), np.array([1.0, 1, 1, 0, 0, 1])
    found = abs((after - before).mean())
    signs = np.array(list(itertools.product([1, -1], repeat=len(before))))
    exact = (np.abs((signs * (after - before)).mean(axis=1)) >= found - 1e-12).mean()
    assert randomization_test(ACCURACY, scores(before), scores(after)) == pytest.approx(exact, abs=0.02)


def test_p_of_right_and_wrong_answers_is_that_of_the_exact_mcnemar_test() -> None:
    """Only examples that changed matter: 18 became right, 6 wrong."""
    before = np.array([0.0] * 18 + [1.0] * 6 + [1.0] * 100 + [0.0] * 50)
    after = np.array([1.0] * 18 + [0.0] * 6 + [1.0] * 100 + [0.0] * 50)
    expected = stats.binomtest(18, 24).pvalue
    assert randomization_test(ACCURACY, scores(before), scores(after)) == pytest.approx(expected, abs=0.01)


def test_p_of_scores_is_that_of_scipys_permutation_test() -> None:
    generator = np.random.default_rng(3)
    before = generator.random(12)
    after = before + generator.normal(0.03, 0.1, 12)
    reference = stats.permutation_test(  # all 4,096 exchanges
        (before, after), lambda a, b: np.mean(b - a), permutation_type="samples", n_resamples=5000
    )
    assert randomization_test(ACCURACY, scores(before), scores(after)) == pytest.approx(reference.pvalue, abs=0.02)


def test_equal_answers_differ_by_nothing() -> None:
    same = scores(np.array([0.0, 1.0, 1.0]))
    assert randomization_test(ACCURACY, same, same) == 1.0
    assert paired_bootstrap(ACCURACY, same, same) == (0.0, 0.0)


def test_the_paired_interval_is_that_of_the_differences() -> None:
    generator = np.random.default_rng(0)
    before = generator.random(200)
    after = before + generator.normal(0.05, 0.02, 200)
    low, high = paired_bootstrap(ACCURACY, scores(before), scores(after), resamples=4000)
    differences = after - before
    half = 1.96 * differences.std(ddof=1) / len(differences) ** 0.5
    assert (low, high) == pytest.approx((differences.mean() - half, differences.mean() + half), abs=0.0005)


def test_intervals_cover_the_truth_in_about_95_of_100_studies() -> None:
    """400 studies of 150 examples with a true difference of 0.1: between 93 and 97 percent, up to chance."""
    generator = np.random.default_rng(7)
    covered = 0
    for _ in range(400):
        skill = generator.random(150)
        before = generator.random(150) < 0.2 + 0.6 * skill
        after = generator.random(150) < 0.3 + 0.6 * skill
        low, high = paired_bootstrap(ACCURACY, scores(before), scores(after), resamples=400)
        covered += low <= 0.1 <= high
    assert 0.92 <= covered / 400 <= 0.98


def test_p_values_are_uniform_when_nothing_changed() -> None:
    generator = np.random.default_rng(11)
    found = []
    for _ in range(300):
        before, after = generator.random((2, 80))
        found.append(randomization_test(ACCURACY, scores(before), scores(after), rounds=1000))
    assert stats.kstest(found, "uniform").pvalue > 0.01


def test_holm_is_monotone_capped_and_blind_to_order() -> None:
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []
    first, second = holm([float("nan"), 0.02])
    assert np.isnan(first) and second == 0.02
