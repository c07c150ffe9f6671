"""Tasks, metrics and backends from an installed package, without touching this repository."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]

METRIC = '''
from dataclasses import dataclass
from typing import ClassVar
from evalsuite.metrics import MeanMetric, Value

@dataclass(frozen=True)
class FirstWord(MeanMetric):
    """Whether the first words are equal, in [0, 1]."""
    name: ClassVar[str] = "first_word"
    values: ClassVar = (Value("first_word"),)
    ignore_case: bool = False

    def example(self, prediction, references):
        words = [text.split()[0] for text in (prediction, references[0])]
        return float(len({w.lower() if self.ignore_case else w for w in words}) == 1)
'''


@pytest.fixture
def package(plug_in: Path, own_task: Callable[..., Path], tmp_path: Path) -> Path:
    """The slow backend's package, with a metric and a folder of specs besides."""
    rows = [{"id": str(n), "question": f"Say {n}", "answer": "say it"} for n in range(3)]
    specs = own_task(rows, metrics=[{"name": "first_word", "parameters": {"ignore_case": True}, "headline": True}])
    (plug_in / "first_word.py").write_text(METRIC + f"\nSPECS = {str(specs)!r}\n")
    (plug_in / "slow_backend-1.0.dist-info" / "entry_points.txt").write_text(
        "[evalsuite.backends]\nslow = slow_backend\n"
        "[evalsuite.metrics]\nfirst_word = first_word:FirstWord\n"
        "[evalsuite.tasks]\nmine = first_word:SPECS\n"
    )
    return plug_in


def test_a_task_a_metric_and_a_backend_of_a_package_work_like_ours(
    package: Path, evalsuite: Call, tmp_path: Path
) -> None:
    words = ["run", "--backend", "slow", "--tasks", "own", "--data", "files", "--data-dir", "data", "--out", "out"]
    done = evalsuite(*words, path=(package,))
    assert done.returncode == 0, done.stderr
    (row,) = json.loads((tmp_path / "out" / "results.json").read_text())
    assert (row["metric"], row["value"]) == ("first_word", 100.0)
    assert row["signature"] == "first_word|v1|ignore_case:True"


def test_lists_show_them(package: Path, evalsuite: Call) -> None:
    assert "own" in {task["id"] for task in json.loads(evalsuite("tasks", "--json", path=(package,)).stdout)}
    assert "first_word" in evalsuite("metrics", path=(package,)).stdout


def test_without_the_package_the_names_are_unknown(evalsuite: Call) -> None:
    assert "unknown task 'own'" in evalsuite("tasks", "show", "own").stderr
    assert "unknown metric 'first_word'" in evalsuite("metrics", "show", "first_word").stderr


def test_a_metric_that_cannot_be_loaded_costs_no_other(package: Path, evalsuite: Call) -> None:
    (package / "first_word.py").write_text("import a_package_that_is_not_there\nSPECS = ''\n")
    listed = evalsuite("metrics", path=(package,))
    assert listed.returncode == 0 and "anls" in listed.stdout
    assert "metric 'first_word' of package slow-backend cannot be loaded" in listed.stderr
    assert max(map(len, listed.stdout.splitlines())) < 220
