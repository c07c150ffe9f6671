"""The library reads as the command line does."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest

import evalsuite

ROWS = [{"id": str(n), "question": "What?", "answer": "yes" if n < 3 else "no", "kind": "ab"[n % 2]} for n in range(4)]
STRATA = {"id": "id", "references": "answer", "values": {"question": "question"}, "strata": {"kind": "kind"}}


@pytest.fixture
def result(own_task: Callable[..., Path], tmp_path: Path) -> evalsuite.RunResult:
    specs = own_task(ROWS, fields=STRATA)
    return evalsuite.run(
        "own",
        backend="echo",
        options={"answer": "yes"},
        data="files",
        data_dir=tmp_path / "data",
        specs=[specs],
        out=tmp_path / "out",
    )


def test_a_run_returns_its_values_in_paper_units(result: evalsuite.RunResult) -> None:
    assert result.ok and result.value("own") == 75.0
    assert result.value("own", stratum="kind=a") == 100.0 and result.value("own", stratum="kind=b") == 50.0
    assert result.report is not None and result.report.html.is_file()


def test_a_value_that_is_not_there_is_a_key_error(result: evalsuite.RunResult) -> None:
    with pytest.raises(KeyError, match="cider"):
        result.value("own", "cider")


def test_intervals_hold_the_value_and_cover_what_few_examples_allow(result: evalsuite.RunResult) -> None:
    whole = result.rows[0]
    assert whole.value == 75.0 and whole.ci_low is not None and whole.ci_high is not None
    assert 0.0 <= whole.ci_low < 75.0 < whole.ci_high <= 100.0


def test_scoring_again_gives_the_same_rows(result: evalsuite.RunResult, tmp_path: Path) -> None:
    again = evalsuite.score(result.folder, specs=[tmp_path / "specs"])
    assert [dataclasses.asdict(row) for row in again.rows] == [dataclasses.asdict(row) for row in result.rows]


def test_a_changed_metric_is_used_when_scoring_again_a_changed_prompt_is_not(
    result: evalsuite.RunResult, tmp_path: Path
) -> None:
    path = tmp_path / "specs" / "own.yaml"
    text = path.read_text()
    path.write_text(text.replace("name: exact_match", "name: anls"))
    assert evalsuite.score(result.folder, specs=[tmp_path / "specs"]).rows[0].metric == "anls"
    path.write_text(text.replace("name: exact_match", "name: anls").replace("'{question}'", "'answer {question}'"))
    assert evalsuite.score(result.folder, specs=[tmp_path / "specs"]).rows[0].metric == "accuracy"


def test_specs_can_be_looked_at() -> None:
    assert evalsuite.load_task("docvqa").decoding.max_new_tokens == 32
    assert {spec.family for spec in evalsuite.load_tasks("family:captioning")} == {"captioning"}


def test_an_error_is_one_of_ours() -> None:
    with pytest.raises(evalsuite.EvalsuiteError, match="Did you mean 'docvqa'"):
        evalsuite.load_task("docvqaa")
