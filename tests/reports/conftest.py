"""Result rows and run folders, made by hand."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalsuite.reports import ResultRow
from evalsuite.runs.store import PredictionStore
from evalsuite.types import ExampleKey, Prediction

MakeRow = Callable[..., ResultRow]
MakeRun = Callable[..., Path]


@pytest.fixture
def make_row() -> MakeRow:
    """A row of COCOcap's CIDEr under the 3B 224 px model; keywords change its fields."""

    def make(**changes: Any) -> ResultRow:
        row = ResultRow(
            task="cococap", task_version=1, title="COCO captions", family="captioning", paper_name="COCOcap",
            reference="paligemma2_table13", split="validation", stratum="", metric="cider",
            signature="cider|v1|tokenizer:ptb", protocol="paligemma", headline=True, value=141.9, ci_low=138.25,
            ci_high=145.5, unit="CIDEr x 100", n=5000, errors=0, higher_is_better=True,
            attributes={"size": "3B", "resolution": 224}, run="demo", data="hub", backend="torch",
            model="checkpoints/a",
        )  # fmt: skip
        return dataclasses.replace(row, **changes)

    return make


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """A run folder with these rows; ``errors`` are (task, id, message) in its store, ``run`` and ``session`` go to
    the manifest."""

    def make(
        rows: list[ResultRow],
        name: str = "demo",
        errors: list[tuple[str, str, str]] | None = None,
        run: dict[str, Any] | None = None,
        session: dict[str, Any] | None = None,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "results.json").write_text(json.dumps([dataclasses.asdict(row) for row in rows]))
        manifest = {
            "manifest_version": 1,
            "evalsuite": "0.1.0",
            "name": name,
            "created": "2025-01-05T10:00:00+00:00",
            "run": {
                "backend": "torch",
                "model": "checkpoints/a",
                "data": "hub",
                "tasks": "all",
                "attributes": {},
                **(run or {}),
            },
            "tasks": {"cococap": {"version": 1, "inference_digest": "ab" * 32, "data": {"revision": "f00d"}}},
            "models": {"checkpoints/a": {"backend": "torch", "dtype": "bfloat16"}},
            "environment": {"python": "3.11.7", "packages": {"numpy": "2.1.0"}},
            "sessions": [{"status": "done", "command": ["evalsuite", "run", "--tasks", "all"], **(session or {})}],
        }
        (folder / "manifest.json").write_text(json.dumps(manifest))
        with PredictionStore(folder / "predictions.sqlite") as store:
            store.add(
                [
                    Prediction(ExampleKey(task, "test", id_), position, "", "", None, error=message)
                    for position, (task, id_, message) in enumerate(errors or [])
                ]
            )
        return folder

    return make
