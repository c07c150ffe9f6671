"""String equality."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evalsuite.metrics.exact_match import ExactMatch


def test_agrees_with_big_vision(golden: Callable[[str], list[dict[str, Any]]]) -> None:
    lines = golden("exact_match")
    assert len(lines) == 370
    for line in lines:
        inputs, expected = line["inputs"], line["expected"]["big_vision"]
        examples = inputs.get("examples", [inputs])
        metric = ExactMatch(ignore_case=inputs.get("to_lower", expected.get("to_lower")))
        score = metric.score([e["prediction"] for e in examples], [[e["answer"]] for e in examples])["accuracy"]
        assert score == pytest.approx(expected.get("acc_any", expected["acc"]), abs=1e-9), line["id"]


def test_default_is_the_strict_equality_of_gqa(golden: Callable[[str], list[dict[str, Any]]]) -> None:
    lines = [line for line in golden("exact_match") if "strict_equality" in line["expected"]]
    assert len(lines) == 355
    for line in lines:
        score = ExactMatch().example(line["inputs"]["prediction"], [line["inputs"]["answer"]])
        assert score == line["expected"]["strict_equality"], line["id"]


@pytest.mark.parametrize(
    ("metric", "accepted"),
    [
        (ExactMatch(), ["Red car"]),
        (ExactMatch(ignore_case=True), ["Red car", "red CAR"]),
        (ExactMatch(strip=True), ["Red car", " Red car\n"]),
        (ExactMatch(ignore_case=True, strip=True), ["Red car", "red CAR", " Red car\n", " red car "]),
    ],
)
def test_what_each_parameter_forgives(metric: ExactMatch, accepted: list[str]) -> None:
    candidates = ["Red car", "red CAR", " Red car\n", " red car ", "Red car.", "Red  car", ""]
    assert [text for text in candidates if metric.example(text, ["Red car"])] == accepted


def test_any_reference_may_match() -> None:
    assert ExactMatch().example("b", ["a", "b"]) == 1
