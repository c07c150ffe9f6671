"""A small task with pictures, its local files, and a hub that is a folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from evalsuite.specs.schema import TaskSpec

COMMIT = "0123456789abcdef0123456789abcdef01234567"
TASK: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "fixtures" / "picture_task.yaml").read_text("utf-8"))


@pytest.fixture
def make_spec() -> Callable[..., TaskSpec]:
    """The spec of the task ``tiny``, with changes."""

    def make(**changes: Any) -> TaskSpec:
        return TaskSpec.model_validate(
            {
                **TASK,
                "id": "tiny",
                "splits": [{"name": "val", "size": 4}],
                "data": {"files": {}, "hub": {"id": "owner/name"}},
                "fields": {**TASK["fields"], "references": "answers"},
                "prompt": {"prefix": "answer en  {question}"},
                "metrics": [{"name": "vqa_v2", "headline": True}],
                **changes,
            }
        )

    return make


def make_rows(count: int = 4) -> list[dict[str, Any]]:
    return [
        {"id": n, "question": f"q{n}?", "answers": ["a"] * 9 + ["b"], "image": f"{n}.png", "more": 1.5}
        for n in range(count)
    ]


def write_rows(folder: Path, rows: Sequence[dict[str, Any]], split: str = "val") -> Path:
    """``folder/<split>.jsonl`` and a picture of 8 x 6 pixels for each row."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for row in rows:
        Image.new("RGB", (8, 6), "teal").save(folder / "images" / row["image"])
    return folder


class LocalHub:
    """The hub, with one data set whose splits are the JSON Lines files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.newest, self.asked = folder, COMMIT, list[str | None]()

    def resolve(self, name: str, revision: str | None) -> str:
        self.asked.append(revision)
        return revision or self.newest

    def load(self, name: str, config: str | None, split: str, revision: str) -> Any:
        import datasets

        files = {split: str(self.folder / f"{split}.jsonl")}
        return datasets.load_dataset("json", data_files=files, split=split, streaming=True)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalHub:
    """Every data set that is asked for lies in ``tmp_path/data``."""
    local = LocalHub(tmp_path / "data")
    monkeypatch.setattr("evalsuite.data.hub.HuggingFaceHub", lambda: local)
    return local


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    """Four records, as many as the spec's split has."""
    return make_rows()


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write rows and their pictures into ``tmp_path/data``; returns that folder."""

    def call(rows: Sequence[dict[str, Any]], split: str = "val") -> Path:
        return write_rows(tmp_path / "data", rows, split)

    return call
