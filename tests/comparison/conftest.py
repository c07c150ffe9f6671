"""Small runs to compare: a text task whose answers are given."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import evalsuite

MakeRun = Callable[..., Path]
QUESTIONS = 40


def right(number: int) -> str:
    return f"answer {number}"


@pytest.fixture
def make_run(own_task: Callable[..., Path], tmp_path: Path) -> MakeRun:
    """``make_run(name, answers)``: a finished run of ``own``; answers by question number, the rest is right."""

    def make(
        name: str,
        answers: Mapping[int, str] | None = None,
        rows: Sequence[Mapping[str, Any]] | None = None,
        **changes: Any,
    ) -> Path:
        given = answers or {}
        plain = [{"id": str(n), "question": f"question {n}", "answer": [right(n)]} for n in range(QUESTIONS)]
        records = [dict(row) for row in (plain if rows is None else rows)]
        specs = own_task(records, **changes)
        predictions = tmp_path / f"{name}.jsonl"
        lines = [{"id": row["id"], "prediction": given.get(n, str(row["answer"][0]))} for n, row in enumerate(records)]
        predictions.write_text("".join(json.dumps(line) + "\n" for line in lines))
        result = evalsuite.run(
            "own",
            backend="replay",
            options={"predictions": str(predictions)},
            data="files",
            data_dir=tmp_path / "data",
            specs=[specs],
            out=tmp_path / name,
        )
        assert result.ok, result.failures
        return result.folder

    return make


@pytest.fixture
def wrong() -> Callable[..., dict[int, str]]:
    """``wrong(0, 3)``: answers that are wrong for these questions."""
    return lambda *numbers: dict.fromkeys(numbers, "something else")
