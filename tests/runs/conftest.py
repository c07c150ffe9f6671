"""A process that holds a run folder."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HOLD = (
    "import sys, time, pathlib; from evalsuite.runs.lock import locked\n"
    "with locked(pathlib.Path(sys.argv[1]), *sys.argv[2:3]): print('held', flush=True); time.sleep(float(sys.argv[3]))"
)


@pytest.fixture
def hold() -> Iterator[Callable[..., int]]:
    """``hold(folder, work, seconds)``: lock the folder in another process; returns its number."""
    processes: list[subprocess.Popen[str]] = []

    def call(folder: Path, work: str = "run", seconds: float = 60) -> int:
        command = [sys.executable, "-c", HOLD, str(folder), work, str(seconds)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        processes.append(process)
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        return process.pid

    yield call
    for process in processes:
        process.kill()
        process.communicate()
