"""What is said about metrics is read from their code."""

from __future__ import annotations

from pathlib import Path

import pytest

from evalsuite.errors import UnknownName
from evalsuite.metrics import METRICS
from evalsuite.metrics.documentation import AGREEMENT, describe, metrics_page
from evalsuite.metrics.verification import CHECKS

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_in_docs_is_the_generated_one() -> None:
    again = "metrics changed: run python -m evalsuite.metrics.documentation > docs/metrics.md"
    assert PAGE.read_text(encoding="utf-8") == metrics_page(), again


def test_every_golden_file_belongs_to_a_metric() -> None:
    assert {golden for files in AGREEMENT.values() for golden in files} == set(CHECKS)
    assert set(AGREEMENT) <= set(METRICS)


def test_every_metric_has_a_section_with_its_values() -> None:
    page = metrics_page()
    for name in METRICS:
        section = page.split(f"\n## {name}\n")[1].split("\n## ")[0]
        for value in describe(name).values:
            assert f"| `{value.name}` |" in section


def test_the_choices_of_a_parameter_are_those_that_the_metric_accepts() -> None:
    (variant,) = describe("relaxed_accuracy").variants
    assert (variant.name, variant.default) == ("variant", "big_vision")
    assert set(variant.choices) == {"big_vision", "case_sensitive", "pix2struct"}
    assert describe("cider").variants == ()


def test_an_unknown_metric_is_refused() -> None:
    with pytest.raises(UnknownName, match="'cider'"):
        describe("cidre")
