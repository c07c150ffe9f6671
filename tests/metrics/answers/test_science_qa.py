"""ScienceQA."""

from __future__ import annotations

import pytest

from evalsuite.errors import ScoringError, UsageError
from evalsuite.metrics import load_metric
from evalsuite.metrics.answers.science_qa import ScienceQA, letter_at_start, only_letter

OFFICIAL = ScienceQA(variant="official")


@pytest.mark.parametrize(
    ("text", "big_vision", "official"),
    [
        ("The answer is B.", "b", "B"),
        ("the answer is b.", "b", None),
        ("THE ANSWER IS B.", "b", None),
        ("So The answer is D.", None, "D"),
        ("The answer is B", None, None),  # nothing after the letter
        ("The answer is AB!", None, "A"),  # the full stop of the pattern is any character
        ("The answer is Z, because", None, "Z"),
        ("The answer is A.\nThe answer is B.", "a", None),  # two hits
        ("The answer is b.\nThe answer is B.", "b", "B"),
        (" The answer is D.", None, "D"),
        ("The answer is İ.", None, None),
        ("", None, None),
    ],
)
def test_letters_that_are_read(text: str, big_vision: str | None, official: str | None) -> None:
    assert letter_at_start(text) == big_vision
    assert only_letter(text) == official


@pytest.mark.parametrize("prediction", ["B", "The answer is E."])
def test_an_answer_that_is_drawn_at_random_officially_is_wrong_and_counted(prediction: str) -> None:
    for gold in range(2):
        reference = {"answer": gold, "choices": ["yes", "no"]}
        assert OFFICIAL.score([prediction], [[reference]]) == {"accuracy": 0.0, "invalid": 1.0}


def test_choices_may_be_their_number() -> None:
    assert OFFICIAL.score(["The answer is C."], [[{"answer": 2, "choices": 3}]])["accuracy"] == 1
    assert OFFICIAL.score(["The answer is C."], [[{"answer": 2, "choices": 2}]])["invalid"] == 1


def test_big_vision_takes_two_unreadable_texts_for_equal() -> None:
    assert ScienceQA().score(["no idea"], [["bad gold"]]) == {"accuracy": 1.0, "invalid": 1.0}
    assert OFFICIAL.score(["no idea"], [["bad gold"]]) == {"accuracy": 0.0, "invalid": 1.0}


@pytest.mark.parametrize("metric", [ScienceQA(), OFFICIAL])
def test_references_are_sentences_or_places(metric: ScienceQA) -> None:
    for reference in ("The answer is B.", {"answer": 1}, {"answer": "1", "choices": 4}):
        assert metric.score(["The answer is B."], [[reference]])["accuracy"] == 1
        assert metric.score(["The answer is A."], [[reference]])["accuracy"] == 0


def test_wrong_references_and_parameters_are_refused() -> None:
    with pytest.raises(ScoringError, match=r"'answer', not \['gold'\]"):
        ScienceQA().score(["x"], [[{"gold": 1}]])
    with pytest.raises(UsageError, match="Did you mean 'official'"):
        load_metric("science_qa", variant="offical")
