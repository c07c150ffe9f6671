"""VizWiz: the challenge's API and big_vision's evaluator."""

from __future__ import annotations

import pytest

from evalsuite.errors import UsageError
from evalsuite.metrics import load_metric
from evalsuite.metrics.answers.vizwiz import VizWiz, normalize_vizwiz

OFFICIAL = VizWiz(variant="official")


@pytest.mark.parametrize(
    ("reference", "prediction"), [("Dog", "Dog"), ("two", "two"), ("a dog", "a dog"), ("coca-cola", "coca-cola")]
)
def test_the_official_rule_normalises_the_answer_but_not_what_people_said(reference: str, prediction: str) -> None:
    assert OFFICIAL.example(prediction, [reference] * 10) == 0
    assert VizWiz().example(prediction, [reference] * 10) == 1


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("dont", "don’t"),  # with a typographic apostrophe
        ("cant", "can't"),  # with a straight one
        ("whats", "what’s"),
        ("wheres", "where's"),
        ("somebody’d", "somebodyd"),
        ("Two dogs.", "2 dogs"),
        ("\tThe T-shirt\n", "t shirt"),
    ],
)
def test_contractions_are_those_of_the_api(text: str, normal: str) -> None:
    assert normalize_vizwiz(text) == normal


@pytest.mark.parametrize(
    ("people", "official", "big_vision"), [(1, 0.3, 1 / 3), (2, 0.6, 2 / 3), (3, 0.9, 1), (4, 1, 1)]
)
def test_score_by_number_of_people(people: int, official: float, big_vision: float) -> None:
    references = ["dog"] * people + ["cat"] * (10 - people)
    assert OFFICIAL.example("dog", references) == pytest.approx(official)
    assert VizWiz().example("dog", references) == pytest.approx(big_vision)


def test_without_references_the_score_is_zero() -> None:
    assert OFFICIAL.example("", []) == VizWiz().example("", []) == 0


def test_unknown_variant_is_refused() -> None:
    with pytest.raises(UsageError, match="variant of metric vizwiz 'api'"):
        load_metric("vizwiz", variant="api")
