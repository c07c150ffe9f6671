"""String equality."""

from __future__ import annotations

import pytest

from evalsuite.metrics.answers.exact_match import ExactMatch


@pytest.mark.parametrize(
    ("metric", "accepted"),
    [
        (ExactMatch(), ["Red car"]),
        (ExactMatch(ignore_case=True), ["Red car", "red CAR"]),
        (ExactMatch(strip=True), ["Red car", " Red car\n"]),
        (ExactMatch(ignore_case=True, strip=True), ["Red car", "red CAR", " Red car\n", " red car "]),
        (ExactMatch(ignore_articles=True), ["Red car", " Red car\n", "Red  car", "The Red car"]),
    ],
)
def test_what_each_parameter_forgives(metric: ExactMatch, accepted: list[str]) -> None:
    candidates = ["Red car", "red CAR", " Red car\n", " red car ", "Red car.", "Red  car", "The Red car", ""]
    assert [text for text in candidates if metric.example(text, ["Red car"])] == accepted


def test_any_reference_may_match() -> None:
    assert ExactMatch().example("b", ["a", "b"]) == 1


@pytest.mark.parametrize(
    ("reference", "accepted"),
    [
        ("A", ["A", " A\n"]),
        ("the", ["the"]),
        ("An A", ["An A", "An  A"]),
        ("", ["", " "]),
        ("A B", ["A B", "B", "the B"]),
    ],
)
def test_a_text_of_nothing_but_articles_keeps_them(reference: str, accepted: list[str]) -> None:
    """The option A is an answer, and neither an empty one nor another article."""
    candidates = ["", " ", "A", " A\n", "The", "the", "An A", "An  A", "A B", "B", "the B"]
    metric = ExactMatch(ignore_articles=True)
    assert [text for text in candidates if metric.example(text, [reference])] == accepted
    assert ExactMatch(ignore_articles=True, ignore_case=True).example("a", ["A"]) == 1


def test_only_the_rule_that_changed_has_a_new_version() -> None:
    assert ExactMatch().signature().startswith("exact_match|v1|")
    assert ExactMatch(ignore_articles=True).signature().startswith("exact_match|v2|")
