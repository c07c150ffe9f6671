"""The ray engine with a real Ray: the results of a single process, whatever happens to workers."""

from __future__ import annotations

import dataclasses
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalsuite import api
from evalsuite.engine.ray.options import RayOptions
from evalsuite.engine.ray.pool import _after_death, _Piece
from evalsuite.errors import MissingDependency, UnknownName, UsageError
from evalsuite.settings.limits import ErrorBudget
from evalsuite.settings.run import RunConfig

MORTAL = '''
"""A backend that answers with the prompt; q5 kills its process the first time it is asked, q7 every time."""
import os, pathlib
from evalsuite.backends.base import BatchLimits, Prepared
from evalsuite.types import Generation

class Mortal:
    limits = BatchLimits(4)
    def describe(self): return {"backend": "mortal"}
    def prepare(self, request): return Prepared(request, None, len(request.prompt))
    def generate(self, batch):
        for item in batch:
            if item.request.key.id == "q7": os._exit(1)
            flag = pathlib.Path(os.environ["FLAG"])
            if item.request.key.id == "q5" and not flag.exists():
                flag.touch()
                os._exit(1)
        return [Generation(item.request.key, item.request.prompt) for item in batch]
    def close(self): pass

def create(options): return Mortal()
'''


@pytest.fixture
def mortal(own_files: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package with the backend ``mortal``."""
    own_files.write_package(tmp_path / "site", "mortal", MORTAL)
    source = Path(api.__file__).parents[1]
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}:{source}")  # read by Ray's workers
    monkeypatch.syspath_prepend(tmp_path / "site")
    monkeypatch.setenv("FLAG", str(tmp_path / "died once"))


@pytest.fixture
def config(own_task: Callable[..., Path], tmp_path: Path) -> RunConfig:
    rows = [{"id": f"q{n}", "question": f"say {n}", "answer": f"say {n}"} for n in range(30)]
    specs = own_task([*rows, {"id": "bad", "question": None, "answer": "x"}])
    return RunConfig(
        "mortal", "own", data="files", data_dir=tmp_path / "data", specs=(specs,), max_errors=ErrorBudget(number=5)
    )


def stored(folder: Path) -> list[Any]:
    columns = "position, id, prompt, text, target, error"
    with sqlite3.connect(folder / "predictions.sqlite") as database:
        return database.execute(f"SELECT {columns} FROM predictions ORDER BY position").fetchall()


def test_dying_workers_lose_and_repeat_nothing(config: RunConfig, mortal: None, tmp_path: Path) -> None:
    """q5 is answered at the second try; q7 takes every worker with it and counts as failed; so does the bad record."""
    ray = dataclasses.replace(
        config, engine="ray", engine_options={"workers": "2", "piece": "8"}, out=tmp_path / "workers"
    )
    result = api.run_config(ray)
    assert result.ok, result.failures
    echo = dataclasses.replace(config, backend="echo", options={"answer": "x"}, out=tmp_path / "alone")
    api.run_config(echo)
    rows, alone = stored(tmp_path / "workers"), stored(tmp_path / "alone")
    assert [(row[0], row[1], row[2], row[4]) for row in rows] == [(row[0], row[1], row[2], row[4]) for row in alone]
    assert (tmp_path / "died once").exists()
    errors = {row[1]: row[5] for row in rows if row[5]}
    assert set(errors) == {"q7", "bad"} and "workers died on this example" in errors["q7"]
    assert [row[3] for row in rows if not row[5]] == [f"say {n}" for n in range(30) if n != 7]


def test_results_are_those_of_the_local_engine(evalsuite: Callable[..., Any], tmp_path: Path) -> None:
    """With a real model, images, and pieces that cut the data elsewhere than its batches."""
    command = ("run", "--tasks", "docvqa,nlvr2", "--limit", "6", "--quiet", "--option", "threads=1")
    assert evalsuite(*command, "--out", "alone").returncode == 0
    done = evalsuite(*command, "--out", "ray", "--engine", "ray", "--engine-option", "piece=4")
    assert done.returncode == 0, done.stderr
    assert stored(tmp_path / "ray") == stored(tmp_path / "alone")
    assert (tmp_path / "ray" / "results.json").exists()


def test_a_piece_is_halved_until_the_deadly_example_is_alone() -> None:
    from collections import deque

    requests: Any = list(range(8))
    again: deque[_Piece] = deque([_Piece(requests)])
    tried: list[int] = []
    failed: list[Any] = []
    while again:
        piece = again.popleft()
        if 5 in piece.requests:
            tried.append(len(piece.requests))
            found = _after_death(piece, again)
            failed += [] if found is None else [found]
    assert failed == [5]
    assert tried == [8, 8, 4, 4, 2, 2, 1, 1]


def test_what_cannot_be_is_refused_before_a_worker_starts(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnknownName, match="option of engine ray"):
        RayOptions.read({"worker": "2"}, None)
    with pytest.raises(UsageError, match="gpus=many: give a number"):
        RayOptions.read({"gpus": "many"}, None)
    with pytest.raises(UnknownName, match="engine 'raye'"):
        dataclasses.replace(config, engine="raye")
    with pytest.raises(UsageError, match="are for --engine ray"):
        dataclasses.replace(config, engine_options={"workers": "2"})
    monkeypatch.setitem(sys.modules, "ray", None)
    ray = dataclasses.replace(config, backend="echo", engine="ray", out=tmp_path / "run")
    with pytest.raises(MissingDependency, match=r"evalsuite\[ray\]"):
        api.run_config(ray)
