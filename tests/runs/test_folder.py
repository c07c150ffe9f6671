"""Run folders: names, locks, files that are whole or absent."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from evalsuite.errors import Caution, StoreError
from evalsuite.files.writing import write_atomically, write_json
from evalsuite.runs.failures import describe_failure
from evalsuite.runs.folder import LOG, MANIFEST, run_name
from evalsuite.runs.lock import is_locked, locked, unchanging
from evalsuite.runs.manifest import read_manifest


def test_equal_commands_give_equal_names_and_others_do_not() -> None:
    parts = {"backend": "torch", "model": "a/b", "tasks": "all"}
    assert run_name(parts) == run_name(dict(reversed(parts.items())))
    assert run_name(parts) != run_name({**parts, "limit": "8"})


def test_a_name_is_one_plain_folder_whatever_the_model_is_called() -> None:
    name = run_name({"backend": "torch", "model": "../../etc/{transfer}", "tasks": "a,b"})
    assert "/" not in name and not name.startswith(".")


def test_a_second_process_is_told_who_holds_the_folder_and_a_dead_one_holds_nothing(
    tmp_path: Path, hold: Callable[..., int]
) -> None:
    holder = hold(tmp_path)
    with pytest.raises(StoreError, match=f"in use by process {holder}"), locked(tmp_path):
        pass
    with pytest.raises(StoreError, match="a run goes on there, which scores"), locked(tmp_path, "score"):
        pass
    os.kill(holder, signal.SIGKILL)
    os.waitpid(holder, 0)
    with locked(tmp_path):
        pass


def test_short_work_is_waited_for_and_its_holder_named(tmp_path: Path, hold: Callable[..., int]) -> None:
    holder = hold(tmp_path, "score", 0.8)
    waiting = pytest.warns(Caution, match=rf"process {holder} on .* \(evalsuite score\), which is waited for")
    with waiting, locked(tmp_path, "report"):
        assert is_locked(tmp_path)
    assert not is_locked(tmp_path)


def test_a_holder_may_take_the_folder_again_and_another_thread_may_not(tmp_path: Path) -> None:
    taken = pytest.raises(StoreError, match=f"in use by process {os.getpid()}")
    with locked(tmp_path), locked(tmp_path / "x" / ".."), ThreadPoolExecutor(1) as pool, taken:
        pool.submit(locked(tmp_path).__enter__).result()
    assert not is_locked(tmp_path)


def test_a_folder_that_is_no_run_is_not_locked_for_work_on_one(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a run folder"), locked(tmp_path, "score", make=False):
        pass
    assert os.listdir(tmp_path) == []


def test_reading_that_lasts_needs_no_lock_where_nobody_can_write(
    tmp_path: Path, hold: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with unchanging(tmp_path, "baseline"):
        assert os.listdir(tmp_path) == []
    hold(tmp_path)
    with pytest.raises(StoreError, match="another process writes into it"), unchanging(tmp_path, "baseline"):
        pass


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="choose another --out"), locked(tmp_path / "file" / "run"):
        pass


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    write_atomically(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomically(path, "\ud800")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["manifest.json"]


def test_a_file_that_cannot_be_replaced_is_named(tmp_path: Path) -> None:
    (tmp_path / "manifest.json" / "in the way").mkdir(parents=True)
    with pytest.raises(StoreError, match=r"manifest.json: cannot be written"):
        write_atomically(tmp_path / "manifest.json", "new")
    assert os.listdir(tmp_path) == ["manifest.json"]


def test_json_keeps_bytes_of_a_path_that_are_no_text(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"command": "out\udcff 🙂"})
    assert json.loads((tmp_path / "a.json").read_text()) == {"command": "out\udcff 🙂"}


def test_an_error_of_ours_is_its_message_and_another_one_leaves_its_traceback(tmp_path: Path) -> None:
    assert describe_failure(tmp_path, "own", StoreError("torn")) == "torn"
    assert not (tmp_path / LOG).exists()
    assert describe_failure(tmp_path, "own", KeyError("x")) == f"KeyError: 'x' (traceback in {tmp_path / LOG})"
    assert "own" in (tmp_path / LOG).read_text()
    assert describe_failure(tmp_path / "absent", "own", KeyError("x")) == "KeyError: 'x'"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{torn", "cannot be read"),
        ("[]", "another version"),
        ('{"manifest_version": 99}', "another version"),
        ('{"manifest_version": 1, "run": {}}', "has no 'tasks'"),
    ],
)
def test_a_manifest_that_cannot_be_trusted_is_refused(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(StoreError, match=message):
        read_manifest(tmp_path)


def test_a_folder_without_manifest_is_no_run_folder(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not a run folder"):
        read_manifest(tmp_path)


def test_no_temporary_files_stay(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": 1})
    assert os.listdir(tmp_path) == ["a.json"]


def test_what_a_killed_process_was_writing_is_removed_by_the_next_one_that_writes_the_file(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    here = os.uname().nodename
    theirs = [f".a.json.{ended.pid}@elsewhere.tmp", f".b.json.{ended.pid}@{here}.tmp", f".a.json.1@{here}.tmp"]
    for name in (*theirs, f".a.json.{ended.pid}@{here}.tmp"):
        (tmp_path / name).write_text("[")
    write_json(tmp_path / "a.json", 1)
    assert sorted(os.listdir(tmp_path)) == sorted([*theirs, "a.json"])
