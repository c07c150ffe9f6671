"""Full and read-only disks: the run says so, what is stored stays, and with room again the same command goes on."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

Start = Callable[..., subprocess.Popen[str]]
Run = Callable[..., subprocess.CompletedProcess[str]]


def fill(disk: Path) -> Path:
    """A file that takes all the room there is."""
    ballast = disk / "ballast"
    with contextlib.suppress(OSError), open(ballast, "wb", buffering=0) as file:
        while True:
            file.write(b"\0" * 4096)
    return ballast


def test_a_disk_that_fills_up_while_answers_are_written(world: Any, begin: Start, run: Run, small_disk: Path) -> None:
    out = small_disk / "out"
    process = begin(out, lambda: len(world.stored(out)) >= 12, SECONDS="0.05")
    ballast = fill(small_disk)
    seen = world.stored(out)
    _, complaint = process.communicate()
    assert process.returncode == 1 and "what was stored before is safe" in complaint
    assert "Traceback" not in complaint and "Move the file away" not in complaint
    ballast.unlink()
    assert 12 <= len(seen) < 60 and seen.items() <= world.stored(out).items()
    assert run(out).returncode == 0 and world.is_finished(out)


def test_a_full_disk_is_found_before_a_run_and_by_score_and_report(
    world: Any, run: Run, evalsuite: Run, copy: Callable[[str], Path], small_disk: Path
) -> None:
    out = copy("disk/out")
    before = world.results(out)
    ballast = fill(small_disk)
    new = run(small_disk / "new")
    assert new.returncode == 1 and "MB are needed for the predictions, 0 MB are free" in new.stderr
    score = evalsuite("score", out, "--specs", world.folder / "specs")
    assert score.returncode == 1 and "results.json: cannot be written (No space left on device)" in score.stderr
    report = evalsuite("report", out)
    assert report.returncode == 1 and "index.html: cannot be written" in report.stderr
    assert world.results(out) == before, "the results of before are whole"
    ballast.unlink()
    assert not list(out.rglob("*.tmp"))


def test_a_read_only_folder_is_refused_for_running_and_can_be_reported_elsewhere(
    run: Run, evalsuite: Run, copy: Callable[[str], Path], small_disk: Path, tmp_path: Path
) -> None:
    out = copy("disk/out")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    refused = run(out)
    assert refused.returncode == 1
    assert "cannot be written (Read-only file system); choose another --out" in refused.stderr
    assert evalsuite("report", out, "--out", tmp_path / "report").returncode == 0


def test_a_reader_of_the_progress_that_is_gone_does_not_end_the_run(world: Any, start: Start, tmp_path: Path) -> None:
    words = [word for word in world.command(tmp_path / "out") if word != "--quiet"]
    process = start(*words, path=(world.site,))
    assert process.stderr is not None and process.stdout is not None
    process.stderr.close()
    process.stdout.close()
    process.wait()
    assert world.is_finished(tmp_path / "out")


def test_a_full_disk_under_the_printed_results_is_one_sentence(world: Any, copy: Callable[[str], Path]) -> None:
    import os
    import sys

    root = Path(__file__).resolve().parent.parent.parent
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "evalsuite", "score", str(copy("out")), "--specs", str(world.folder / "specs")],
            env={**os.environ, "PYTHONPATH": str(root)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1 and "what is stored is safe" in done.stderr and "Traceback" not in done.stderr
