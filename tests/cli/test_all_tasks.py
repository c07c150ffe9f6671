"""The main job: every task on the synthetic world with the tiny model, offline."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

Call = Callable[..., subprocess.CompletedProcess[str]]


def test_the_whole_suite_runs_and_repeats_offline(evalsuite: Call, tmp_path: Path) -> None:
    command = (
        "run",
        "--backend",
        "torch",
        "--tasks",
        "all",
        "--limit",
        "2",
        "--option",
        "threads=1",
        "--quiet",
        "--out",
        tmp_path / "out",
    )
    done = evalsuite(*command)
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "out" / "results.json").read_text())
    tasks = {task["id"] for task in json.loads(evalsuite("tasks", "--json").stdout)}
    assert {row["task"] for row in rows if row["headline"]} == tasks  # averages over tasks among them
    assert all(row["errors"] == 0 and row["n"] >= 1 for row in rows)
    assert all(row["value"] is not None for row in rows if row["headline"])
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    (model,) = manifest["models"].values()
    assert model["backend"] == "torch" and model["fingerprint"]
