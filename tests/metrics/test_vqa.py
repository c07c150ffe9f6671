"""VQA accuracy: the official VQA v2 and TextVQA evaluations, and big_vision's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evalsuite.errors import UsageError
from evalsuite.metrics import load_metric
from evalsuite.metrics.vqa import TextVqa, VqaV2, normalize_answer

Reader = Callable[[str], list[dict[str, Any]]]
IsError = Callable[[Any], bool]

OFFICIAL = VqaV2(variant="official")
BIG_VISION = VqaV2(variant="big_vision")


def human_answers(inputs: dict[str, Any]) -> list[Any]:
    """The references of a recorded example: dicts where it repeats the ids of answers, plain text elsewhere."""
    if "answer_ids" not in inputs:
        return list(inputs["answers"])
    columns = zip(inputs["answers"], inputs["answer_ids"], inputs["answer_confidences"], strict=True)
    return [{"answer": a, "answer_id": i, "answer_confidence": c} for a, i, c in columns]


def corpus(inputs: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    return [e["prediction"] for e in inputs["examples"]], [e["answers"] for e in inputs["examples"]]


def test_vqa_v2_agrees_with_the_official_evaluation(golden: Reader) -> None:
    compared = 0
    for line in golden("vqa_v2"):
        inputs, expected = line["inputs"], line["expected"]["official"]
        if inputs["kind"] == "example":
            score = OFFICIAL.example(inputs["prediction"], human_answers(inputs))
            assert 100 * score == pytest.approx(expected["accuracy_x100"], abs=1e-9), line["id"]
        elif inputs["kind"] == "corpus":
            score = OFFICIAL.score(*corpus(inputs))["vqa_accuracy"]
            assert 100 * score == pytest.approx(expected["overall_x100_unrounded"], abs=1e-9), line["id"]
        else:
            assert normalize_answer(inputs["text"]) == expected["full"], line["id"]
        compared += 1
    assert compared == 827


def test_vqa_v2_agrees_with_big_vision(golden: Reader, is_error: IsError) -> None:
    compared = 0
    for line in golden("vqa_v2"):
        inputs, expected = line["inputs"], line["expected"]["big_vision"]
        if is_error(expected):
            assert BIG_VISION.example(inputs["prediction"], inputs["answers"]) == 0, line["id"]
            continue
        if inputs["kind"] == "example":
            score = BIG_VISION.example(inputs["prediction"], inputs["answers"])
            assert score == pytest.approx(expected["acc"], abs=1e-9), line["id"]
        elif inputs["kind"] == "corpus":
            score = BIG_VISION.score(*corpus(inputs))["vqa_accuracy"]
            assert score == pytest.approx(expected["acc"], abs=1e-9), line["id"]
        else:
            assert normalize_answer(inputs["text"], max_periods=0) == expected, line["id"]
        compared += 1
    assert compared == 810


def test_textvqa_agrees_with_the_official_evaluation(golden: Reader, is_error: IsError) -> None:
    compared = 0
    for line in golden("textvqa"):
        inputs, expected = line["inputs"], line["expected"]["official_m4c"]
        if inputs["kind"] == "normalise":
            continue
        if is_error(expected):
            assert TextVqa().example(inputs["prediction"], inputs["answers"]) == 0, line["id"]
            continue
        if inputs["kind"] == "example":
            score, expected = TextVqa().example(inputs["prediction"], inputs["answers"]), expected["accuracy"]
        else:
            score = TextVqa().score(*corpus(inputs))["textvqa_accuracy"]
        assert score == pytest.approx(expected, abs=1e-9), line["id"]
        compared += 1
    assert compared == 323


def test_papers_score_textvqa_with_the_vqa_v2_rule(golden: Reader, is_error: IsError) -> None:
    lines = [line for line in golden("textvqa") if "big_vision_vqav2_evaluator" in line["expected"]]
    values = [(line, line["expected"]["big_vision_vqav2_evaluator"]) for line in lines]
    comparable = [(line["inputs"], value) for line, value in values if not is_error(value)]
    assert len(comparable) == 305
    for inputs, value in comparable:
        assert BIG_VISION.example(inputs["prediction"], inputs["answers"]) == pytest.approx(value, abs=1e-9)


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
