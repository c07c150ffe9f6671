"""A run that is killed, at whatever moment, ends the same when the same command is given again."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Start = Callable[..., subprocess.Popen[str]]
Call = Callable[..., subprocess.CompletedProcess[str]]
ROWS = [{"id": str(n), "question": f"say {n}", "answer": f"say {n if n % 3 else 0}"} for n in range(60)]


@pytest.fixture
def command(own_files: Any, tmp_path: Path) -> Callable[[str], list[str | Path]]:
    own_files.write_task(tmp_path, ROWS)

    def build(out: str) -> list[str | Path]:
        words: list[str | Path] = own_files.run_words(tmp_path, "slow", tmp_path / out, "--quiet")
        return words

    return build


def rows_stored(folder: Path) -> list[tuple[Any, ...]]:
    # Read-only: looking must not make an empty file where the store is about to be.
    place = f"file:{folder / 'predictions.sqlite'}?mode=ro"
    with contextlib.closing(sqlite3.connect(place, uri=True)) as db:
        return db.execute("SELECT task, split, position, id, prompt, text, error, target FROM predictions").fetchall()


def count_stored(folder: Path) -> int:
    try:
        return len(rows_stored(folder))
    except sqlite3.Error:
        return 0


def results(folder: Path) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((folder / "results.json").read_text())
    return [{name: value for name, value in row.items() if name != "run"} for row in rows]


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 60
    while not condition() and process.poll() is None:
        assert time.monotonic() < deadline, "the run made no progress"
        time.sleep(0.005)


@pytest.mark.parametrize("moments", [[1], [0, 17], [8, 40, 56]])
def test_killing_and_repeating_gives_the_result_of_an_uninterrupted_run(
    command: Callable[[str], list[str | Path]],
    start: Start,
    evalsuite: Call,
    plug_in: Path,
    tmp_path: Path,
    moments: list[int],
) -> None:
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert evalsuite(*command("whole"), path=(plug_in,)).returncode == 0
    for moment in moments:
        process = start(*command("killed"), path=(plug_in,), SECONDS="0.05")
        wait_until(lambda moment=moment: count_stored(killed) >= moment, process)  # type: ignore[misc]
        before = count_stored(killed)
        process.kill()
        process.communicate()
        after = count_stored(killed)
        assert after >= before, "something that was stored is lost"
    done = evalsuite(*command("killed"), path=(plug_in,))
    assert done.returncode == 0, done.stderr
    assert rows_stored(killed) == rows_stored(whole)
    assert results(killed) == results(whole)


def test_what_is_stored_is_not_asked_again(
    command: Callable[[str], list[str | Path]], evalsuite: Call, plug_in: Path, tmp_path: Path
) -> None:
    assert evalsuite(*command("out"), path=(plug_in,)).returncode == 0
    assert evalsuite(*command("out"), path=(plug_in,)).returncode == 0
    sessions = json.loads((tmp_path / "out" / "manifest.json").read_text())["sessions"]
    assert [session["answered"] for session in sessions] == [60, 0]


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_cleanly_and_says_how_to_go_on(
    command: Callable[[str], list[str | Path]],
    start: Start,
    evalsuite: Call,
    plug_in: Path,
    tmp_path: Path,
    how: signal.Signals,
) -> None:
    process = start(*command("out"), path=(plug_in,), SECONDS="0.2")
    wait_until(lambda: count_stored(tmp_path / "out") >= 4, process)
    process.send_signal(how)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Give the same command again to resume" in errors and "Traceback" not in errors
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["sessions"][-1]["status"] == "interrupted"
    assert evalsuite(*command("out"), path=(plug_in,)).returncode == 0
    assert len(rows_stored(tmp_path / "out")) == 60


def test_a_second_interrupt_ends_a_run_that_hangs(
    command: Callable[[str], list[str | Path]], start: Start, evalsuite: Call, plug_in: Path, tmp_path: Path
) -> None:
    process = start(*command("out"), path=(plug_in,), HANG_AT="9")
    wait_until(lambda: (tmp_path / "hanging").exists(), process)
    process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        process.communicate(timeout=0.5)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and "interrupted twice" in errors
    assert evalsuite(*command("out"), path=(plug_in,)).returncode == 0
    assert len(rows_stored(tmp_path / "out")) == 60


def test_damaged_rows_are_named_refused_by_score_and_made_again_by_run(
    command: Callable[[str], list[str | Path]], evalsuite: Call, plug_in: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert evalsuite(*command("out"), path=(plug_in,)).returncode == 0
    before = rows_stored(out)
    with sqlite3.connect(out / "predictions.sqlite") as db:
        db.execute("UPDATE predictions SET text = 'changed by hand' WHERE id = '7'")
    scored = evalsuite("score", out)
    assert scored.returncode == 1 and "own/test/7 is damaged" in scored.stderr
    again = evalsuite(*command("out"), path=(plug_in,))
    assert again.returncode == 0 and "1 damaged rows are made again: own/test/7" in again.stderr
    assert rows_stored(out) == before


def test_a_store_that_is_no_database_stops_the_run_with_a_way_out(
    command: Callable[[str], list[str | Path]], evalsuite: Call, plug_in: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "predictions.sqlite").write_bytes(b"garbage" * 1000)
    done = evalsuite(*command("out"), path=(plug_in,))
    assert done.returncode == 1 and "Move the file away" in done.stderr and "Traceback" not in done.stderr


def test_another_data_set_in_the_same_folder_is_refused(
    command: Callable[[str], list[str | Path]], own_task: Callable[..., Path], evalsuite: Call, plug_in: Path
) -> None:
    assert evalsuite(*command("out"), path=(plug_in,)).returncode == 0
    own_task([*ROWS, {"id": "x", "question": "more", "answer": "more"}])
    done = evalsuite(*command("out"), path=(plug_in,))
    assert done.returncode == 1 and "the data of task own changed" in done.stderr
