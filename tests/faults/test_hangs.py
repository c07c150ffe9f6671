"""Decoders and scoring processes that hang or die, batches that do not fit: one example is lost, with its reason."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from evalsuite.runs.manifest import read_manifest, write_manifest

Begin = Callable[..., subprocess.Popen[str]]
Run = Callable[..., subprocess.CompletedProcess[str]]

METRIC = '''
"""Whether prediction and reference are equal; some predictions end or hang the process that scores them."""
import os, signal, time
from dataclasses import dataclass
from typing import ClassVar
from evalsuite.metrics import MeanMetric, Value

@dataclass(frozen=True)
class Deadly(MeanMetric):
    name: ClassVar[str] = "deadly"
    values: ClassVar = (Value("deadly"),)
    heavy: ClassVar[bool] = True

    def example(self, prediction, references):
        if prediction == os.environ.get("DIES_AT"):
            os.kill(os.getpid(), signal.SIGSEGV)
        if prediction == os.environ.get("HANGS_AT"):
            open("hanging", "w").close()
            time.sleep(300)
        return float(prediction == references[0])
'''


def errors(out: Path) -> dict[str, str]:
    with sqlite3.connect(f"file:{out / 'predictions.sqlite'}?mode=ro", uri=True) as db:
        return dict(db.execute("SELECT id, error FROM predictions WHERE error IS NOT NULL"))


def test_a_file_that_hangs_is_one_failed_example_and_is_tried_again(world: Any, run: Run, tmp_path: Path) -> None:
    out = tmp_path / "out"
    done = run(out, "--time-limit", "0.5", "--max-errors", "1", HANG_AT="30")
    assert done.returncode == 0, done.stderr
    assert errors(out) == {"30": "not prepared within 0.5 s (--time-limit): its file, or the decoder, hangs"}
    assert "1 of 60 examples of split test failed and count as empty answers (test/30: not prepared" in done.stderr
    assert (world.results(out)[0]["n"], world.results(out)[0]["errors"]) == (60, 1)
    refused = run(out, "--time-limit", "0.5", "--max-errors", "0", HANG_AT="30")
    assert refused.returncode == 1 and "test/30: not prepared" in refused.stderr
    assert run(out).returncode == 0 and world.is_finished(out)


@pytest.mark.parametrize("where", ["CRASH_AT", "CRASH_ON"])
def test_an_example_that_crashes_the_run_every_time_is_set_aside_after_three_crashes(
    world: Any, run: Run, tmp_path: Path, where: str
) -> None:
    out = tmp_path / "out"
    for _ in range(3):
        assert run(out, "--max-errors", "1", **{where: "30"}).returncode == -signal.SIGSEGV
    done = run(out, "--max-errors", "1", **{where: "30"})
    assert done.returncode == 0, done.stderr
    ((id_, error),) = errors(out).items()
    assert id_ == "30" and error.startswith("the run crashed 3 times while this example was prepared or answered")
    assert "own/test position 30" in (out / "failures.log").read_text()
    assert "Fatal Python error: Segmentation fault" in (out / "failures.log").read_text()
    (out / "crashes.json").unlink()
    assert run(out).returncode == 0 and world.is_finished(out), "with a decoder that was mended"


def test_a_batch_that_does_not_fit_is_halved(world: Any, run: Run, tmp_path: Path) -> None:
    assert run(tmp_path / "out", FITS="1").returncode == 0 and world.is_finished(tmp_path / "out")


def test_an_example_that_never_fits_is_one_failed_example(world: Any, run: Run, tmp_path: Path) -> None:
    assert run(tmp_path / "out", "--max-errors", "1", GREEDY="9").returncode == 0
    assert errors(tmp_path / "out") == {"9": "out of memory on this example alone: no room"}


@pytest.fixture
def deadly(own_files: Any, evalsuite: Run, tmp_path: Path) -> tuple[Path, Path]:
    """A finished run of 600 examples with a heavy metric, and the package of the metric."""
    site = own_files.write_package(tmp_path / "site", "deadly", METRIC, "[evalsuite.metrics]", "deadly = deadly:Deadly")
    rows = [{"id": f"e{n}", "question": "q", "answer": f"a{n}", "type": f"t{n % 2}"} for n in range(600)]
    own_files.write_task(tmp_path, rows, stratum="type", metrics=[{"name": "deadly", "headline": True}])
    answers = tmp_path / "answers.json"
    answers.write_text(json.dumps({f"e{n}": f"a{n}" for n in range(600)}))
    more = ("--predictions", answers, "--jobs", "1", "--max-errors", "1")
    done = evalsuite(*own_files.run_words(tmp_path, "replay", tmp_path / "out", *more), path=(site,))
    assert done.returncode == 0, done.stderr
    return tmp_path / "out", site


@pytest.mark.parametrize(
    ("fault", "reason"),
    [({"DIES_AT": "a77"}, "ended with signal 11 (SIGSEGV)"), ({"HANGS_AT": "a77"}, "took longer than 1 s")],
)
def test_an_answer_that_ends_or_hangs_the_process_that_scores_it_counts_as_failed(
    world: Any, deadly: tuple[Path, Path], evalsuite: Run, fault: dict[str, str], reason: str
) -> None:
    out, site = deadly
    done = evalsuite("score", out, "--jobs", "2", "--time-limit", "1", path=(site,), **fault)
    assert done.returncode == 0, done.stderr
    assert f"own/test/e77 counts as a failed example: the process that scored it {reason}" in done.stderr
    assert reason in (out / "failures.log").read_text()
    rows = {row["stratum"]: row for row in world.results(out)}
    assert (rows[""]["n"], rows[""]["errors"], rows[""]["value"]) == (600, 1, pytest.approx(100 * 599 / 600))
    assert (rows["type=t1"]["errors"], rows["type=t0"]["errors"], rows["type=t0"]["value"]) == (1, 0, 100.0)


def test_too_many_of_them_fail_the_task(deadly: tuple[Path, Path], evalsuite: Run) -> None:
    out, site = deadly
    manifest = read_manifest(out)
    manifest["run"]["max_errors"] = "0"
    write_manifest(out, manifest)
    done = evalsuite("score", out, "--jobs", "2", path=(site,), DIES_AT="a77")
    assert done.returncode == 1
    assert (
        "1 of 600 examples of split test failed, more than --max-errors 0 allows (test/e77: the process" in done.stderr
    )


def test_scoring_that_is_killed_leaves_no_processes_behind(
    deadly: tuple[Path, Path], start: Begin, tmp_path: Path
) -> None:
    out, site = deadly
    process = start("score", out, "--jobs", "2", path=(site,), HANGS_AT="a300")
    while not (tmp_path / "hanging").exists():
        assert process.poll() is None
        time.sleep(0.01)
    children = psutil.Process(process.pid).children(recursive=True)
    assert len(children) >= 2
    process.send_signal(signal.SIGKILL)
    process.communicate()
    _, alive = psutil.wait_procs(children, timeout=10)
    for child in alive:
        os.kill(child.pid, signal.SIGKILL)
    assert not alive
