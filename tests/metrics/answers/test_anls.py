"""ANLS: the scripts of the Robust Reading Competition and of mmf, and big_vision's."""

from __future__ import annotations

import pytest

from evalsuite.errors import UsageError
from evalsuite.metrics import load_metric
from evalsuite.metrics.answers.anls import ANLS


@pytest.mark.parametrize(
    ("prediction", "reference", "rrc", "mmf", "big_vision"),
    [
        ("a", "ab", 0.5, 0.5, 0.0),  # exactly at the threshold
        ("a b", "a  b", 1.0, 0.75, 0.75),  # white space
        ("ﬁ", "ﬁﬁ", 0.75, 0.5, 0.0),  # the ligature is two letters in upper case
        ("hello\nworld", "hello world", 1.0, 10 / 11, 10 / 11),
        ("", "", 1.0, 0.0, 1.0),
        ("Paris", "paris ", 1.0, 1.0, 5 / 6),
    ],
)
def test_where_the_variants_differ(prediction: str, reference: str, rrc: float, mmf: float, big_vision: float) -> None:
    for variant, score in [("rrc", rrc), ("mmf", mmf), ("big_vision", big_vision)]:
        assert ANLS(variant=variant).example(prediction, [reference]) == pytest.approx(score, abs=1e-12), variant


def test_padding_a_wrong_answer_raises_its_rrc_score() -> None:
    metric = ANLS(variant="rrc")
    assert metric.example("abxyz", ["abc"]) == 0
    assert metric.example("abxyz   ", ["abc"]) > 0.5


def test_the_best_reference_counts() -> None:
    assert ANLS().example("paris", ["London", "Paris", "Rome"]) == 1


def test_threshold_cuts_small_similarities() -> None:
    assert ANLS().example("abcxyz", ["abcdefgh"]) == 0
    assert ANLS(threshold=0.0).example("abcxyz", ["abcdefgh"]) == pytest.approx(3 / 8)
    assert ANLS(variant="rrc", threshold=0.9).example("abcdefghi", ["abcdefghix"]) == pytest.approx(0.9)


def test_wrong_parameters_are_refused() -> None:
    with pytest.raises(UsageError, match="threshold"):
        load_metric("anls", threshold=1.5)
    with pytest.raises(UsageError, match="variant"):
        load_metric("anls", variant="docvqa")
