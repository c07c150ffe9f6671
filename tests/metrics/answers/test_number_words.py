"""Counts as TallyQA and CountBenchQA are scored."""

from __future__ import annotations

import pytest

from evalsuite.metrics.answers.number_words import NumberWords


@pytest.mark.parametrize("prediction", ["2", "two", "TWO"])
def test_a_number_word_of_any_case_is_its_digits(prediction: str) -> None:
    assert NumberWords().example(prediction, ["2"]) == 1
    assert NumberWords().example("2", [prediction]) == 1


@pytest.mark.parametrize("prediction", [" 2", "two.", "02", "two dogs", "twenty-one", ""])
def test_nothing_else_is_read_as_a_number(prediction: str) -> None:
    assert NumberWords().example(prediction, ["2", "21"]) == 0


def test_none_is_zero() -> None:
    assert NumberWords().example("none", ["0"]) == 1


def test_references_above_fifteen_are_scored_like_any_other() -> None:
    assert NumberWords().example("Nineteen", ["19"]) == 1
