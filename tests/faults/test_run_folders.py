"""Run folders that were torn, damaged, copied, shared, or written by another version."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evalsuite import api
from evalsuite.errors import StoreError
from evalsuite.runs.manifest import read_manifest, write_manifest
from evalsuite.runs.results import read_results
from evalsuite.viewer.browsing import Browser

Begin = Callable[..., subprocess.Popen[str]]
Run = Callable[..., subprocess.CompletedProcess[str]]
Copy = Callable[[str], Path]


def test_a_store_that_was_cut_off_anywhere_is_refused_or_made_again_and_never_misread(
    world: Any, run: Run, copy: Copy
) -> None:
    size = (world.whole / "predictions.sqlite").stat().st_size
    for share in (0.0, 0.5, 0.99):
        out = copy(f"cut-{share}")
        os.truncate(out / "predictions.sqlite", int(share * size))
        done = run(out)
        refused = done.returncode == 1 and "Move the file away" in done.stderr
        assert refused or world.stored(out) == world.stored(world.whole), share
        assert "Traceback" not in done.stderr
        for path in out.glob("predictions.sqlite*"):
            path.unlink()
        assert run(out).returncode == 0, "the way out that was named"
        assert world.is_finished(out)


def test_a_page_of_the_store_that_is_garbage_stops_run_and_score_with_a_sentence(
    run: Run, evalsuite: Run, copy: Copy
) -> None:
    out = copy("out")
    with open(out / "predictions.sqlite", "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        for page in range(2 * 4096, size, 4096):
            file.seek(page)
            file.write(b"\xff" * 64)
    for done in (run(out), evalsuite("score", out)):
        assert done.returncode == 1 and "cannot be read as a store" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["results.json", "results.parquet", "report/index.html"])
def test_a_torn_export_is_written_again(world: Any, run: Run, copy: Copy, name: str) -> None:
    out = copy("out")
    os.truncate(out / name, 10)
    assert run(out).returncode == 0
    assert world.is_finished(out) and (out / name).stat().st_size > 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[: len(text) // 2], "cannot be read"),
        (lambda text: text.replace('"manifest_version": 1', '"manifest_version": 0'), "another version of evalsuite"),
        (lambda text: text.replace('"stops"', '"ends"'), "has no 'tasks.own.stops'"),
        (lambda text: text.replace('"attributes"', '"traits"'), "has no 'run.attributes'"),
    ],
)
def test_a_manifest_that_is_torn_or_of_another_version_is_refused_by_every_verb(
    run: Run, evalsuite: Run, copy: Copy, change: Callable[[str], str], message: str
) -> None:
    out = copy("out")
    (out / "manifest.json").write_text(change((out / "manifest.json").read_text()))
    before = sorted((path.name, path.read_bytes()) for path in out.iterdir() if path.is_file() and path.name != ".lock")
    for done in (run(out), evalsuite("score", out)):
        assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr
    after = sorted((path.name, path.read_bytes()) for path in out.iterdir() if path.is_file() and path.name != ".lock")
    assert after == before, "a folder that is refused is left as it is"


def test_a_store_of_an_older_version_is_refused(run: Run, copy: Copy) -> None:
    out = copy("out")
    with sqlite3.connect(out / "predictions.sqlite") as db:
        db.execute("UPDATE format SET version = 0")
    done = run(out)
    assert done.returncode == 1 and "written in store format 0" in done.stderr


def test_a_clock_that_went_back_changes_nothing(world: Any, run: Run, copy: Copy) -> None:
    out = copy("out")
    manifest = read_manifest(out)
    manifest["created"] = manifest["sessions"][0]["started"] = "2999-01-01T00:00:00+00:00"
    write_manifest(out, manifest)
    with sqlite3.connect(out / "predictions.sqlite") as db:
        db.execute("DELETE FROM predictions WHERE position >= 30")
    for path in (out, *out.iterdir()):
        os.utime(path, (32503680000, 32503680000))  # the year 3000
    assert run(out).returncode == 0
    assert world.is_finished(out)


def test_a_copied_folder_of_a_killed_run_is_scored_finished_and_reported_where_it_is(
    world: Any, begin: Begin, run: Run, evalsuite: Run, tmp_path: Path
) -> None:
    killed = tmp_path / "killed"
    process = begin(killed, lambda: len(world.stored(killed)) >= 20, SECONDS="0.02")
    process.kill()
    process.communicate()
    copied = Path(shutil.copytree(killed, tmp_path / "copied"))
    shutil.rmtree(killed)
    assert evalsuite("score", copied, "--specs", world.folder / "specs").returncode == 0
    assert 20 <= world.results(copied)[0]["n"] < 60 and world.results(copied)[0]["partial"] == "the run was interrupted"
    assert run(copied).returncode == 0
    assert world.is_finished(copied)


def test_two_scorings_at_once_leave_the_results_of_one(world: Any, start: Begin, copy: Copy) -> None:
    out = copy("out")
    words = [("score", out, "--specs", world.specs, "--resamples", str(number)) for number in (5, 500)]
    for process in [start(*each) for each in words]:
        _, complaint = process.communicate()
        assert process.returncode == 0, complaint
    rows, table = json.loads(read_results(out)), pq.read_table(out / "results.parquet").to_pylist()
    assert [row["ci_low"] for row in rows] == [row["ci_low"] for row in table]
    assert len(read_manifest(out)["results"]) == 1


def test_a_run_that_goes_on_is_not_called_interrupted(world: Any, begin: Begin, tmp_path: Path) -> None:
    out, baseline = tmp_path / "out", tmp_path / "b.json"
    process = begin(out, lambda: len(world.stored(out)) >= 4, SECONDS="3")
    for work in (lambda: api.score(out), lambda: api.report(out), lambda: api.write_baseline(out, baseline)):
        with pytest.raises(StoreError, match=rf"in use by process {process.pid} on .* a run goes on there") as caught:
            work()
        assert "interrupted" not in str(caught.value)
    assert not baseline.exists() and not (out / "results.json").exists()
    assert api.compare(out, world.whole)[0].found is not None, "looking needs no lock"
    process.kill()
    process.communicate()
    assert api.score(out).notes == ["own is not complete: the run was interrupted"]
    assert "its last session was killed" in api.report(out).markdown.read_text()


def test_a_report_makes_damaged_results_again_and_says_so(world: Any, evalsuite: Run, copy: Copy) -> None:
    out = copy("out")
    whole = (out / "results.json").read_bytes()
    (out / "results.json").write_bytes(whole[:90] + bytes([whole[90] ^ 4]) + whole[91:])
    done = evalsuite("report", out)
    assert done.returncode == 0 and f"note: {out / 'results.json'}: was changed or damaged" in done.stderr
    assert (out / "results.json").read_bytes() == whole and world.is_finished(out)


def test_a_changed_manifest_is_named_by_every_verb_that_reads_a_run(run: Run, copy: Copy) -> None:
    out = copy("out")
    text = (out / "manifest.json").read_text()
    (out / "manifest.json").write_text(text.replace('"protocol": "paligemma"', '"protocol": "official"', 1))
    for read in (
        lambda: api.score(out),
        lambda: api.report(out),
        lambda: api.compare(out, out),
        lambda: api.write_baseline(out, out / "b.json"),
        lambda: api.export_ratings(out, out / "sheet.csv"),
        lambda: Browser.open([out]),
    ):
        with pytest.raises(StoreError, match=r"manifest\.json: was changed or damaged after it was written"):
            read()
    done = run(out)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "manifest.json: was changed or damaged" in done.stderr


def test_of_two_processes_the_second_says_who_holds_the_folder_and_a_stale_lock_heals(
    world: Any, begin: Begin, run: Run, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    process = begin(out, lambda: len(world.stored(out)) >= 4, SECONDS="0.3")
    second = run(out)
    assert second.returncode == 1 and f"in use by process {process.pid} on {os.uname().nodename}" in second.stderr
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (out / ".lock").read_text().startswith("process")
    assert run(out).returncode == 0 and world.is_finished(out)


def test_files_that_a_killed_process_was_writing_are_removed_and_those_of_a_living_one_are_not(
    evalsuite: Run, copy: Copy
) -> None:
    out = copy("out")
    ended = subprocess.Popen(["true"])
    ended.wait()
    here = os.uname().nodename
    for process in (ended.pid, os.getpid()):
        (out / f".results.json.{process}@{here}.tmp").write_text("[")
    (out / f".results.json.{ended.pid}@elsewhere.tmp").write_text("[")
    (out / "report" / f".index.html.{ended.pid}@{here}.tmp").write_text("<")
    assert evalsuite("report", out).returncode == 0
    left = {path.name for path in out.rglob(".*.tmp")}
    assert left == {f".results.json.{os.getpid()}@{here}.tmp", f".results.json.{ended.pid}@elsewhere.tmp"}
