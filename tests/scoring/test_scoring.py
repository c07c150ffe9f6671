"""Scoring: from what is stored to result rows; what cannot be scored costs nothing else."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

import numpy as np
import pytest

import evalsuite
from evalsuite.errors import ScoringError
from evalsuite.metrics import METRICS, Answer, MeanMetric, Value, WeightedMetric
from evalsuite.metrics.base import Array
from evalsuite.runs.manifest import read_manifest, write_manifest
from evalsuite.runs.store import PredictionStore
from evalsuite.types import ExampleKey, Prediction

ROWS = [{"id": str(n), "question": f"say {n}", "answer": "yes" if n < 6 else "no"} for n in range(8)]


@dataclass(frozen=True)
class Brittle(MeanMetric):
    """Fails on the answers, or already in its check."""

    name: ClassVar[str] = "brittle"
    values: ClassVar[tuple[Value, ...]] = (Value("brittle"),)
    in_check: bool = False

    def check(self) -> None:
        if self.in_check and "broken" in sys.modules:
            raise ScoringError("the program it needs is gone")

    def example(self, prediction: Any, references: Sequence[Any]) -> float:
        raise IndexError("nobody thought of this")


@dataclass(frozen=True)
class ShareOfYes(WeightedMetric):
    """Weighted share of examples whose answer is yes and whose id is known."""

    name: ClassVar[str] = "share_of_yes"
    takes_answers: ClassVar[bool] = True
    values: ClassVar[tuple[Value, ...]] = (Value("share_of_yes"),)
    _yes: tuple[bool, ...] = ()

    def prepare(self, predictions: Sequence[Answer], references: Sequence[Sequence[Any]]) -> ShareOfYes:
        return ShareOfYes(tuple(r == ["yes"] and bool(p.id) for p, r in zip(predictions, references, strict=True)))

    def weighted_values(self, weights: Array) -> dict[str, Array]:
        return {"share_of_yes": weights @ np.array(self._yes, float) / weights.sum(axis=-1)}


@pytest.fixture(autouse=True)
def metrics_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("metrics_for_tests")
    for cls in (Brittle, ShareOfYes):
        setattr(module, cls.__name__, cls)
        monkeypatch.setitem(METRICS, cls.name, f"metrics_for_tests:{cls.__name__}")
    monkeypatch.setitem(sys.modules, "metrics_for_tests", module)


@pytest.fixture
def run(own_task: Callable[..., Path], tmp_path: Path) -> Callable[..., evalsuite.RunResult]:
    """Answer the task ``own``, changed so, with yes."""

    def call(rows: list[dict[str, Any]] = ROWS, **changes: Any) -> evalsuite.RunResult:
        specs = own_task(rows, **changes)
        return evalsuite.run(
            "own",
            backend="echo",
            options={"answer": "yes"},
            data="files",
            data_dir=tmp_path / "data",
            specs=[specs],
            out=tmp_path / "out",
            max_errors="50%",
        )

    return call


Run = Callable[..., evalsuite.RunResult]


def metric(name: str, **parameters: Any) -> dict[str, Any]:
    return {"metrics": [{"name": name, "headline": True, "parameters": parameters}]}


def test_a_metric_that_breaks_on_the_answers_is_a_failure_with_its_traceback_on_file(
    run: Callable[..., evalsuite.RunResult],
) -> None:
    result = run(**metric("brittle"))
    assert not result.ok and result.failures["own"].startswith("IndexError: nobody thought of this (traceback in")
    assert "nobody thought" in (result.folder / "failures.log").read_text()
    assert json.loads((result.folder / "results.json").read_text()) == []


def test_the_other_tasks_are_scored(run: Run, tmp_path: Path) -> None:
    folder = run().folder
    manifest = read_manifest(folder)
    broken = json.loads(json.dumps(manifest["tasks"]["own"]))
    broken["spec"] |= {"id": "broken", **metric("brittle")}
    manifest["tasks"] = {"broken": broken, "older": {**broken, "spec": {"id": "older"}}, **manifest["tasks"]}
    write_manifest(folder, manifest)
    with PredictionStore(folder / "predictions.sqlite") as store:
        store.add([Prediction(ExampleKey("broken", "test", "1"), 0, "", "yes", ["yes"])])
    result = evalsuite.score(folder)
    assert [row.task for row in result.rows] == ["own"]
    assert result.failures.keys() == {"broken", "older"}
    assert "another version of evalsuite" in result.failures["older"]


def test_what_a_metric_needs_is_checked_before_scoring_again(
    run: Callable[..., evalsuite.RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = run(**metric("brittle", in_check=True)).folder
    monkeypatch.setitem(sys.modules, "broken", ModuleType("broken"))
    assert evalsuite.score(folder).failures == {"own": "the program it needs is gone"}


def test_an_example_without_a_stratum_counts_in_the_whole_and_in_no_group(
    run: Callable[..., evalsuite.RunResult],
) -> None:
    fields = {"id": "id", "references": "answer", "values": {"question": "question"}, "strata": {"kind": "kind"}}
    result = run([{**row, "kind": None if n == 0 else "ab"[n % 2]} for n, row in enumerate(ROWS)], fields=fields)
    assert {row.stratum: (row.n, row.errors) for row in result.rows} == {"": (8, 1), "kind=b": (4, 0), "kind=a": (3, 0)}


def test_a_metric_that_is_no_sum_is_scored_by_weights_of_answers_with_ids(
    run: Callable[..., evalsuite.RunResult],
) -> None:
    fields = {"id": "id", "references": "answer", "values": {"question": "question"}, "strata": {"kind": "kind"}}
    rows = [{**row, "kind": "ab"[n % 2]} for n, row in enumerate(ROWS)]
    result = run(rows, fields=fields, **metric("share_of_yes"))
    assert [(row.stratum, row.value, row.n) for row in result.rows] == [
        ("", 75.0, 8),
        ("kind=a", 75.0, 4),
        ("kind=b", 75.0, 4),
    ]
    whole = result.rows[0]
    assert whole.ci_low is not None and whole.ci_high is not None and whole.ci_low < 75.0 < whole.ci_high


def test_a_value_that_is_not_defined_is_null_everywhere(
    run: Callable[..., evalsuite.RunResult], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ShareOfYes, "weighted_values", lambda self, weights: {"share_of_yes": weights[..., 0] * np.nan})
    result = run(**metric("share_of_yes"))
    assert result.ok and (result.rows[0].value, result.rows[0].ci_low) == (None, None)
    import pyarrow.parquet as pq

    (row,) = pq.read_table(result.folder / "results.parquet").to_pylist()
    assert row["value"] is None and row["partial"] == "" and row["n"] == 8


def test_strata_can_be_corpora_of_their_own(run: Run) -> None:
    """Document frequencies of a language are those of its own references: each scores as if it were alone."""
    from evalsuite.metrics import load_metric

    texts = {
        "en": ["a red car", "two dogs run fast", "a cat"],
        "de": ["ein rotes auto", "zwei hunde laufen", "das ist ein kleiner roter Hund"],
    }
    rows = [
        {"id": f"{language}{n}", "question": text, "answer": [text, "yes"], "kind": language}
        for language, captions in texts.items()
        for n, text in enumerate(captions)
    ]
    use = {"name": "cider", "headline": True, "corpus": "kind"}
    fields = {"id": "id", "references": "answer", "values": {"question": "question"}, "strata": {"kind": "kind"}}
    values = {row.stratum: row.value for row in run(rows, metrics=[use], fields=fields).rows}
    for language, captions in texts.items():
        alone = load_metric("cider").score(["yes"] * 3, [[text, "yes"] for text in captions])["cider"]
        assert values[f"kind={language}"] == pytest.approx(100 * alone)
    assert values[""] == pytest.approx((values["kind=en"] + values["kind=de"]) / 2)


def test_the_official_rule_gives_the_headline_when_it_is_asked_for(
    run: Callable[..., evalsuite.RunResult], tmp_path: Path
) -> None:
    """Both rules are scored either way, from the same answers."""
    metrics = [
        {"name": "exact_match", "headline": True},
        {"name": "exact_match", "parameters": {"ignore_case": True}, "protocol": "official"},
    ]
    rows = [{"id": "0", "question": "?", "answer": "YES"}]
    assert [(row.protocol, row.value, row.headline) for row in run(rows, metrics=metrics).rows] == [
        ("paligemma", 0.0, True),
        ("official", 100.0, False),
    ]
    again = evalsuite.score(tmp_path / "out", specs=[tmp_path / "specs"], protocol="official")
    assert [(row.value, row.headline) for row in again.rows] == [(0.0, False), (100.0, True)]


def test_a_metric_may_see_the_examples_of_one_stratum_alone(run: Run) -> None:
    """As an official rule that leaves difficult questions out, beside the papers' that keeps them."""
    metrics = [
        {"name": "exact_match", "headline": True},
        {"name": "exact_match", "protocol": "official", "only": {"kind": "easy"}},
    ]
    rows = [
        {"id": str(n), "question": "?", "answer": "yes" if n else "no", "kind": "easy" if n else "hard"}
        for n in range(4)
    ]
    fields = {"id": "id", "references": "answer", "values": {"question": "question"}, "strata": {"kind": "kind"}}
    whole = [row for row in run(rows, metrics=metrics, fields=fields).rows if not row.stratum]
    assert [(row.protocol, row.n, row.value) for row in whole] == [("paligemma", 4, 75.0), ("official", 3, 100.0)]
