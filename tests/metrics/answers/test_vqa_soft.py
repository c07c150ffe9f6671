"""Soft accuracy: OK-VQA and A-OKVQA."""

from __future__ import annotations

from typing import Any

import pytest

from evalsuite.errors import ScoringError, UsageError
from evalsuite.metrics import load_metric
from evalsuite.metrics.answers.vqa_soft import VqaSoft


def score(metric: VqaSoft, prediction: str, references: list[Any]) -> float:
    return metric.score([prediction], [references])["soft_accuracy"]


@pytest.mark.parametrize(("people", "expected"), [(0, 0.0), (1, 1 / 3), (2, 2 / 3), (3, 1.0), (10, 1.0)])
def test_three_people_are_enough(people: int, expected: float) -> None:
    assert score(VqaSoft(), "dog", ["dog"] * people + ["cat"] * (10 - people)) == pytest.approx(expected)


@pytest.mark.parametrize("prediction", ["Dog", "a dog", "dog.", " dog", ""])
def test_nothing_is_normalised(prediction: str) -> None:
    assert score(VqaSoft(), prediction, ["dog"] * 10) == 0


def test_ignore_case_is_big_visions_to_lower() -> None:
    assert score(VqaSoft(ignore_case=True), "DOG", ["Dog", "dog", "cat"]) == pytest.approx(2 / 3)


def test_okvqa_officially_leaves_one_person_out_and_normalises() -> None:
    """Each of five people stands for two answers; one who agrees is worth 2/3 to big_vision and 0.6 officially."""
    answers = ["dogs"] * 2 + ["cat"] * 4 + ["cow"] * 4
    assert score(VqaSoft(), "dogs", answers) == pytest.approx(2 / 3)
    assert score(VqaSoft(variant="okvqa"), "The dogs.", answers) == pytest.approx(0.6)


def test_aokvqa_officially_skips_difficult_questions_and_counts_them() -> None:
    easy = [{"answers": ["dog"] * 10, "difficult_direct_answer": False}]
    difficult = [{"answers": ["cat"] * 10, "difficult_direct_answer": True}]
    predictions, references = ["dog", "wrong"], [easy, difficult]
    assert VqaSoft(variant="aokvqa").score(predictions, references) == {"soft_accuracy": 1.0, "skipped": 0.5}
    assert VqaSoft().score(predictions, references) == {"soft_accuracy": 0.5, "skipped": 0.0}


def test_difficult_questions_alone_score_zero() -> None:
    difficult = [{"answers": ["cat"], "difficult_direct_answer": True}]
    assert VqaSoft(variant="aokvqa").score(["cat"], [difficult]) == {"soft_accuracy": 0.0, "skipped": 1.0}


def test_wrong_parameters_and_references_are_refused() -> None:
    with pytest.raises(UsageError, match="Did you mean 'aokvqa'"):
        load_metric("vqa_soft", variant="aokvq")
    with pytest.raises(UsageError, match="ignore_case belongs to"):
        load_metric("vqa_soft", variant="okvqa", ignore_case=True)
    with pytest.raises(ScoringError, match=r"'answers', not \['answer'\]"):
        VqaSoft().score(["x"], [[{"answer": "x"}]])
