"""What stands beside a value: answers that were unread, cut, empty or withheld, counted for each split and stratum."""

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
from evalsuite.metrics import METRICS, Answer, MeanMetric, Value, load_metric
from evalsuite.metrics.base import Array, Flags
from evalsuite.reports.rows import read_rows
from evalsuite.runs.answer_counts import AnswerCounts
from evalsuite.runs.manifest import read_manifest, write_manifest
from evalsuite.runs.results import ResultRow
from evalsuite.runs.store import PredictionStore
from evalsuite.scoring import reading
from evalsuite.scoring.example_statistics import all_statistics
from evalsuite.scoring.marks import KNOWN, Tally, marks_of
from evalsuite.types import ExampleKey, Prediction

LIMIT = 8
Score = Callable[..., dict[str, ResultRow]]
YES_NO = [{"name": "yes_no", "headline": True}]

CUT, WITHHELD = {"ended": "length"}, {"ended": "filter"}
ENDED = {"ended": "end"}
FAILED = "out of memory"


@pytest.fixture
def score(own_task: Callable[..., Path], tmp_path: Path) -> Score:
    """``score([(text, details or error), ...])``: headline rows by stratum of a run that was given these answers."""

    def call(
        answers: Sequence[tuple[str, Any]], kinds: str = "", metrics: Any = YES_NO, **changes: Any
    ) -> dict[str, ResultRow]:
        kinds = kinds or "a" * len(answers)
        rows = [{"id": str(n), "question": "?", "answer": "yes", "kind": kind} for n, kind in enumerate(kinds)]
        decoding = {"max_new_tokens": LIMIT}
        specs = own_task(rows, stratum="kind", metrics=metrics, decoding=decoding, **changes)
        folder = evalsuite.run(
            "own", backend="echo", data="files", data_dir=tmp_path / "data", specs=[specs], out=tmp_path / "out"
        ).folder
        (folder / "predictions.sqlite").unlink()
        with PredictionStore(folder / "predictions.sqlite") as store:
            for n, ((text, said), kind) in enumerate(zip(answers, kinds, strict=True)):
                error, details = (said, {}) if isinstance(said, str) else (None, said or {})
                key = ExampleKey("own", "test", str(n))
                store.add([Prediction(key, n, "?", text, ["yes"], {"kind": kind}, error, details)])
        result = evalsuite.score(folder, specs=[specs])
        assert result.ok, result.failures
        return {row.stratum: row for row in result.rows if row.headline}

    return call


def counts(row: ResultRow) -> tuple[int | None, ...]:
    return row.unread, row.cut, row.empty, row.withheld


def test_each_answer_counts_where_it_belongs(score: Score, tmp_path: Path) -> None:
    """A failed example is an error and an empty answer no unread one; a cut answer may be unread besides."""
    answers = [("yes", ENDED), ("", ENDED), (" \n", CUT), ("maybe ye", CUT), ("", WITHHELD), ("", FAILED), ("No", CUT)]
    rows = score(answers, kinds="aaabbbb")
    assert counts(rows[""]) == (1, 3, 2, 1) and (rows[""].n, rows[""].errors) == (7, 1)
    assert counts(rows["kind=a"]) == (0, 1, 2, 0) and rows["kind=a"].n == 3
    assert counts(rows["kind=b"]) == (1, 2, 0, 1) and (rows["kind=b"].n, rows["kind=b"].errors) == (4, 1)
    import pyarrow.parquet as pq

    table = pq.read_table(tmp_path / "out" / "results.parquet").to_pylist()
    assert table[0]["cut"] == 3 and read_rows([tmp_path / "out"])[0] == rows[""]


def test_where_no_answer_says_why_it_ended_that_is_not_known(score: Score) -> None:
    """None is not zero: nobody knows whether these were cut. A metric that takes any text has no unread answers."""
    row = score([("yes", None), ("", None)], metrics=[{"name": "exact_match", "headline": True}])[""]
    assert counts(row) == (None, None, 1, None)


def test_the_number_of_tokens_tells_a_cut_answer_of_an_older_run(score: Score) -> None:
    """End-of-sequence is one of the limit's tokens and none of the answer's: eight of eight are a cut answer."""
    row = score([("yes", {"tokens": LIMIT}), ("yes", {"tokens": LIMIT - 1}), ("yes", {"tokens": LIMIT, **ENDED})])[""]
    assert counts(row) == (0, 1, 0, 0)


@pytest.mark.parametrize("said", [{"ended": ["length"]}, {"ended": "tired", "tokens": None}, {"tokens": "8"}])
def test_details_of_another_form_say_nothing(said: dict[str, Any]) -> None:
    prediction = Prediction(ExampleKey("a", "b", "c"), 0, "", "yes", [], details=said)
    assert marks_of(prediction, "yes", LIMIT) & KNOWN == 0


def test_what_parsing_leaves_decides_whether_an_answer_is_empty(score: Score) -> None:
    row = score([("\nyes", None), ("yes\nBecause", None)], parsing=["first_line"])[""]
    assert (row.value, row.empty, row.unread) == (50.0, 1, 0)


def test_a_metric_of_one_stratum_alone_counts_its_examples_alone(score: Score) -> None:
    metrics = [{"name": "yes_no", "headline": True, "only": {"kind": "b"}}]
    rows = score([("", ENDED), ("maybe", CUT), ("yes", ENDED)], kinds="abb", metrics=metrics)
    assert counts(rows[""]) == counts(rows["kind=b"]) == (1, 1, 0, 0) and rows[""].n == 2


def test_counts_do_not_depend_on_how_answers_are_read(score: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [("yes" if n % 3 else "", CUT if n % 4 == 0 else ENDED) for n in range(20)]
    kinds = "abcab" * 4
    whole = {stratum: counts(row) for stratum, row in score(answers, kinds).items()}
    monkeypatch.setattr(reading, "CHUNK", 3)
    assert {stratum: counts(row) for stratum, row in score(answers, kinds).items()} == whole
    assert whole[""] == (0, 5, 7, 0)


def test_metrics_of_a_corpus_count_as_well(score: Score) -> None:
    """Once as one corpus, once with a corpus for each stratum."""
    metrics = [{"name": "cider", "headline": True}]
    assert counts(score([("", CUT), ("yes", ENDED)], "ab", metrics)["kind=a"]) == (None, 1, 1, 0)
    metrics = [{"name": "cider", "headline": True, "corpus": "kind"}]
    assert counts(score([("", CUT), ("yes", ENDED)], "ab", metrics)["kind=a"]) == (None, 1, 1, 0)


def test_an_example_that_ended_its_scoring_process_is_a_failed_one() -> None:
    """Its statistics are those of an empty answer; it is neither empty nor unread."""

    class LosesTheSecond:
        def batch_statistics(self, metric: Any, predictions: Any, references: Any, lost: dict[int, str]) -> Array:
            lost[1] = "ended"
            return np.asarray(metric.batch_statistics([predictions[0], ""], references))

    part = reading.Scorable([Answer("maybe", "0"), Answer("maybe", "1")], [["yes"], ["yes"]], bytearray([0, 0]))
    tally, groups = Tally(), reading.Groups(())
    all_statistics(iter([part]), [load_metric("yes_no")], [None], groups, LosesTheSecond(), {}, [tally])  # type: ignore[arg-type]
    assert tally.counts() == AnswerCounts(unread=1, empty=0)


@dataclass(frozen=True)
class Careless(MeanMetric):
    """Says too little of what it could not read."""

    name: ClassVar[str] = "careless"
    values: ClassVar[tuple[Value, ...]] = (Value("careless"),)

    def example(self, prediction: Any, references: Sequence[Any]) -> float:
        return 1.0

    def unread(self, predictions: Sequence[Any], references: Sequence[Sequence[Any]], statistics: Array) -> Flags:
        return np.zeros(1, bool)


def test_a_metric_from_outside_that_says_too_little_is_named(
    own_task: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = ModuleType("metrics_for_marks")
    module.Careless = Careless  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "metrics_for_marks", module)
    monkeypatch.setitem(METRICS, "careless", "metrics_for_marks:Careless")
    rows = [{"id": str(n), "question": "?", "answer": "yes"} for n in range(2)]
    specs = own_task(rows, metrics=[{"name": "careless", "headline": True}])
    asked: dict[str, Any] = {"data": "files", "data_dir": tmp_path / "data", "specs": [specs], "out": tmp_path / "out"}
    failures = evalsuite.run("own", backend="echo", **asked).failures
    assert failures["own"].startswith("metric careless: unread gives flags of shape (1,), not (2,)")


def test_an_average_adds_up_what_its_members_know() -> None:
    """A member of which it is not known adds nothing; what no member knows is not known."""
    parts = [AnswerCounts(unread=1, cut=None, empty=2), AnswerCounts(unread=3, cut=4, empty=0)]
    assert AnswerCounts.total(parts) == AnswerCounts(unread=4, cut=4, empty=2, withheld=None)


def test_results_of_before_are_read_and_know_nothing(score: Score, tmp_path: Path) -> None:
    score([("", ENDED)])
    path = tmp_path / "out" / "results.json"
    kept = [{k: v for k, v in row.items() if k not in AnswerCounts.__slots__} for row in json.loads(path.read_text())]
    path.write_text(json.dumps(kept))
    manifest = read_manifest(tmp_path / "out")
    del manifest["results"]  # which had no digests then
    write_manifest(tmp_path / "out", manifest)
    assert [row.answer_counts for row in read_rows([tmp_path / "out"])] == [AnswerCounts()] * len(kept)
