"""POPE."""

from __future__ import annotations

import pytest

from evalsuite.errors import UsageError
from evalsuite.metrics import load_metric
from evalsuite.metrics.answers.yes_no import YesNo, says_yes


@pytest.mark.parametrize(
    ("answer", "yes"),
    [
        ("No", False),
        ("no, there is none", False),
        ("There is not a dog", False),
        ("Well, no.", False),
        ("NO", True),
        ("No!", True),
        ("No\nthere is none", True),
        ("nope", True),
        ("There is a dog. No cat.", True),
        ("", True),
        ("Yes", True),
    ],
)
def test_what_the_official_script_takes_for_a_no(answer: str, yes: bool) -> None:
    assert says_yes(answer) is yes


@pytest.mark.parametrize(
    ("answer", "label", "big_vision", "official"),
    [
        ("Yes", "yes", 1, 1),
        ("Yes.", "yes", 0, 1),
        ("NO", "no", 1, 0),
        ("no dog", "no", 0, 1),
        ("", "no", 0, 0),
        ("", "yes", 0, 1),
        ("no", "No", 0, 0),  # any label but "no" is a yes officially, and big_vision does not lower-case it
    ],
)
def test_where_the_variants_differ(answer: str, label: str, big_vision: int, official: int) -> None:
    assert YesNo().score([answer], [[label]])["accuracy"] == big_vision
    assert YesNo(variant="official").score([answer], [[label]])["accuracy"] == official


@pytest.mark.parametrize("variant", ["big_vision", "official"])
def test_values_of_a_table(variant: str) -> None:
    """Three hits, one false alarm, two misses, four rejections."""
    answers = ["yes"] * 4 + ["no"] * 6
    labels = [["yes"]] * 3 + [["no"]] + [["yes"]] * 2 + [["no"]] * 4
    score = YesNo(variant=variant).score(answers, labels)
    assert score == pytest.approx(
        {"accuracy": 0.7, "precision": 3 / 4, "recall": 3 / 5, "f1": 6 / 9, "yes_ratio": 0.4, "valid": 1.0}
    )


def test_valid_is_the_share_of_bare_answers() -> None:
    score = YesNo(variant="official").score(["Yes", "no", "no.", "maybe"], [["yes"]] * 4)
    assert score["valid"] == 0.5


@pytest.mark.parametrize(("answer", "label"), [("no", "no"), ("yes", "no"), ("no", "yes")])
def test_where_the_official_script_divides_by_zero_the_value_is_zero(answer: str, label: str) -> None:
    score = YesNo(variant="official").score([answer], [[label]])
    assert (score["precision"], score["recall"], score["f1"]) == (0, 0, 0)


def test_unknown_variant_is_refused() -> None:
    with pytest.raises(UsageError, match="Did you mean 'official'"):
        load_metric("yes_no", variant="oficial")
