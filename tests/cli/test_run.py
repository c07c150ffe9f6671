"""``evalsuite run`` as a user meets it: plans, results, errors and exit statuses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]
ROWS = [{"id": str(n), "question": f"say {n}", "answer": f"say {n}"} for n in range(10)]


@pytest.fixture
def arguments(own_files: Any, tmp_path: Path) -> list[str | Path]:
    own_files.write_task(tmp_path, ROWS)
    words: list[str | Path] = own_files.run_words(tmp_path, "slow", tmp_path / "out")
    return words


def test_a_run_ends_with_a_table_and_a_report(
    arguments: list[str | Path], evalsuite: Call, plug_in: Path, tmp_path: Path
) -> None:
    done = evalsuite(*arguments, path=(plug_in,))
    assert done.returncode == 0, done.stderr
    assert "100.0" in done.stdout
    assert (tmp_path / "out" / "report" / "index.html").is_file()
    assert str(tmp_path / "out" / "report" / "index.html") in done.stdout
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {
        "manifest.json",
        "predictions.sqlite",
        "results.json",
        "results.parquet",
        "report",
    }


def test_results_are_a_row_per_value_with_what_must_be_quoted(
    arguments: list[str | Path], evalsuite: Call, plug_in: Path, tmp_path: Path
) -> None:
    evalsuite(*arguments, "--set", "size=3B", "--set", "resolution=224", path=(plug_in,))
    (row,) = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (row["task"], row["metric"], row["value"], row["n"], row["errors"]) == ("own", "accuracy", 100.0, 10, 0)
    assert row["signature"].startswith("exact_match|v1|") and row["protocol"] == "paligemma" and row["headline"]
    assert row["ci_low"] == row["ci_high"] == 100.0
    assert row["attributes"] == {"size": "3B", "resolution": 224}
    import pyarrow.parquet as pq

    (same,) = pq.read_table(tmp_path / "out" / "results.parquet").to_pylist()
    assert same["value"] == 100.0 and json.loads(same["attributes"]) == row["attributes"]


def test_the_manifest_says_what_is_needed_to_repeat_the_run(
    arguments: list[str | Path], evalsuite: Call, plug_in: Path, tmp_path: Path
) -> None:
    evalsuite(*arguments, path=(plug_in,))
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["sessions"][0]["command"][1:] == [str(word) for word in arguments]
    assert manifest["models"] == {"": {"backend": "slow"}}
    assert manifest["tasks"]["own"]["spec"]["prompt"]["prefix"] == "{question}"
    assert manifest["tasks"]["own"]["data"]
    assert manifest["environment"]["packages"]["numpy"]


def test_a_dry_run_prints_the_plan_and_writes_nothing(
    arguments: list[str | Path], evalsuite: Call, plug_in: Path, tmp_path: Path
) -> None:
    done = evalsuite(*arguments, "--dry-run", path=(plug_in,))
    assert done.returncode == 0 and "Nothing was run" in done.stdout and not (tmp_path / "out").exists()
    plan = json.loads(evalsuite(*arguments, "--dry-run", "--json", "--limit", "30%", path=(plug_in,)).stdout)
    assert plan["tasks"][0]["splits"] == [{"name": "test", "total": 3, "stop": 3, "stored": 0, "errors": 0}]


def test_a_dry_run_says_what_is_stored(arguments: list[str | Path], evalsuite: Call, plug_in: Path) -> None:
    evalsuite(*arguments, "--limit", "4", path=(plug_in,))
    plan = json.loads(evalsuite(*arguments, "--dry-run", "--json", path=(plug_in,)).stdout)
    assert plan["tasks"][0]["splits"][0]["stored"] == 4


def test_without_out_the_same_command_finds_the_same_folder(
    arguments: list[str | Path], evalsuite: Call, plug_in: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        assert evalsuite(*arguments[:-2], path=(plug_in,)).returncode == 0
    (folder,) = (tmp_path / "runs").iterdir()
    assert len(json.loads((folder / "manifest.json").read_text())["sessions"]) == 2


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--tasks", "docvqq"], "unknown task 'docvqq'. Did you mean 'docvqa'?"),
        (["--tasks", "family:vqq"], "Did you mean 'family:vqa'?"),
        (["--backend", "trch"], "unknown backend 'trch'. Did you mean 'torch'?"),
        (["--data", "hubb"], "Did you mean 'hub'?"),
        (["--model", "checkpoints/{sise}"], "{sise} is not known"),
        (["--limit", "many"], "--limit many"),
        (["--max-errors", "x"], "--max-errors x"),
        (["--set", "size"], "KEY=VALUE"),
        (["--bath-size", "3"], "No such option"),
    ],
)
def test_a_wrong_word_is_named_before_anything_starts(
    arguments: list[str | Path], evalsuite: Call, plug_in: Path, tmp_path: Path, wrong: list[str], message: str
) -> None:
    done = evalsuite(*arguments, *wrong, path=(plug_in,))
    assert done.returncode == 2 and message in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_missing_data_is_named_with_the_way_out(
    arguments: list[str | Path], evalsuite: Call, plug_in: Path, tmp_path: Path
) -> None:
    (tmp_path / "data" / "own" / "test.jsonl").unlink()
    done = evalsuite(*arguments, path=(plug_in,))
    assert done.returncode == 1 and "data/own: no file of split 'test'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("budget", "status"), [("10%", 0), ("1", 0), ("0", 1), ("1%", 1)])
def test_bad_examples_count_against_the_budget(
    own_task: Callable[..., Path],
    arguments: list[str | Path],
    evalsuite: Call,
    plug_in: Path,
    tmp_path: Path,
    budget: str,
    status: int,
) -> None:
    own_task([*ROWS[:9], {"id": "9", "question": None, "answer": "x"}])
    done = evalsuite(*arguments, "--max-errors", budget, path=(plug_in,))
    assert done.returncode == status, done.stderr
    (row,) = json.loads((tmp_path / "out" / "results.json").read_text())
    assert row["errors"] == 1 and (row["partial"] == "") is (status == 0)
    if status == 0:
        assert (row["n"], row["value"]) == (10, 90.0)
    else:
        assert "test/9" in done.stderr and "--max-errors" in done.stderr


def test_a_failing_task_does_not_stop_the_others(
    arguments: list[str | Path], evalsuite: Call, plug_in: Path, tmp_path: Path
) -> None:
    spec = (tmp_path / "specs" / "own.yaml").read_text()
    (tmp_path / "specs" / "also.yaml").write_text(spec.replace("id: own\n", "id: also\n"))
    (tmp_path / "data" / "also").mkdir()
    lines = (tmp_path / "data" / "own" / "test.jsonl").read_text()
    (tmp_path / "data" / "also" / "test.jsonl").write_text(lines + "{not json\n")
    done = evalsuite(*arguments, "--tasks", "also,own", path=(plug_in,))
    assert done.returncode == 1 and "failed: also" in done.stderr and "test.jsonl:11" in done.stderr
    assert {row["task"] for row in json.loads((tmp_path / "out" / "results.json").read_text())} == {"also", "own"}


def test_ids_that_occur_twice_are_reported(
    own_task: Callable[..., Path], arguments: list[str | Path], evalsuite: Call, plug_in: Path
) -> None:
    own_task([*ROWS, ROWS[0]])
    done = evalsuite(*arguments, "--max-errors", "0", path=(plug_in,))
    assert done.returncode == 1 and "the id '0' occurs twice" in done.stderr


def test_scoring_again_gives_the_same_results_without_model_or_data(
    arguments: list[str | Path], evalsuite: Call, plug_in: Path, tmp_path: Path
) -> None:
    evalsuite(*arguments, path=(plug_in,))
    before = (tmp_path / "out" / "results.json").read_bytes()
    (tmp_path / "data" / "own" / "test.jsonl").unlink()
    assert evalsuite("score", tmp_path / "out").returncode == 0
    assert (tmp_path / "out" / "results.json").read_bytes() == before


def test_json_is_all_that_is_printed_on_standard_output(
    arguments: list[str | Path], evalsuite: Call, plug_in: Path, tmp_path: Path
) -> None:
    (row,) = json.loads(evalsuite(*arguments, "--json", path=(plug_in,)).stdout)
    assert row["task"] == "own" and row["partial"] == ""
    both = json.loads(evalsuite("score", tmp_path / "out", tmp_path / "out", "--json", "--resamples", "0").stdout)
    assert [row["task"] for row in both] == ["own", "own"] and both[0]["ci_low"] is None


def test_quiet_leaves_the_table_and_names_a_failure_once(
    own_task: Callable[..., Path], arguments: list[str | Path], evalsuite: Call, plug_in: Path
) -> None:
    done = evalsuite(*arguments, "--quiet", path=(plug_in,))
    assert done.stderr == "" and "100.0" in done.stdout
    own_task([*ROWS[:9], {"id": "9", "question": None, "answer": "x"}])
    failed = evalsuite(*arguments[:-1], "other", "--quiet", "--max-errors", "0", path=(plug_in,))
    assert failed.returncode == 1 and failed.stderr.count("of 10 examples of split test failed") == 1


def test_the_seed_of_the_synthetic_world_names_another_run(evalsuite: Call) -> None:
    command = ("run", "--backend", "echo", "--tasks", "vsr", "--limit", "2", "--dry-run", "--json", "--data-seed")
    first, second = (json.loads(evalsuite(*command, seed).stdout)["run_folder"] for seed in ("0", "1"))
    assert first != second
