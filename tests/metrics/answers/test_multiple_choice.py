"""Multiple choice."""

from __future__ import annotations

from typing import Any

import pytest

from evalsuite.errors import ScoringError, UsageError
from evalsuite.metrics import load_metric
from evalsuite.metrics.answers.multiple_choice import MultipleChoice

ANIMALS = {"choices": ["a dog", "Cat", "b"], "answer": 1}


def outcome(metric: MultipleChoice, prediction: str, reference: dict[str, Any] = ANIMALS) -> str:
    right, invalid, _ = metric.statistics(prediction, [reference])
    return "right" if right else "invalid" if invalid else "wrong"


@pytest.mark.parametrize(
    ("prediction", "text", "letter", "either"),
    [
        ("Cat", "right", "invalid", "right"),
        ("a dog", "wrong", "invalid", "wrong"),
        ("cat", "invalid", "invalid", "invalid"),
        ("B", "invalid", "right", "right"),
        ("(b)", "invalid", "right", "right"),
        ("b) ", "invalid", "right", "right"),
        ("B.", "invalid", "right", "right"),
        ("b", "wrong", "right", "wrong"),  # is the text of the third choice, too
        ("D", "invalid", "invalid", "invalid"),
        ("B. Cat", "invalid", "invalid", "invalid"),
        ("", "invalid", "invalid", "invalid"),
    ],
)
def test_what_is_accepted(prediction: str, text: str, letter: str, either: str) -> None:
    for accept, expected in (("text", text), ("letter", letter), ("either", either)):
        assert outcome(MultipleChoice(accept=accept), prediction) == expected, accept


def test_case_and_white_space_are_forgiven_on_request() -> None:
    assert outcome(MultipleChoice(ignore_case=True), "CAT") == "right"
    assert outcome(MultipleChoice(strip=True), " Cat\n") == "right"
    assert outcome(MultipleChoice(strip=True), "cat") == "invalid"


@pytest.mark.parametrize("answer", [1, "Cat", "1"])
def test_the_right_choice_is_named_by_place_or_text(answer: int | str) -> None:
    assert outcome(MultipleChoice(), "Cat", {"choices": ["dog", "Cat"], "answer": answer}) == "right"


def test_digits_are_a_place_only_where_they_are_no_choice() -> None:
    assert outcome(MultipleChoice(), "1", {"choices": ["0", "1", "2"], "answer": "1"}) == "right"
    assert outcome(MultipleChoice(), "3", {"choices": ["1", "3"], "answer": "1"}) == "wrong"


def test_either_of_two_equal_choices_will_do() -> None:
    assert outcome(MultipleChoice(), "dog", {"choices": ["dog", "dog"], "answer": 1}) == "right"


def test_wrong_references_and_parameters_are_refused() -> None:
    for answer in (2, -1, "cow"):
        with pytest.raises(ScoringError, match="one of them or its place"):
            outcome(MultipleChoice(), "dog", {"choices": ["dog", "cat"], "answer": answer})
    with pytest.raises(UsageError, match="Did you mean 'letter'"):
        load_metric("multiple_choice", accept="leter")
