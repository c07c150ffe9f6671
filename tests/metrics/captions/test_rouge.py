"""ROUGE-L against recorded values of coco-caption."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from evalsuite.metrics.captions.rouge import RougeL

Golden = Callable[[str], list[dict[str, Any]]]


def test_agrees_with_the_official_program(golden: Golden, is_error: Callable[[Any], bool]) -> None:
    compared = 0
    for line in golden("rouge_l"):
        if is_error(line["expected"]):
            continue
        images = line["inputs"]["images"]
        predictions, references = [i["predictions"][0] for i in images], [i["references"] for i in images]
        metric = RougeL(tokenize=line["inputs"]["tokenize"])
        assert metric.score(predictions, references)["rouge_l"] == pytest.approx(line["expected"]["corpus"], abs=1e-9)
        rows = metric.prepare(predictions, references).batch_statistics(predictions, references)
        np.testing.assert_allclose(rows[:, 0], line["expected"]["per_image"], atol=1e-9, err_msg=line["id"])
        compared += 1
    assert compared == 38


def score(prediction: str, references: list[str]) -> float:
    return RougeL(tokenize=False).score([prediction], [references])["rouge_l"]


def test_precision_and_recall_may_come_from_different_references() -> None:
    assert score("a b", ["a", "a b c d"]) == pytest.approx(1.0)


def test_is_the_f_measure_with_beta_1_2() -> None:
    precision, recall = 2 / 3, 2 / 4
    assert score("a x b", ["a c b d"]) == pytest.approx(2.44 * precision * recall / (recall + 1.44 * precision))


def test_an_empty_caption_is_one_empty_word() -> None:
    assert score("", [""]) == 1
    assert score("a  b", ["c  d"]) == pytest.approx(1 / 3)  # the word between two spaces
    assert score("", ["a"]) == 0


def test_hard_spaces_do_not_split() -> None:
    assert score("a\xa0b", ["a b"]) == 0


def test_an_example_without_references_scores_nothing() -> None:
    metric = RougeL().prepare(["a dog", "a cat"], [[], ["a cat"]])
    assert metric.statistics("a dog", []).tolist() == [0.0, 1.0]
