"""RefCOCO's pickled expressions become the files that the specs read, and nothing in a pickle can run."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evalsuite.data import open_task_data
from evalsuite.data.refer import convert, read_refs
from evalsuite.errors import DataError
from evalsuite.specs.registry import TaskRegistry
from evalsuite.types import Example

POLYGONS = [[1.0, 1.0, 9.0, 1.0, 9.0, 5.0], [12.0, 12.0, 15.0, 12.0, 15.0, 15.0]]
RUNS = {"size": [20, 30], "counts": [0, 5, 595]}


def reference(number: int, split: str, *said: str) -> dict[str, Any]:
    sentences = [{"sent": text, "raw": text.upper(), "sent_id": place} for place, text in enumerate(said)]
    return {"ref_id": number, "ann_id": 70 + number, "image_id": 4, "split": split, "sentences": sentences}


REFS = [reference(0, "train", "x"), reference(1, "val", "left man", "man in red"), reference(2, "testA", "dog")]
INSTANCES = {
    "images": [{"id": 4, "file_name": "COCO_train2014_4.jpg", "height": 20, "width": 30}],
    "annotations": [
        {"id": 71, "bbox": [1, 1, 14, 14], "segmentation": POLYGONS},
        {"id": 72, "bbox": [0, 0, 1, 5], "segmentation": RUNS},
    ],
}


@pytest.fixture
def download(tmp_path: Path) -> tuple[Path, Path]:
    """refs(unc).p, as Python 2 wrote it, and instances.json."""
    refs, instances = tmp_path / "refs(unc).p", tmp_path / "instances.json"
    refs.write_bytes(pickle.dumps(REFS, protocol=0))
    instances.write_text(json.dumps(INSTANCES))
    return refs, instances


def test_each_evaluated_split_becomes_a_file(download: tuple[Path, Path], tmp_path: Path) -> None:
    assert convert(*download, tmp_path / "refcoco") == {"val": 2, "testA": 1}
    assert sorted(path.name for path in (tmp_path / "refcoco").iterdir()) == ["testA.jsonl", "val.jsonl"]
    assert json.loads((tmp_path / "refcoco" / "val.jsonl").read_text()) == {
        "question_id": 1,
        "image": "COCO_train2014_4.jpg",
        "answer": ["left man", "man in red"],
        "bbox": [1, 1, 14, 14],
        "mask": {"size": [20, 30], "polygons": POLYGONS},
    }


def test_the_spec_reads_what_was_written(
    download: tuple[Path, Path], tmp_path: Path, evalsuite: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """One example per expression, with all pieces of the mask."""
    done = evalsuite("data", "convert-refcoco", *download, tmp_path / "refcoco")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0] == f"{tmp_path / 'refcoco' / 'val'}.jsonl: 2 expressions"
    (tmp_path / "refcoco" / "images").mkdir()
    Image.new("RGB", (30, 20)).save(tmp_path / "refcoco" / "images" / "COCO_train2014_4.jpg")
    (spec,) = TaskRegistry(plugins=False).select("refcoco")
    examples = list(open_task_data(spec, "files", data_dir=tmp_path).examples("val"))
    assert [isinstance(one, Example) and one.fields["expression"] for one in examples] == ["left man", "man in red"]
    assert examples[0].references == [{"mask": {"size": [20, 30], "polygons": POLYGONS}, "box_xywh": [1, 1, 14, 14]}]
    (run_length,) = open_task_data(spec, "files", data_dir=tmp_path).examples("testA")
    assert run_length.references[0]["mask"] == RUNS


class Harmful:
    def __reduce__(self) -> Any:
        return os.system, ("touch harmed",)


def test_a_pickle_that_names_code_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        (tmp_path / "refs(x).p").write_bytes(pickle.dumps([Harmful()], protocol=protocol))
        with pytest.raises(DataError, match=r"refs\(x\)\.p: not a pickle of plain data: it names .*system"):
            read_refs(tmp_path / "refs(x).p")
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("content", [b"", b"text", pickle.dumps(REFS)[:-9], pickle.dumps({"a": 1}), pickle.dumps([1])])
def test_damaged_and_other_files_are_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "refs.p").write_bytes(content)
    with pytest.raises(DataError, match=r"refs\.p: not a "):
        read_refs(tmp_path / "refs.p")


def test_files_of_different_sets_are_told_apart(download: tuple[Path, Path], tmp_path: Path) -> None:
    download[1].write_text(json.dumps({**INSTANCES, "annotations": []}))
    with pytest.raises(DataError, match=r"reference 1: KeyError\(71\) is missing there or in instances\.json"):
        convert(*download, tmp_path / "out")
    assert not (tmp_path / "out").exists()
