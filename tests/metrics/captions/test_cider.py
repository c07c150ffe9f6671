"""CIDEr-D against recorded values of coco-caption, and the quirks that make its numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from evalsuite.errors import ScoringError
from evalsuite.metrics.captions.cider import Cider

Golden = Callable[[str], list[dict[str, Any]]]
PREDICTIONS = ["a red car", "two dogs run", "a cat"]
REFERENCES = [["a red car parked"], ["two dogs run fast", "dogs"], ["a cat sleeps", "the cat"]]


def test_agrees_with_the_official_program(golden: Golden, is_error: Callable[[Any], bool]) -> None:
    compared = 0
    for line in golden("cider"):
        if is_error(line["expected"]):
            continue
        images = line["inputs"]["images"]
        predictions, references = [i["predictions"][0] for i in images], [i["references"] for i in images]
        metric = Cider(tokenize=line["inputs"]["tokenize"])
        assert metric.score(predictions, references)["cider"] == pytest.approx(line["expected"]["corpus"], abs=1e-9)
        rows = metric.prepare(predictions, references).batch_statistics(predictions, references)
        np.testing.assert_allclose(rows[:, 0], line["expected"]["per_image"], atol=1e-9, err_msg=line["id"])
        compared += 1
    assert compared == 41


def test_one_image_alone_scores_nothing() -> None:
    assert Cider().score(["a red car"], [["a red car"]]) == {"cider": 0.0}


@pytest.mark.parametrize(("words", "score"), [(1, 2.5), (2, 5.0), (3, 7.5), (4, 10.0), (9, 10.0)])
def test_a_short_caption_cannot_reach_ten(words: int, score: float) -> None:
    first, second = " ".join("abcdefghi"[:words]), " ".join("rstuvwxyz"[:words])
    assert Cider(tokenize=False).score([first, second], [[first], [second]])["cider"] == pytest.approx(score)


def test_a_difference_in_length_is_punished_by_a_gaussian() -> None:
    references = [["zebra zebra"], ["b c d e"]]
    score = Cider(tokenize=False).prepare(["zebra", "b"], references).statistics("zebra", references[0])[0]
    assert score == pytest.approx(2.5 * np.exp(-(1**2) / (2 * 6**2)))


def test_repeated_words_are_clipped() -> None:
    references = [["dog runs"], ["b c"]]
    metric = Cider(tokenize=False)
    once = metric.score(["dog", "x"], references)["cider"]
    often = metric.score(["dog dog dog", "x"], references)["cider"]
    assert 0 < often < once


def test_an_empty_prediction_scores_nothing() -> None:
    ready = Cider().prepare(["", "a dog"], [["a red car"], ["a dog"]])
    assert ready.statistics("", ["a red car"]).tolist() == [0.0, 1.0]


def test_an_example_without_references_scores_nothing_and_is_counted() -> None:
    ready = Cider().prepare(["a car", "two dogs run fast"], [[], ["two dogs run fast"]])
    assert ready.statistics("a car", []).tolist() == [0.0, 1.0]


def test_a_part_of_a_corpus_scores_as_within_the_whole() -> None:
    ready = Cider().prepare(PREDICTIONS, REFERENCES)
    whole = ready.batch_statistics(PREDICTIONS, REFERENCES)
    np.testing.assert_array_equal(ready.batch_statistics(PREDICTIONS[1:], REFERENCES[1:]), whole[1:])
    alone = Cider().prepare(PREDICTIONS[1:], REFERENCES[1:]).batch_statistics(PREDICTIONS[1:], REFERENCES[1:])
    assert not np.allclose(alone, whole[1:])


def test_equal_examples_are_told_apart_by_their_neighbours() -> None:
    """``C.`` keeps its period except before the caption that begins with The."""
    predictions = ["vitamin C.", "the dog", "vitamin C.", "The cat"]
    references = [["vitamin c", "vitamin d"], ["the dog"], ["vitamin c", "vitamin d"], ["the cat"]]
    ready = Cider().prepare(predictions, references)
    first, _, second, _ = ready.batch_statistics(predictions, references)[:, 0]
    assert first < second
    assert ready.batch_statistics(predictions[2:], references[2:])[0, 0] == second
    assert ready.batch_statistics(predictions[:2], references[:2])[0, 0] == first


def test_an_unprepared_metric_says_what_to_do() -> None:
    with pytest.raises(ScoringError, match="call prepare or score first"):
        Cider().statistics("a car", ["a car"])


def test_an_example_of_another_corpus_is_refused() -> None:
    with pytest.raises(ScoringError, match=r"'a boat'.*prepare it again"):
        Cider().prepare(PREDICTIONS, REFERENCES).statistics("a boat", REFERENCES[0])
