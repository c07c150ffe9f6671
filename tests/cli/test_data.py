"""``evalsuite data`` as a user meets it, and runs that are held to a lock file."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]
ROWS = [{"id": str(n), "question": f"say {n}", "answer": f"say {n}"} for n in range(10)]


@pytest.fixture
def files(own_task: Callable[..., Path], tmp_path: Path) -> list[str | Path]:
    """Options that make the task ``own`` with ten local records known."""
    return ["--specs", own_task(ROWS), "--data", "files", "--data-dir", tmp_path / "data"]


def change_data(tmp_path: Path) -> None:
    path = tmp_path / "data" / "own" / "test.jsonl"
    path.write_text(path.read_text().replace("say 7", "say seven"))


def test_check_prints_columns_examples_and_that_all_is_well(files: list[str | Path], evalsuite: Call) -> None:
    done = evalsuite("data", "check", "own", *files)
    assert done.returncode == 0, done.stderr
    for line in ("own (files)", "split test: 10 examples", "question: text (needed)", "prompt      say 9"):
        assert line in done.stdout
    assert "no problem found" in done.stdout


def test_check_fails_for_what_would_stop_a_run(files: list[str | Path], evalsuite: Call, tmp_path: Path) -> None:
    path = tmp_path / "data" / "own" / "test.jsonl"
    path.write_text(path.read_text().replace('"answer"', '"answers"'))
    done = evalsuite("data", "check", "own", *files, "--json")
    (found,) = json.loads(done.stdout)
    assert done.returncode == 1 and not found["ok"]
    assert found["problems"][0]["message"].endswith("Did you mean 'answers'?")


def test_check_writes_a_page(files: list[str | Path], evalsuite: Call, tmp_path: Path) -> None:
    evalsuite("data", "check", "own", *files, "--html", "check.html")
    assert "Data check: own" in (tmp_path / "check.html").read_text()


def test_check_without_a_connection_is_one_clear_error(evalsuite: Call) -> None:
    done = evalsuite("data", "check", "docvqa", "--data", "hub")
    assert done.returncode == 1
    assert done.stdout.count("error:") == 1 and "hf download lmms-lab-encoder/DocVQA" in done.stdout


def test_preview_writes_a_page_named_after_the_task(evalsuite: Call, tmp_path: Path) -> None:
    done = evalsuite("data", "preview", "vqav2", "--count", "2")
    assert done.returncode == 0 and done.stdout == "page: vqav2-synthetic.html\n"
    assert (tmp_path / "vqav2-synthetic.html").read_text().count("<article") == 2


def test_lock_writes_a_file_that_check_then_finds_true(
    files: list[str | Path], evalsuite: Call, tmp_path: Path
) -> None:
    done = evalsuite("data", "lock", *files)
    assert done.returncode == 0 and "own  test  10  test.jsonl" in done.stdout, done.stderr
    assert list(json.loads((tmp_path / "evalsuite.lock.json").read_text())["tasks"]) == ["own"]
    again = evalsuite("data", "lock", *files, "--check")
    assert again.returncode == 0 and "nothing differs" in again.stdout


def test_check_of_a_lock_says_what_differs(files: list[str | Path], evalsuite: Call, tmp_path: Path) -> None:
    evalsuite("data", "lock", *files)
    before = (tmp_path / "evalsuite.lock.json").read_bytes()
    change_data(tmp_path)
    done = evalsuite("data", "lock", *files, "--check")
    assert done.returncode == 1
    assert "own: split test: file test.jsonl changed" in done.stderr
    assert "own: split test: ids, prompts or references differ" in done.stderr
    assert (tmp_path / "evalsuite.lock.json").read_bytes() == before


def test_a_task_that_cannot_be_read_does_not_cost_the_others(
    files: list[str | Path], evalsuite: Call, tmp_path: Path
) -> None:
    evalsuite("data", "lock", "own", *files)
    done = evalsuite("data", "lock", "docvqa", "--data", "hub")
    assert done.returncode == 1 and "failed: docvqa: lmms-lab-encoder/DocVQA" in done.stderr
    assert list(json.loads((tmp_path / "evalsuite.lock.json").read_text())["tasks"]) == ["own"]


def test_synthetic_data_need_no_lock(evalsuite: Call) -> None:
    done = evalsuite("data", "lock", "docvqa", "--data", "synthetic")
    assert done.returncode == 2 and "follow from their seed" in done.stderr


def test_a_run_is_held_to_its_lock(files: list[str | Path], evalsuite: Call, tmp_path: Path) -> None:
    run = ["run", "--backend", "echo", "--tasks", "own", *files, "--lock", "evalsuite.lock.json", "--quiet"]
    assert "no such lock file" in evalsuite(*run).stderr
    evalsuite("data", "lock", *files)
    assert evalsuite(*run).returncode == 0
    change_data(tmp_path)
    done = evalsuite(*run, "--out", "other")
    assert done.returncode == 1 and "not the data of the lock file: file test.jsonl changed" in done.stderr
    assert "evalsuite data lock own --data files" in done.stderr


def test_a_lock_is_refused_for_synthetic_data(evalsuite: Call) -> None:
    done = evalsuite("run", "--backend", "echo", "--tasks", "vqav2", "--lock", "x.json")
    assert done.returncode == 2 and "--lock is for --data hub or files" in done.stderr


def test_mistyped_words_get_suggestions(evalsuite: Call) -> None:
    assert "Did you mean 'preview'?" in evalsuite("data", "previw").stderr
    assert "Did you mean 'files'?" in evalsuite("data", "check", "vqav2", "--data", "file").stderr
    assert "--data files needs --data-dir" in evalsuite("data", "preview", "vqav2", "--data", "files").stderr
