"""Relaxed accuracy: pix2struct's and big_vision's ChartQA evaluations."""

from __future__ import annotations

import pytest

from evalsuite.errors import UsageError
from evalsuite.metrics import load_metric
from evalsuite.metrics.answers.relaxed_accuracy import RelaxedAccuracy


@pytest.mark.parametrize(
    ("prediction", "reference", "correct"),
    [
        ("5%", "0.05", True),
        ("5%", "5", False),
        ("61", "61%", False),
        ("5 %", "5%%", True),  # every trailing percent sign goes, and an inner space does not matter
        ("1_000", "1000", True),  # what Python's float reads
        ("1,000", "1000", False),
        ("1910", "2008", True),  # years are numbers, too
        ("105", "100", True),
        ("1.05", "1", False),  # five percent in doubles
        ("2.1", "2", False),
        ("0", "0.0", False),  # a zero needs the exact text
        ("0", "0", True),
        ("nan", "nan", False),
        ("inf", "inf", False),
        ("Cinnamon", "cinnamon", True),
        (" giant ", "giant", False),
        ("[2013, 2016]", "[2013, 2016]", True),
    ],
)
def test_which_answers_are_correct(prediction: str, reference: str, correct: bool) -> None:
    assert RelaxedAccuracy().example(prediction, [reference]) == correct


def test_tolerance_is_a_parameter() -> None:
    assert RelaxedAccuracy(tolerance=0.2).example("115", ["100"]) == 1
    assert RelaxedAccuracy().example("115", ["100"]) == 0


def test_any_reference_may_match() -> None:
    assert RelaxedAccuracy().example("9", ["no", "9.1"]) == 1


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(UsageError, match="tolerance"):
        load_metric("relaxed_accuracy", tolerance=-1)
    with pytest.raises(UsageError, match="Did you mean 'pix2struct'"):
        load_metric("relaxed_accuracy", variant="pix2strut")
