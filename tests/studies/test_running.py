"""Studies that run: cells, resuming, failures, selection on validation."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from evalsuite.runs.lock import locked
from evalsuite.studies.running import DONE, FAILED, NOT_STARTED, RUNNING, read_study, run_study, study_states
from evalsuite.studies.spec import StudySpec

QUESTIONS = 10


@pytest.fixture
def task(own_task: Callable[..., Path], tmp_path: Path) -> Path:
    """The task ``own`` with the splits test and val: ten questions each, whose answers are given by files."""
    rows = [{"id": str(n), "question": f"q{n}", "answer": [f"a{n}"]} for n in range(QUESTIONS)]
    specs = own_task(rows, splits=[{"name": "test"}, {"name": "val", "role": "selection"}])
    (tmp_path / "data" / "own" / "val.jsonl").write_bytes((tmp_path / "data" / "own" / "test.jsonl").read_bytes())
    return specs


@pytest.fixture
def answers(tmp_path: Path) -> Callable[..., None]:
    """``answers(right, rate=..., seed=..., split=...)``: a file in which so many answers are right."""

    def write(right: int, split: str = "test", **attributes: Any) -> None:
        name = "-".join([split, *(f"{value}" for value in attributes.values())])
        lines = [{"id": str(n), "text": f"a{n}" if n < right else "no"} for n in range(QUESTIONS)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

    return write


def given(tmp_path: Path, **changes: Any) -> dict[str, Any]:
    small = {
        "name": "small",
        "backend": "replay",
        "options": {"predictions": str(tmp_path / "{split}-{rate}-{seed}.jsonl")},
        "tasks": "own",
        "data": "files",
        "data_dir": str(tmp_path / "data"),
        "axes": {"rate": ["low", "high"], "seed": [0, 1]},
    }
    return {**small, **changes}


def study(tmp_path: Path, **changes: Any) -> StudySpec:
    return StudySpec.model_validate(given(tmp_path, **changes))


def value(tmp_path: Path, cell: str, split: str = "test") -> float | None:
    rows = json.loads((tmp_path / "study" / cell / "results.json").read_text())
    return next((row["value"] for row in rows if row["split"] == split), None)


def test_every_cell_is_a_run_of_its_own(task: Path, answers: Callable[..., None], tmp_path: Path) -> None:
    for rate, right in (("low", 4), ("high", 7)):
        for seed in (0, 1):
            answers(right + seed, rate=rate, seed=seed)
    states = run_study(study(tmp_path), tmp_path / "study", specs=[task])
    assert [state.state for state in states] == [DONE] * 4
    assert value(tmp_path, "rate=low,seed=0") == 40 and value(tmp_path, "rate=high,seed=1") == 80
    assert read_study(tmp_path / "study")["cells"][0]["folder"] == "rate=low,seed=0"


def test_a_cell_that_fails_stops_no_other_and_is_tried_again(
    task: Path, answers: Callable[..., None], tmp_path: Path
) -> None:
    for seed in (0, 1):
        answers(5, rate="high", seed=seed)
    answers(5, rate="low", seed=1)
    spec = study(tmp_path)
    states = run_study(spec, tmp_path / "study", specs=[task])
    assert [state.state for state in states] == [FAILED, DONE, DONE, DONE]
    assert "no such file of predictions" in states[0].message
    answers(5, rate="low", seed=0)
    assert {state.state for state in run_study(spec, tmp_path / "study", specs=[task])} == {DONE}


def test_the_state_of_each_cell_is_read_from_its_folder(
    task: Path, answers: Callable[..., None], tmp_path: Path
) -> None:
    spec = study(tmp_path, axes={"rate": ["low"], "seed": [0, 1]})
    assert [state.state for state in study_states(spec, tmp_path / "study")] == [NOT_STARTED] * 2
    for seed in (0, 1):
        answers(5, rate="low", seed=seed)
    run_study(spec, tmp_path / "study", specs=[task])
    with locked(tmp_path / "study" / "rate=low,seed=1"):
        assert [state.state for state in study_states(spec, tmp_path / "study")] == [DONE, RUNNING]


def test_the_best_value_on_validation_is_the_one_reported(
    task: Path, answers: Callable[..., None], tmp_path: Path
) -> None:
    """``high`` wins on val and is worse on test: test values of ``low`` must not even exist."""
    for seed in (0, 1):
        answers(4, "val", rate="low", seed=seed)
        answers(6 + seed, "val", rate="high", seed=seed)
        answers(9, rate="low", seed=seed)
        answers(5, rate="high", seed=seed)
    spec = study(tmp_path, select={"axis": "rate", "splits": ["val"]})
    states = run_study(spec, tmp_path / "study", specs=[task])
    assert {state.state for state in states} == {DONE}
    assert [value(tmp_path, f"rate=high,seed={seed}") for seed in (0, 1)] == [50, 50]
    assert value(tmp_path, "rate=low,seed=0") is None and value(tmp_path, "rate=low,seed=0", "val") == 40
    (choice,) = read_study(tmp_path / "study")["choices"]
    assert choice == {"task": "own", "place": {}, "value": "high", "values": {"low": 40.0, "high": 65.0}}


def test_a_value_may_be_chosen_for_each_cell_of_another_axis(
    task: Path, answers: Callable[..., None], tmp_path: Path
) -> None:
    best = {0: "low", 1: "high"}
    for seed in (0, 1):
        for rate in ("low", "high"):
            answers(8 if best[seed] == rate else 3, "val", rate=rate, seed=seed)
            answers(5, rate=rate, seed=seed)
    spec = study(tmp_path, select={"axis": "rate", "splits": ["val"], "per": ["seed"]})
    run_study(spec, tmp_path / "study", specs=[task])
    found = {choice["place"]["seed"]: choice["value"] for choice in read_study(tmp_path / "study")["choices"]}
    assert found == best


def test_the_commands_run_show_and_resume(
    task: Path, answers: Callable[..., None], tmp_path: Path, evalsuite: Callable[..., Any]
) -> None:
    for rate in ("low", "high"):
        for seed in (0, 1):
            answers(5, rate=rate, seed=seed)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(given(tmp_path)))
    before = evalsuite("study", "status", "small.yaml")
    assert before.returncode == 0 and "4 not started" in before.stdout
    done = evalsuite("study", "run", "small.yaml", "--specs", task, "--quiet")
    assert done.returncode == 0, done.stderr
    assert "4 done" in done.stdout and (tmp_path / "studies" / "small" / "study.json").is_file()
    states = json.loads(evalsuite("study", "status", "small.yaml", "--json").stdout)
    assert {state["state"] for state in states} == {DONE}
    assert evalsuite("study", "run", "small.yaml", "--specs", task, "--quiet").returncode == 0
