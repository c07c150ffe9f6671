"""Bootstrap intervals: exact resampling of examples, whatever their number and order."""

from __future__ import annotations

import itertools
import tracemalloc
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import comb
from typing import Any, ClassVar

import numpy as np
import pytest

from evalsuite.metrics.base import Array, MeanMetric, Metric, Value, WeightedMetric, ratio
from evalsuite.scoring import statistics as module
from evalsuite.scoring.statistics import bootstrap, bootstrap_weights, resampled_totals


@dataclass(frozen=True)
class Accuracy(MeanMetric):
    name: ClassVar[str] = "accuracy"
    values: ClassVar[tuple[Value, ...]] = (Value("accuracy"),)

    def example(self, prediction: str, references: Sequence[Any]) -> float:
        return float(prediction in references)


@dataclass(frozen=True)
class WordF1(Metric):
    """A ratio of sums (2 tp, predicted + true), and the accuracy of a group that an example may not belong to."""

    name: ClassVar[str] = "word_f1"
    values: ClassVar[tuple[Value, ...]] = (Value("f1"), Value("group"))

    def statistics(self, prediction: str, references: Sequence[Any]) -> Array:
        raise AssertionError("the bootstrap must not score examples again")

    def finalize(self, total: Array) -> dict[str, Array]:
        return {"f1": ratio(total[..., 0], total[..., 1]), "group": ratio(total[..., 2], total[..., 3])}


@dataclass(frozen=True)
class WeightedMean(WeightedMetric):
    name: ClassVar[str] = "weighted_mean"
    values: ClassVar[tuple[Value, ...]] = (Value("mean"),)
    of: tuple[float, ...]

    def weighted_values(self, weights: Array) -> dict[str, Array]:
        return {"mean": weights @ np.array(self.of) / weights.sum(axis=-1)}


def scores(*values: float) -> Array:
    """Statistics of a mean over examples with these scores."""
    return np.column_stack([values, np.ones(len(values))])


def random_scores(n: int, seed: int = 5) -> Array:
    return scores(*np.random.default_rng(seed).random(n))


def test_the_result_does_not_depend_on_how_many_resamples_are_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    few, many = scores(*[0.0] * 60, *[0.5] * 70), random_scores(50)
    whole = [resampled_totals(table, resamples=100, seed=3) for table in (few, many)]
    monkeypatch.setattr(module, "_DRAWS_AT_ONCE", 7)
    parts = [resampled_totals(table, resamples=100, seed=3) for table in (few, many)]
    assert all(np.allclose(one, other) for one, other in zip(whole, parts, strict=True))


def test_weights_of_a_metric_that_is_no_sum_give_the_intervals_of_the_same_sum() -> None:
    """The mean of the chosen examples, once from weights and once from statistics."""
    table = random_scores(40)
    chosen = np.arange(40) % 3 > 0
    by_weights = bootstrap_weights(WeightedMean(tuple(table[:, 0])), chosen, resamples=200)
    by_sum = bootstrap(Accuracy(), table[chosen], resamples=200)
    assert by_weights["mean"] == pytest.approx(by_sum["accuracy"], abs=0.02)
    with pytest.raises(ValueError, match="no examples"):
        bootstrap_weights(WeightedMean((1.0,)), np.array([False]))


def test_distinct_rows_follow_the_distribution_of_all_resamples() -> None:
    """Three examples have 27 equally likely resamples; each total must be as frequent as it is among them."""
    values = [1.0, 10.0, 100.0]
    expected = Counter(sum(draw) for draw in itertools.product(values, repeat=3))
    totals = resampled_totals(scores(*values), resamples=27_000, seed=1)
    observed = Counter(totals[:, 0].tolist())
    assert observed.keys() == expected.keys()
    for total, count in expected.items():
        assert observed[total] == pytest.approx(1000 * count, abs=5 * (1000 * count) ** 0.5)
    assert (totals[:, 1] == 3).all()


def test_repeated_rows_follow_the_binomial_distribution() -> None:
    n, correct, resamples = 64, 48, 20_000
    totals = resampled_totals(scores(*[1.0] * correct, *[0.0] * (n - correct)), resamples=resamples, seed=2)
    observed = Counter(totals[:, 0].tolist())
    for count in range(40, 57):
        expected = resamples * comb(n, count) * 0.75**count * 0.25 ** (n - count)
        assert observed[count] == pytest.approx(expected, abs=5 * expected**0.5)
    assert (totals[:, 1] == n).all()


def test_a_ratio_of_sums_agrees_with_resampling_example_by_example() -> None:
    generator = np.random.default_rng(3)
    statistics = np.column_stack([generator.integers(0, 9, 60), generator.integers(9, 20, 60), np.ones((60, 2))])
    ratios = []
    for _ in range(4000):
        drawn = statistics[generator.integers(60, size=60)]
        ratios.append(drawn[:, 0].sum() / drawn[:, 1].sum())
    expected = np.percentile(ratios, [2.5, 97.5])
    assert bootstrap(WordF1(), statistics, resamples=4000)["f1"] == pytest.approx(tuple(expected), abs=0.006)


def test_agrees_with_scipy() -> None:
    from scipy.stats import bootstrap as scipy_bootstrap

    statistics = random_scores(200)
    theirs = scipy_bootstrap((statistics[:, 0],), np.mean, n_resamples=4000, method="percentile", random_state=0)
    low, high = bootstrap(Accuracy(), statistics, resamples=4000)["accuracy"]
    assert low == pytest.approx(theirs.confidence_interval.low, abs=0.004)
    assert high == pytest.approx(theirs.confidence_interval.high, abs=0.004)


def test_both_ways_of_drawing_give_the_same_interval_up_to_chance() -> None:
    repeated = scores(*[1.0] * 700, *[0.0] * 300)
    distinct = repeated + np.column_stack([np.arange(1000) * 1e-9, np.zeros(1000)])
    first = bootstrap(Accuracy(), repeated, resamples=4000)["accuracy"]
    second = bootstrap(Accuracy(), distinct, resamples=4000)["accuracy"]
    assert first == pytest.approx(second, abs=0.004)


def test_the_interval_of_a_mean_is_as_wide_as_its_standard_error_says() -> None:
    statistics = random_scores(2000)
    low, high = bootstrap(Accuracy(), statistics, resamples=4000)["accuracy"]
    assert high - low == pytest.approx(2 * 1.96 * statistics[:, 0].std() / 2000**0.5, rel=0.06)


def test_the_true_accuracy_lies_in_about_95_percent_of_the_intervals() -> None:
    generator, truth, inside = np.random.default_rng(7), 0.7, 0
    for _ in range(300):
        low, high = bootstrap(Accuracy(), scores(*(generator.random(100) < truth)), resamples=300)["accuracy"]
        inside += low <= truth <= high
    assert 0.90 <= inside / 300 <= 0.985


def test_more_confidence_means_a_wider_interval() -> None:
    statistics = random_scores(50)
    narrow = bootstrap(Accuracy(), statistics, confidence=0.5)["accuracy"]
    wide = bootstrap(Accuracy(), statistics, confidence=0.99)["accuracy"]
    assert wide[0] < narrow[0] < statistics[:, 0].mean() < narrow[1] < wide[1]


@pytest.mark.parametrize("statistics", [random_scores(40), scores(*[1.0, 0.0] * 40)], ids=["distinct", "repeated"])
class TestReproducibility:
    def test_the_seed_decides(self, statistics: Array) -> None:
        first = resampled_totals(statistics, resamples=50, seed=1)
        assert (first == resampled_totals(statistics, resamples=50, seed=1)).all()
        assert (first != resampled_totals(statistics, resamples=50, seed=2)).any()

    def test_the_order_of_the_examples_does_not_matter(self, statistics: Array) -> None:
        shuffled = np.random.default_rng(0).permutation(statistics)
        assert bootstrap(Accuracy(), statistics) == bootstrap(Accuracy(), shuffled)

    @pytest.mark.parametrize("draws", [1, 100, 10_000])
    def test_the_size_of_a_chunk_does_not_matter(
        self, statistics: Array, draws: int, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        expected = resampled_totals(statistics, resamples=30, seed=4)
        monkeypatch.setattr(module, "_DRAWS_AT_ONCE", draws)
        np.testing.assert_allclose(resampled_totals(statistics, resamples=30, seed=4), expected, rtol=1e-13)


def test_memory_stays_bounded() -> None:
    """All weights of 100 resamples of 100,000 examples would be 80 MB."""
    statistics = random_scores(100_000)
    tracemalloc.start()
    resampled_totals(statistics, resamples=100, seed=0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20e6


def test_one_example_gives_an_interval_of_width_zero() -> None:
    assert bootstrap(Accuracy(), scores(0.25)) == {"accuracy": (0.25, 0.25)}


def test_resamples_without_a_value_are_left_out() -> None:
    """The one example of the group is missing from a third of the resamples; a group of none has no interval."""
    statistics = np.array([[1.0, 2.0, 0.0, 0.0]] * 9 + [[1.0, 2.0, 1.0, 1.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert bootstrap(WordF1(), statistics)["group"] == (1.0, 1.0)
        empty = bootstrap(WordF1(), statistics[:9])
    assert np.isnan(empty["group"]).all()
    assert empty["f1"] == (0.5, 0.5)


def test_values_come_in_official_units_under_their_names() -> None:
    intervals = bootstrap(WordF1(), np.ones((4, 4)))
    assert list(intervals) == ["f1", "group"]
    assert all(0 <= low <= high <= 1 for low, high in intervals.values())


@pytest.mark.parametrize(
    ("statistics", "arguments", "message"),
    [
        (np.empty((0, 2)), {}, "no examples"),
        (np.ones(3), {}, "shape"),
        (np.ones((3, 2)), {"resamples": 0}, "resamples"),
        (np.ones((3, 2)), {"confidence": 95}, "confidence"),
    ],
)
def test_wrong_arguments_are_refused(statistics: Array, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bootstrap(Accuracy(), statistics, **arguments)
