"""``evalsuite compare``: what changed between runs, and when they cannot be compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import evalsuite
from evalsuite import api
from evalsuite.comparison.runs import SplitComparison, comparison_warnings
from evalsuite.runs.answer_counts import AnswerCounts

MakeRun = Callable[..., Path]
Wrong = Callable[..., dict[int, str]]


def only(rows: list[SplitComparison]) -> SplitComparison:
    (row,) = rows
    return row


def test_the_difference_has_an_interval_a_p_and_the_examples_that_changed(make_run: MakeRun, wrong: Wrong) -> None:
    first, second = make_run("first", wrong(0, 1, 2)), make_run("second", wrong(2, 3))
    row = only(api.compare(first, second))
    found = row.found
    assert found is not None
    assert (found.before, found.after, found.n) == (92.5, 95.0, 40)
    assert found.difference == 2.5 and found.low < 2.5 < found.high
    assert (row.better, row.worse, found.tied) == (("0", "1"), ("3",), 37)
    assert found.p == pytest.approx(1.0) and row.adjusted == found.p


def test_a_large_difference_is_beyond_chance(make_run: MakeRun, wrong: Wrong) -> None:
    row = only(api.compare(make_run("first"), make_run("second", wrong(*range(15)))))
    assert row.found is not None and row.found.high < 0 and (row.found.p or 1) < 0.01


def test_another_prompt_is_said_and_not_compared(make_run: MakeRun) -> None:
    first = make_run("first")
    second = make_run("second", prompt={"prefix": "answer en {question}"})
    row = only(api.compare(first, second))
    assert row.found is None
    assert row.reasons == ("prompt.prefix differs: '{question}', 'answer en {question}'",)
    anyway = only(api.compare(first, second, anyway=True))
    assert anyway.found is not None and anyway.found.n == 40


def test_other_decoding_and_another_metric_are_said_too(make_run: MakeRun, tmp_path: Path) -> None:
    first = make_run("first")
    second = make_run("second", decoding={"max_new_tokens": 9}, metrics=[{"name": "anls", "headline": True}])
    reasons = " ".join(only(api.compare(first, second)).reasons)
    assert "decoding.max_new_tokens differs: 4, 9" in reasons and "the metric differs: exact_match" in reasons


def test_only_shared_examples_count(make_run: MakeRun, wrong: Wrong, tmp_path: Path) -> None:
    first = make_run("first", wrong(0, 35))
    rows = [{"id": str(n), "question": f"question {n}", "answer": [f"answer {n}"]} for n in range(20, 60)]
    row = only(api.compare(first, make_run("second", rows=rows)))
    assert row.found is not None and row.found.n == 20
    assert (row.found.before, row.better) == (95.0, ("35",))
    assert row.notes == ("20 shared examples; 20 are in first alone, 20 in second alone",)


def test_corpus_metrics_are_prepared_on_what_is_shared(make_run: MakeRun, wrong: Wrong) -> None:
    metrics = [{"name": "cider", "headline": True}]
    first, second = make_run("first", wrong(0, 1), metrics=metrics), make_run("second", metrics=metrics)
    row = only(api.compare(first, second))
    assert row.found is not None and row.found.difference > 0 and row.better == ("0", "1")
    alone = evalsuite.score(second)
    assert row.found.after == pytest.approx(alone.rows[0].value)


def test_error_rates_fall_when_things_get_better(make_run: MakeRun) -> None:
    kern = [{"id": str(n), "question": "?", "answer": [f"**kern\n*clefG2\n{4 * (1 + n % 3)}c\n*-"]} for n in range(6)]
    metrics = [{"name": "kern_error_rates", "headline": True}]
    bad = {0: "**kern\n*-"}
    first, second = make_run("first", bad, rows=kern, metrics=metrics), make_run("second", rows=kern, metrics=metrics)
    row = only(api.compare(first, second))
    assert row.found is not None and row.found.difference < 0
    assert row.better == ("0",) and row.worse == ()
    assert row.found.gain[0] > 0


def test_the_command_prints_the_table_and_json(make_run: MakeRun, wrong: Wrong, evalsuite: Callable[..., Any]) -> None:
    first, second = make_run("first", wrong(0)), make_run("second", wrong(1, 2))
    done = evalsuite("compare", first, second, "--flips", "1")
    assert done.returncode == 0, done.stderr
    assert "first -> second" in done.stdout and "-2.50" in done.stdout and "1/2/37" in done.stdout
    assert "better: own, test: 0" in done.stdout and "worse: own, test: 1, …" in done.stdout
    (record,) = json.loads(evalsuite("compare", first, second, "--json").stdout)
    assert record["difference"] == -2.5 and record["worse"] == ["1", "2"]


def test_one_run_is_not_enough(make_run: MakeRun, evalsuite: Callable[..., Any]) -> None:
    done = evalsuite("compare", make_run("first"))
    assert done.returncode == 2 and "at least two run folders" in done.stderr


def test_empty_and_unread_answers_are_counted_among_what_is_compared(make_run: MakeRun) -> None:
    """Under a metric that sees one stratum alone, of its examples alone; the shared examples count, not all."""
    rows = [{"id": str(n), "question": "?", "answer": ["yes"], "kind": "ab"[n % 2]} for n in range(10)]
    metrics = [{"name": "yes_no", "headline": True, "only": {"kind": "a"}}]
    asked: dict[str, Any] = {"metrics": metrics, "stratum": "kind"}
    first = make_run("first", {0: "", 1: "", 2: "maybe", 8: ""}, rows=rows, **asked)
    second = make_run("second", rows=rows[:8], **asked)
    found = only(api.compare(first, second)).found
    assert found is not None and found.n == 4
    assert found.counts == (AnswerCounts(unread=1, empty=1), AnswerCounts(unread=0, empty=0))


def test_a_metric_that_is_no_sum_counts_as_well(make_run: MakeRun) -> None:
    objects = {"objects": [{"bbox": [0, 0, 50, 50], "category": "cat"}], "size": [100, 100]}
    rows = [{"id": str(n), "question": "?", "answer": [objects]} for n in range(3)]
    box = "<loc0000><loc0000><loc0511><loc0511> cat"
    metrics = [{"name": "box_ap", "headline": True}]
    first = make_run("first", {0: box, 1: f"{box} ; <loc00", 2: ""}, rows=rows, metrics=metrics)
    second = make_run("second", dict.fromkeys(range(3), box), rows=rows, metrics=metrics)
    rows_of_both = api.compare(first, second)
    found = only(rows_of_both).found
    assert found is not None
    assert found.counts == (AnswerCounts(unread=1, empty=1), AnswerCounts(unread=0, empty=0))
    assert [warning.partition(" of the answers")[0] for warning in comparison_warnings(rows_of_both)] == [
        "own, first, test: 33.3%",
        "own, first, test: 33.3%",
    ]
