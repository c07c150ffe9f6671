"""kill -9, SIGTERM and Ctrl-C at every stage of a run: the same command finishes it, as if nothing had happened."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Begin = Callable[..., subprocess.Popen[str]]
Run = Callable[..., subprocess.CompletedProcess[str]]


def appears(name: str) -> Callable[[Path, Any], bool]:
    return lambda out, world: (out / name).exists()


def holds(rows: int) -> Callable[[Path, Any], bool]:
    return lambda out, world: len(world.stored(out)) >= rows


STAGES: dict[str, Callable[[Path, Any], bool]] = {
    "start-up": lambda out, world: True,
    "the folder is locked": appears(".lock"),
    "the store is there": appears("predictions.sqlite"),
    "the manifest is there": appears("manifest.json"),
    "a first batch is stored": holds(4),
    "a part is stored": holds(17),
    "half is stored": holds(32),
    "the last batch is under way": holds(56),
    "everything is stored": holds(60),
    "the results are written": appears("results.json"),
    "the table is exported": appears("results.parquet"),
    "the report is begun": appears("report"),
}


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_that_is_killed_at_any_stage_is_finished_by_the_same_command(
    world: Any, begin: Begin, run: Run, tmp_path: Path, stage: str
) -> None:
    out, asked = tmp_path / "out", tmp_path / "asked"
    process = begin(out, lambda: STAGES[stage](out, world), SECONDS="0.01")
    process.kill()
    seen = world.stored(out)
    process.communicate()
    kept = world.stored(out)
    assert seen.items() <= kept.items(), "something that was stored is lost"
    done = run(out, ASKED=str(asked))
    assert done.returncode == 0, done.stderr
    again = asked.read_text().split() if asked.exists() else []
    assert not set(again) & kept.keys(), "something that was stored was asked again"
    assert len(again) == len(set(again)) == 60 - len(kept)
    assert world.is_finished(out)
    assert not list(out.rglob("*.tmp")), "a file of the killed process is left"
    assert not [name for name in ("crashes.json", ".crash", ".under-way") if (out / name).exists()]


@pytest.mark.parametrize("stage", ["the folder is locked", "a part is stored", "everything is stored"])
def test_a_scheduler_that_ends_a_run_finds_it_ended_within_its_grace_period(
    world: Any, begin: Begin, run: Run, tmp_path: Path, stage: str
) -> None:
    out = tmp_path / "out"
    process = begin(out, lambda: STAGES[stage](out, world), SECONDS="0.03")
    sent = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, complaint = process.communicate()
    assert time.monotonic() - sent < 10
    assert process.returncode == 130 and "Traceback" not in complaint
    assert "Give the same command again to resume" in complaint
    assert run(out).returncode == 0 and world.is_finished(out)


def test_a_decoder_that_hangs_does_not_outlast_the_grace_period(begin: Begin, tmp_path: Path) -> None:
    process = begin(tmp_path / "out", (tmp_path / "hanging").exists, HANG_AT="30")
    sent = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.communicate()
    assert process.returncode == 130 and time.monotonic() - sent < 10


def test_a_library_that_swallows_the_interrupt_is_ended_by_force(begin: Begin, tmp_path: Path) -> None:
    process = begin(tmp_path / "out", (tmp_path / "hanging").exists, DEAF="0.5")
    process.send_signal(signal.SIGTERM)
    _, complaint = process.communicate(timeout=10)
    assert process.returncode == 130 and "not at its end after 0.5 s" in complaint


def test_a_second_ctrl_c_ends_the_run_at_once(begin: Begin, tmp_path: Path) -> None:
    process = begin(tmp_path / "out", (tmp_path / "hanging").exists, DEAF="60")
    process.send_signal(signal.SIGINT)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=5)
    assert process.returncode == 130 and "interrupted twice" in complaint
