"""BLEU against recorded values of coco-caption."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from evalsuite.metrics.captions.bleu import Bleu

Golden = Callable[[str], list[dict[str, Any]]]


def test_agrees_with_the_official_program(golden: Golden, is_error: Callable[[Any], bool]) -> None:
    """Of the corpus and of every image alone; values near zero to 1e-12."""
    compared = 0
    for line in golden("bleu"):
        if is_error(line["expected"]):
            continue
        images = line["inputs"]["images"]
        predictions, references = [i["predictions"][0] for i in images], [i["references"] for i in images]
        metric = Bleu(tokenize=line["inputs"]["tokenize"])
        score = list(metric.score(predictions, references).values())
        np.testing.assert_allclose(score, line["expected"]["corpus"], rtol=1e-9, atol=1e-12, err_msg=line["id"])
        ready = metric.prepare(predictions, references)
        each = list(ready.finalize(ready.batch_statistics(predictions, references)).values())
        np.testing.assert_allclose(each, line["expected"]["per_image"], rtol=1e-9, atol=1e-12, err_msg=line["id"])
        compared += 1
    assert compared == 38


def statistics(prediction: str, references: list[str]) -> list[float]:
    metric = Bleu(tokenize=False).prepare([prediction], [references])
    row: list[float] = metric.statistics(prediction, references).tolist()
    return row


def test_statistics_are_clipped_counts_guesses_and_lengths() -> None:
    assert statistics("a b a b", ["a b c", "b a b c d"]) == [3, 2, 1, 0, 4, 3, 2, 1, 4, 3]


def test_counts_are_clipped_to_one_reference_not_to_their_sum() -> None:
    assert statistics("a a a", ["a b", "a c"])[0] == 1


def test_of_two_references_equally_near_the_shorter_counts() -> None:
    assert statistics("a b c", ["a b c d", "a b", "a b c d e"])[-1] == 2


def test_the_corpus_is_not_the_mean_of_its_sentences() -> None:
    predictions, references = ["a b c d e", "x"], [["a b c d e"], ["y"]]
    score = Bleu(tokenize=False).score(predictions, references)
    assert score["bleu_1"] == pytest.approx(5 / 6)
    assert score["bleu_4"] == pytest.approx((5 / 6) ** 0.25)


def test_a_short_prediction_is_punished() -> None:
    assert Bleu(tokenize=False).score(["a b"], [["a b c d"]])["bleu_1"] == pytest.approx(np.exp(-1))


def test_empty_predictions_score_almost_nothing() -> None:
    assert max(Bleu().score(["", ""], [["a dog"], ["a cat"]]).values()) < 1e-3


def test_an_example_without_references_counts_its_words_as_wrong() -> None:
    metric = Bleu(tokenize=False).prepare(["a b", "a b c"], [[], ["a b c"]])
    assert metric.statistics("a b", []).tolist() == [0, 0, 0, 0, 2, 1, 0, 0, 2, 0]
