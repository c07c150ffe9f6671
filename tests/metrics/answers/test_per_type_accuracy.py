"""RSVQA."""

from __future__ import annotations

from typing import Any

import pytest

from evalsuite.errors import ScoringError, UsageError
from evalsuite.metrics import load_metric
from evalsuite.metrics.answers.per_type_accuracy import PerTypeAccuracy

REFERENCES: list[list[dict[str, Any]]] = [
    [{"answer": "yes", "type": "presence"}],
    [{"answer": "no", "type": "presence"}],
    [{"answer": "yes", "type": "presence"}],
    [{"answer": ["rural", "urban"], "type": "rural_urban"}],
    [{"answer": "yes", "type": "comp"}, {"answer": "no", "type": "comp"}],
]
PREDICTIONS = ["yes", "No", "no", "urban", "maybe"]


def test_types_weigh_the_same_however_many_questions_they_have() -> None:
    score = PerTypeAccuracy().score(PREDICTIONS, REFERENCES)
    assert score == pytest.approx({"mean_over_types": (2 / 3 + 1 + 0) / 3, "accuracy": 3 / 5})


def test_case_matters_on_request() -> None:
    assert PerTypeAccuracy(ignore_case=False).score(PREDICTIONS, REFERENCES)["accuracy"] == pytest.approx(2 / 5)


def test_named_types_are_averaged_and_the_others_still_count_in_accuracy() -> None:
    score = PerTypeAccuracy(types=("comp", "presence")).score(PREDICTIONS, REFERENCES)
    assert score == pytest.approx({"mean_over_types": 1 / 3, "accuracy": 3 / 5})


def test_a_named_type_that_does_not_occur_makes_the_mean_zero() -> None:
    """The official script divides by zero."""
    assert PerTypeAccuracy(types=("presence", "area")).score(PREDICTIONS, REFERENCES)["mean_over_types"] == 0


def test_a_part_of_the_corpus_averages_over_the_types_it_has() -> None:
    metric = PerTypeAccuracy().prepare(PREDICTIONS, REFERENCES)
    part = metric.batch_statistics(PREDICTIONS[2:4], REFERENCES[2:4]).sum(axis=0)
    assert float(metric.finalize(part)["mean_over_types"]) == 0.5


def test_wrong_references_and_parameters_are_refused() -> None:
    with pytest.raises(ScoringError, match="'answer' and 'type'"):
        PerTypeAccuracy().score(["yes"], [["yes"]])
    with pytest.raises(ScoringError, match="has not seen type 'presence'"):
        PerTypeAccuracy().statistics("yes", REFERENCES[0])
    with pytest.raises(UsageError, match="a list of question types"):
        load_metric("per_type_accuracy", types="comp")
    assert load_metric("per_type_accuracy", types=["comp"]).signature().endswith("|types:comp")
