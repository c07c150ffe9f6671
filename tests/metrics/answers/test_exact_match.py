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
