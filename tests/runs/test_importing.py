"""Results of other programs, in reports beside ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import evalsuite
from evalsuite import api
from evalsuite.errors import DataError, EvalsuiteError, StoreError, UnknownName, UsageError
from evalsuite.reports.rows import read_rows
from evalsuite.reports.scaling.grid import grids_of_runs
from evalsuite.specs import TaskRegistry
from evalsuite.studies.planning import calibrate
from evalsuite.viewer.browsing import Browser

CSV = """task,split,metric,value,ci_low,ci_high,n,size,resolution
docvqa,validation,anls,39.9,38.7,41.1,5349,3B,224
docvqa,validation,anls,73.6,72.5,74.7,5349,3B,448
vqav2,,,83.0,,,,3B,224
"""
HARNESS = {
    "results": {
        "docvqa_val": {"alias": "docvqa_val", "anls,none": 0.735, "anls_stderr,none": 0.005},
        "mmlu": {"acc": 1},
    },
    "n-samples": {"docvqa_val": {"original": 5349, "effective": 5349}},
}


def test_a_long_csv_gives_a_run_for_each_set_of_attributes(tmp_path: Path) -> None:
    (tmp_path / "theirs.csv").write_text(CSV)
    rows = read_rows(api.import_results(tmp_path / "theirs.csv", tmp_path / "runs"))
    first = next(row for row in rows if row.task == "docvqa" and row.attributes["resolution"] == "224")
    assert (first.value, first.ci_low, first.n, first.unit, first.paper_name) == (39.9, 38.7, 5349, "%", "DocVQA (val)")
    assert first.headline and first.backend == "imported" and first.model == "theirs"
    (grid,) = [grid for grid in grids_of_runs(rows) if grid.name == "DocVQA (val)"]
    assert {place: sample.mean for place, sample in grid.cells.items()} == {("3B", 224): 39.9, ("3B", 448): 73.6}


def test_a_value_without_split_or_metric_is_the_headline_of_the_first_one(tmp_path: Path) -> None:
    (tmp_path / "theirs.csv").write_text(CSV)
    rows = read_rows(api.import_results(tmp_path / "theirs.csv", tmp_path / "runs"))
    (row,) = [row for row in rows if row.task == "vqav2"]
    assert (row.split, row.metric, row.headline) == ("validation", "vqa_accuracy", True)


def test_shares_of_a_harness_are_brought_to_percent_and_its_tasks_to_ours(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text(json.dumps(HARNESS))
    names = {"docvqa_val": "docvqa:validation"}
    folders = api.import_results(tmp_path / "results.json", tmp_path / "runs", names=names, attributes={"size": "3B"})
    (row,) = read_rows(folders)
    assert (row.task, row.value, row.n, row.attributes) == ("docvqa", 73.5, 5349, {"size": "3B"})
    assert row.signature == "imported from results"


def imported(tmp_path: Path, name: str, content: str, **names: str) -> dict[str, float | None]:
    (tmp_path / name).write_text(content)
    named = {key.replace("__", ":"): value for key, value in names.items()}
    rows = read_rows(api.import_results(tmp_path / name, tmp_path / "runs", names=named))
    return {f"{row.task}/{row.split}": row.value for row in rows}


def test_vlmevalkits_wide_files_are_read_by_the_name_of_their_data_set(tmp_path: Path) -> None:
    """Question answering is in percent, multiple choice in shares, and POPE's "Overall" is F1."""
    vqa = '"test_human","test_augmented","Overall"\n"60.1","90.2","75.15"\n'
    assert imported(tmp_path, "Qwen_VL_ChartQA_TEST_acc.csv", vqa, ChartQA_TEST="chartqa") == {"chartqa/test": 75.15}
    choice = "split,Overall,physics\nnone,0.8125,0.5\n"
    assert imported(tmp_path, "m_AI2D_TEST_acc.csv", choice, AI2D_TEST="ai2d") == {"ai2d/test": 81.25}
    pope = "split,Overall,acc,precision,recall\nOverall,86.2,87.5,90.1,82.3\nrandom,88.0,89.0,90.0,83.0\n"
    assert imported(tmp_path, "m_POPE_score.csv", pope, POPE="pope:random") == {"pope/random": 87.5}
    assert imported(tmp_path, "m2_POPE_score.csv", pope, POPE__Overall="pope:random") == {"pope/random": 86.2}


def test_a_wide_file_without_a_name_says_how_to_give_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--name DATASET=TASK"):
        imported(tmp_path, "m_POPE_score.csv", "Overall,acc\n1,2\n", ChartQA_TEST="chartqa")


def test_imported_runs_are_reported_like_others(tmp_path: Path, evalsuite: Callable[..., Any]) -> None:
    (tmp_path / "theirs.csv").write_text(CSV)
    done = evalsuite("results", "import", "theirs.csv", "--source", "Someone 2025")
    assert done.returncode == 0, done.stderr
    runs = [line.removeprefix("written: ") for line in done.stdout.splitlines()]
    report = evalsuite("report", *runs, "--out", "out")
    assert report.returncode == 0, report.stderr
    assert "39.90" in report.stdout and (tmp_path / "out" / "scaling_curves.svg").is_file()


def test_whatever_reads_a_run_says_that_imported_values_have_no_answers(tmp_path: Path) -> None:
    (tmp_path / "theirs.csv").write_text("task,value\nvqav2,83.0\n")
    (folder,) = api.import_results(tmp_path / "theirs.csv", tmp_path / "runs")
    ours = evalsuite.run("vqav2", backend="echo", limit=2, out=tmp_path / "ours").folder
    api.write_baseline(ours, tmp_path / "baseline.json")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for read in (
        lambda: api.score(folder),
        lambda: api.compare(folder, ours),
        lambda: api.compare(ours, folder),
        lambda: api.write_baseline(folder, tmp_path / "b.json"),
        lambda: api.gate(folder, tmp_path / "baseline.json"),
        lambda: api.export_ratings(folder, tmp_path / "sheet.csv"),
        lambda: Browser.open([folder]),
        lambda: calibrate([folder], TaskRegistry()),
        lambda: evalsuite.run("vqav2", backend="echo", limit=2, out=folder),
    ):
        with pytest.raises(StoreError, match=r"holds values that were imported .* and no answers") as caught:
            read()
        assert str(caught.value).startswith(str(folder)) and "\n" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"} == {
        name: content for name, content in before.items() if name != ".lock"
    }
    assert api.report(folder).csv.is_file()


def test_imported_results_that_were_changed_are_named(tmp_path: Path) -> None:
    (tmp_path / "theirs.csv").write_text("task,value\nvqav2,83.0\n")
    (folder,) = api.import_results(tmp_path / "theirs.csv", tmp_path / "runs")
    (folder / "results.json").write_text((folder / "results.json").read_text().replace("83.0", "88.0"))
    with pytest.raises(StoreError, match=r"was changed .* bring the values in again"):
        api.report(folder)
    api.import_results(tmp_path / "theirs.csv", tmp_path / "runs")
    assert read_rows([folder])[0].value == 83.0


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("x.csv", "task,value\ndocvqa,\n", DataError, "line 2: needs task and value"),
        ("x.csv", "task,value\ndocvqa,high\n", DataError, "line 2: 'high' is not a number"),
        ("x.csv", "task,value\ndocvga,1\n", UnknownName, "Did you mean 'docvqa'"),
        ("x.csv", "task,value,metric\ndocvqa,1,cidr\n", UnknownName, "unknown metric of docvqa 'cidr'"),
        ("x.csv", "task,value,split\ndocvqa,1,dev\n", UnknownName, "unknown split of docvqa 'dev'"),
        ("x.json", '{"a": 1}', DataError, "neither an array of objects nor a results file"),
        ("x.json", json.dumps(HARNESS), UsageError, "--name THEIRS=OURS"),
        ("x.xlsx", "", UsageError, "are read from .csv, .tsv and .json"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_place(
    tmp_path: Path, name: str, content: str, error: type[EvalsuiteError], message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(error, match=message):
        api.import_results(tmp_path / name, tmp_path / "runs")
