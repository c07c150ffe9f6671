"""A process that dies before any one of its writes: the same command finishes the run."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import evalsuite
from evalsuite.runs.results import ResultRow
from evalsuite.runs.store import PredictionStore

Run = Callable[..., evalsuite.RunResult]
ROWS = [{"id": str(n), "question": f"say {n}", "answer": f"say {n if n % 3 else 0}"} for n in range(6)]
WRITES_AT_LEAST = 8  # the store, two batches, the manifest at each step, the results


class Death(BaseException):
    """Nothing handles it, and nothing can be written after it."""


@pytest.fixture
def outlive(run: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path, int], int]:
    """Run until the death before write number ``at``; the number of writes that were tried."""

    def call(out: Path, at: int) -> int:
        count = 0

        def mortal(write: Callable[..., Any]) -> Callable[..., Any]:
            def instead(*arguments: Any) -> Any:
                nonlocal count
                count += 1
                if count >= at:
                    raise Death
                return write(*arguments)

            return instead

        with monkeypatch.context() as patch, contextlib.suppress(Death):
            patch.setattr(os, "replace", mortal(os.replace))
            patch.setattr(PredictionStore, "add", mortal(PredictionStore.add))
            run(out=out)
        return count

    return call


def content(out: Path, rows: list[ResultRow]) -> tuple[Any, ...]:
    with PredictionStore(out / "predictions.sqlite", read_only=True) as store:
        return list(store.read("own", "test")), [(row.value, row.ci_low, row.n, row.partial) for row in rows]


def test_the_same_command_finishes_what_died_at_any_write(
    own_task: Callable[..., Path], run: Run, outlive: Callable[[Path, int], int], tmp_path: Path
) -> None:
    own_task(ROWS)
    whole = content(tmp_path / "whole", list(run(out=tmp_path / "whole").rows))
    at = 1
    while outlive(out := tmp_path / f"died-at-{at}", at) >= at:
        done = run(out=out)
        assert done.ok and content(out, list(done.rows)) == whole, f"died at write {at}"
        at += 1
    assert at > WRITES_AT_LEAST
