"""MMVP, and the consistency of NLVR2."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evalsuite.errors import ScoringError, UsageError
from evalsuite.metrics import load_metric
from evalsuite.metrics.answers.paired_accuracy import PairedAccuracy, choice_letter


def rows(*answers: tuple[Any, Any]) -> list[list[dict[str, Any]]]:
    return [[{"answer": answer, "pair": pair}] for answer, pair in answers]


def test_a_pair_counts_only_when_both_are_right() -> None:
    references = rows(("left", 1), ("right", 1), ("open", 2), ("closed", 2))
    score = PairedAccuracy().score(["left", "right", "open", "open"], references)
    assert score == {"pair_accuracy": 0.5, "accuracy": 0.75, "incomplete": 0.0}


def test_consecutive_numbers_are_a_pair() -> None:
    references = [[{"answer": "x", "index": index}] for index in (1, 2, 3, 4)]
    assert PairedAccuracy().score(["x", "x", "x", "y"], references)["pair_accuracy"] == 0.5
    assert PairedAccuracy().score(["x", "y", "y", "x"], references)["pair_accuracy"] == 0


def test_an_odd_question_is_counted_but_is_no_pair() -> None:
    score = PairedAccuracy().score(["a", "b", "c"], rows(("a", 1), ("b", 1), ("c", 2)))
    assert score == {"pair_accuracy": 1.0, "accuracy": 1.0, "incomplete": pytest.approx(1 / 3)}


def test_without_any_pair_the_value_is_zero() -> None:
    assert PairedAccuracy().score(["a"], rows(("a", 1)))["pair_accuracy"] == 0


def test_groups_of_any_size_are_the_consistency_of_nlvr2() -> None:
    references = rows(("true", "s1"), ("true", "s1"), ("false", "s1"), ("true", "s2"))
    score = PairedAccuracy(group_size=0).score(["True", "true", "false", "False"], references)
    assert score["pair_accuracy"] == 0.5


@pytest.mark.parametrize(("prediction", "right"), [(" Front\n", True), ("front", True), ("Front.", False), ("", False)])
def test_texts_match_but_for_case_and_white_space(prediction: str, right: bool) -> None:
    assert PairedAccuracy().score([prediction], rows((["Front", "from the front"], 1)))["accuracy"] == right


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("A", "a"),
        (" (B)\n", "b"),
        ("(a", "a"),
        ("a dog", "a"),
        ("the answer is b", "b"),
        ("Option (a) is it", "a"),
        ("B, not A", "a"),
        ("A or B", "a"),
        ("(b) (a)", "b"),
        ("Because", "b"),
        ("a crab", "a"),
        ("one crab", "b"),  # the last letter of a word counts
        ("open", None),
        ("C", None),
        ("Ｂ", None),
        ("", None),
    ],
)
def test_letter_that_an_answer_names(text: str, letter: str | None) -> None:
    assert choice_letter(text) == letter


@pytest.mark.parametrize("answer", ["(b)", "B", "b", "(B) Closed"])
def test_right_letters_may_stand_in_parentheses(answer: str) -> None:
    assert PairedAccuracy(match="letter").score(["option B"], rows((answer, 1)))["accuracy"] == 1


@pytest.mark.parametrize(
    ("reply", "right"), [("Yes", 1), ("yes", 1), ("yes.", 0), ("yes\n", 0), (" yes", 0), ("no", 0)]
)
def test_a_judge_says_yes_and_nothing_else(reply: str, right: int) -> None:
    assert PairedAccuracy(match="judged").score([reply], rows(("", 1)))["accuracy"] == right


def test_the_first_question_carries_the_pair_so_that_pairs_are_resampled() -> None:
    """Over 150 pairs the value spreads as a share of 150, not of 300."""
    pairs = 150
    references = rows(*((side, pair) for pair in range(pairs) for side in ("left", "right")))
    right = np.random.default_rng(0).random(pairs) < 0.5
    predictions = [side if right[pair] else "?" for pair in range(pairs) for side in ("left", "right")]
    metric = PairedAccuracy().prepare(predictions, references)
    statistics = metric.batch_statistics(predictions, references)
    assert statistics[0::2, 1].tolist() == [1.0] * pairs
    assert statistics[1::2, 1].tolist() == [0.0] * pairs
    weights = np.random.default_rng(1).multinomial(2 * pairs, np.full(2 * pairs, 1 / (2 * pairs)), size=2000)
    values = metric.finalize(weights @ statistics)["pair_accuracy"]
    share = right.mean()
    assert values.std() == pytest.approx((share * (1 - share) / pairs) ** 0.5, rel=0.1)


def test_questions_that_cannot_be_told_apart_share_the_verdict() -> None:
    references = rows(("x", 1), ("x", 1))
    metric = PairedAccuracy().prepare(["x", "x"], references)
    assert metric.batch_statistics(["x", "x"], references)[:, :2].tolist() == [[0.5, 0.5], [0.5, 0.5]]


def test_wrong_references_and_parameters_are_refused() -> None:
    with pytest.raises(ScoringError, match="'answer' and 'pair'"):
        PairedAccuracy().score(["x"], [["x"]])
    with pytest.raises(ScoringError, match="prepare it with the whole corpus"):
        PairedAccuracy().statistics("x", [{"answer": "x", "pair": 1}])
    with pytest.raises(UsageError, match="Did you mean 'letter'"):
        load_metric("paired_accuracy", match="letters")
    with pytest.raises(UsageError, match="group_size"):
        load_metric("paired_accuracy", group_size=-1)
