"""``warning:`` lines: of which values more than five percent of the answers were no proper ones."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from evalsuite.runs.store import PredictionStore
from evalsuite.types import ExampleKey, Prediction

Call = Callable[..., subprocess.CompletedProcess[str]]
QUESTIONS = 20
EMPTY = "warning: own, test: 50.0% of the answers (10 of 20) are empty. Usual causes:"


@pytest.fixture
def replay(evalsuite: Call, own_files: Any, tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """``replay("out", answers)``: a run of yes/no questions, all of which are to be answered with yes."""

    def call(out: str, answers: Sequence[str], *more: str) -> subprocess.CompletedProcess[str]:
        rows = [{"id": str(n), "question": "?", "answer": "yes"} for n in range(QUESTIONS)]
        own_files.write_task(tmp_path, rows, metrics=[{"name": "yes_no", "headline": True}])
        lines = [{"id": str(n), "prediction": text} for n, text in enumerate(answers)]
        (tmp_path / f"{out}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        words = own_files.run_words(tmp_path, "replay", tmp_path / out, "--predictions", tmp_path / f"{out}.jsonl")
        return evalsuite(*words, "--quiet", *more)

    return call


def warnings(done: subprocess.CompletedProcess[str]) -> list[str]:
    return [line for line in done.stderr.splitlines() if line.startswith("warning: ")]


def test_half_of_the_answers_are_empty_and_some_cannot_be_read(replay: Call, evalsuite: Call, tmp_path: Path) -> None:
    done = replay("bad", [""] * 10 + ["Yes."] * 4 + ["yes"] * 6)
    assert done.returncode == 0 and "30.00" in done.stdout and "50.0%" in done.stdout and "20.0%" in done.stdout
    unread, empty = warnings(done)
    assert empty.startswith(EMPTY)
    assert unread.startswith("warning: own, test: 20.0% of the answers (4 of 20) could not be read in full by yes_no.")

    told = evalsuite("report", tmp_path / "bad", "--json")
    assert warnings(told) == [unread, empty]
    row = json.loads(told.stdout)[0]
    assert (row["unread"], row["empty"], row["cut"]) == (4, 10, None)

    done = replay("good", ["yes"] * QUESTIONS)
    assert warnings(done) == [] and "Empty" not in done.stdout
    compared = evalsuite("compare", tmp_path / "bad", tmp_path / "good", "--specs", tmp_path / "specs")
    assert "30.00†" in compared.stdout and "100.00†" not in compared.stdout
    note = "† own, test: of the answers of bad 20.0% could not be read in full by the metric's rule, 50.0% are empty."
    assert note in compared.stdout
    assert any(line.startswith("warning: own, bad, test: 50.0% of the answers") for line in warnings(compared))
    evalsuite("baseline", tmp_path / "good", "--out", tmp_path / "baseline.json", "--specs", tmp_path / "specs")
    gate = evalsuite(
        "gate", tmp_path / "bad", "--baseline", tmp_path / "baseline.json", "--json", tmp_path / "gate.json"
    )
    assert gate.returncode == 1 and any(line.startswith(EMPTY) for line in warnings(gate))
    (verdict,) = json.loads((tmp_path / "gate.json").read_text())["splits"]
    assert (verdict["unread"], verdict["empty"], verdict["cut"], verdict["n"]) == (4, 10, None, QUESTIONS)
    assert verdict["reason"].endswith(
        "; of the run's answers 20.0% could not be read in full by the metric's rule, 50.0% are empty"
    )


def test_one_of_twenty_is_shown_and_no_warning(replay: Call) -> None:
    done = replay("out", ["", *["yes"] * 19])
    assert "Empty" in done.stdout and "5.0%" in done.stdout and warnings(done) == []


def test_cut_answers_of_a_stored_run_are_told_when_it_is_scored(replay: Call, evalsuite: Call, tmp_path: Path) -> None:
    replay("out", ["yes"] * QUESTIONS)
    (tmp_path / "out" / "predictions.sqlite").unlink()
    with PredictionStore(tmp_path / "out" / "predictions.sqlite") as store:
        ended = ["length" if n < 3 else "filter" if n < 5 else "end" for n in range(QUESTIONS)]
        for n, why in enumerate(ended):
            key = ExampleKey("own", "test", str(n))
            store.add([Prediction(key, n, "?", "yes", ["yes"], details={"ended": why})])
    done = evalsuite("score", tmp_path / "out", "--specs", tmp_path / "specs")
    assert [line.split(". ")[0] for line in warnings(done)] == [
        "warning: own, test: 15.0% of the answers (3 of 20) were cut at the token limit",
        "warning: own, test: 10.0% of the answers (2 of 20) were withheld by a filter of the server",
    ]
    assert "100.00" in done.stdout and "15.0%" in done.stdout and "Withheld" in done.stdout


def test_a_study_says_it_of_its_cells(replay: Call, evalsuite: Call, tmp_path: Path) -> None:
    replay("out", [""] * QUESTIONS)
    study = {
        "name": "small",
        "backend": "echo",
        "options": {"answer": "{answer}"},
        "tasks": "own",
        "data": "files",
        "data_dir": str(tmp_path / "data"),
        "axes": {"answer": ["yes", "maybe"]},
    }
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study))
    done = evalsuite("study", "run", tmp_path / "study.yaml", "--specs", tmp_path / "specs", "--quiet")
    (warning,) = warnings(done)
    assert warning.startswith("warning: own, answer=maybe, test: 100.0% of the answers (20 of 20) could not be read")
    assert warnings(evalsuite("study", "status", tmp_path / "study.yaml")) == [warning]
