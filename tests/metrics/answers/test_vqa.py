"""VQA accuracy: the official VQA v2 and TextVQA evaluations, and big_vision's."""

from __future__ import annotations

import pytest

from evalsuite.errors import UsageError
from evalsuite.metrics import load_metric
from evalsuite.metrics.answers.vqa import TextVqa, VqaV2, normalize_answer

OFFICIAL = VqaV2(variant="official")
BIG_VISION = VqaV2(variant="big_vision")


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("1,5-6", "156"),  # one digit,digit deletes all punctuation
        ("black/white", "black white"),
        ("black/ white", "black white"),
        ("x -b-c", "x bc"),  # a mark next to a space somewhere is deleted everywhere
        ("3.5.", "3.5"),
        ("p.m.", "pm"),
        ("1.dog", "1dog"),
        ("None of the two", "0 of 2"),
        ("dont", "don't"),
        ("let's: 50%", "let's: 50%"),
        ("１,２-３", "１２３"),  # digits of any script
    ],
)
def test_normalisation_keeps_the_quirks_of_the_official_script(text: str, normal: str) -> None:
    assert normalize_answer(text) == normal


def test_only_the_first_32_periods_are_deleted_officially() -> None:
    assert normalize_answer("x" + "." * 33) == "x."
    assert normalize_answer("x" + "." * 33, max_periods=0) == "x"
    references = ["x"] * 9 + ["y"]
    assert OFFICIAL.example("x" + "." * 40, references) == 0
    assert BIG_VISION.example("x" + "." * 40, references) == 1


@pytest.mark.parametrize("metric", [OFFICIAL, BIG_VISION])
@pytest.mark.parametrize(
    ("answer", "typed"), [("Sunny", "sunny"), ("1000", "1,000"), ("a dog", "dog"), ("Dog.", "Dog")]
)
def test_references_that_all_agree_are_compared_as_typed(metric: VqaV2, answer: str, typed: str) -> None:
    assert metric.example(answer, [typed] * 10) == 0
    assert metric.example(f" {typed}\n", [typed] * 10) == 1


@pytest.mark.parametrize("metric", [OFFICIAL, BIG_VISION])
@pytest.mark.parametrize(("matches", "score"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (9, 1.0)])
def test_score_by_number_of_people_who_gave_the_answer(metric: VqaV2, matches: int, score: float) -> None:
    assert metric.example("cat", ["cat"] * matches + ["dog"] * (10 - matches)) == pytest.approx(score, abs=1e-12)


def test_big_vision_leaves_out_the_first_ten_of_eleven_references() -> None:
    references = ["dog"] * 8 + ["cat"] * 3
    assert BIG_VISION.example("cat", references) == pytest.approx(0.9333333333333333)
    assert OFFICIAL.example("cat", references) == pytest.approx(0.9090909090909091)


def test_big_vision_scores_fewer_than_ten_references_as_zero() -> None:
    assert BIG_VISION.example("dog", ["dog"] * 9) == 0
    assert OFFICIAL.example("dog", ["dog"] * 9) == 1


def test_equal_annotations_are_left_out_together() -> None:
    """Three people gave the answer; two of them are one entry twice, so that both go at once."""
    twice = {"answer": "cat", "answer_id": 1, "answer_confidence": "yes"}
    others = [{"answer": "dog", "answer_id": i, "answer_confidence": "yes"} for i in range(3, 10)]
    third = twice | {"answer_id": 2}
    assert OFFICIAL.example("cat", [twice, twice, third, *others]) == pytest.approx((2 * 1 / 3 + 2 / 3 + 7) / 10)


@pytest.mark.parametrize(
    ("prediction", "references", "textvqa", "vqa_v2"),
    [
        ("Dog.", ["dog"] * 10, 1.0, 0.0),
        ("black,white", ["blackwhite"] * 9 + ["grey"], 1.0, 0.0),
        ("dog 's", ["dog's"] * 9 + ["grey"], 1.0, 0.0),
    ],
)
def test_where_textvqa_and_vqa_v2_differ(prediction: str, references: list[str], textvqa: float, vqa_v2: float) -> None:
    assert TextVqa().example(prediction, references) == textvqa
    assert OFFICIAL.example(prediction, references) == vqa_v2


def test_unknown_variant_is_refused() -> None:
    with pytest.raises(UsageError, match="Did you mean 'official'"):
        load_metric("vqa_v2", variant="offical")
