"""Likelihood and perplexity of the model's own answers."""

from __future__ import annotations

import math

import pytest

from evalsuite.errors import ScoringError
from evalsuite.metrics import Answer, load_metric
from evalsuite.metrics.probabilities.likelihood import AnswerLogLikelihood, Perplexity

ANSWERS = [Answer("a cat", "1", log_probabilities=(-1.0, -3.0)), Answer("no", "2", log_probabilities=(-2.0,))]


def test_sums_over_tokens_and_averages_over_answers() -> None:
    score = AnswerLogLikelihood().score(ANSWERS, [[], []])
    assert score == {"answer_log_likelihood": -3.0, "token_log_likelihood": -2.0, "without_tokens": 0.0}


def test_perplexity_counts_every_token_of_the_corpus_the_same() -> None:
    score = Perplexity().score(ANSWERS, [[], []])
    assert score["perplexity"] == pytest.approx(math.exp(2))
    assert score["tokens"] == 1.5


def test_uniform_choice_among_k_tokens_has_perplexity_k() -> None:
    answer = Answer("x y", log_probabilities=(math.log(1 / 7),) * 5)
    assert Perplexity().score([answer], [[]])["perplexity"] == pytest.approx(7)


def test_answers_without_tokens_are_counted_and_left_out() -> None:
    """A failed example, or one where the model ended at once."""
    score = Perplexity().score([*ANSWERS, Answer("", "3"), Answer("", "4", log_probabilities=())], [[]] * 4)
    assert score["perplexity"] == pytest.approx(math.exp(2))
    assert score["without_tokens"] == 0.5
    assert math.isnan(Perplexity().score([Answer("", "3")], [[]])["perplexity"])


def test_an_impossible_answer_has_infinite_perplexity() -> None:
    assert Perplexity().score([Answer("x", log_probabilities=(-math.inf,))], [[]])["perplexity"] == math.inf


@pytest.mark.parametrize("name", ["perplexity", "answer_log_likelihood"])
def test_missing_log_probabilities_name_the_way_out(name: str) -> None:
    with pytest.raises(ScoringError, match=r"'7' has no log-probabilities.*log_probabilities=True"):
        load_metric(name).statistics(Answer("text", "7"), [])


@pytest.mark.parametrize("values", [(0.5,), (math.nan,), (-1.0, math.nan)])
def test_impossible_log_probabilities_are_refused(values: tuple[float, ...]) -> None:
    with pytest.raises(ScoringError, match="above 0 or NaN"):
        Perplexity().statistics(Answer("text", "7", log_probabilities=values), [])
