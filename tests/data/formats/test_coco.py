"""COCO's annotation files: one record per image."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalsuite.data.formats import load_format
from evalsuite.errors import DataError

IMAGES = [
    {"id": 9, "file_name": "9.jpg", "height": 20, "width": 30},
    {"id": 2, "file_name": "2.jpg", "height": 1, "width": 1},
]
BOX = {"id": 1, "image_id": 9, "category_id": 18, "bbox": [1, 2, 3, 4], "area": 12.0, "iscrowd": 0, "segmentation": []}


def read(tmp_path: Path, format: str, document: Any) -> list[dict[str, Any]]:
    path = tmp_path / "val2017.json"
    path.write_text(json.dumps(document))
    return list(load_format(format)(path))


def test_captions_come_together_by_image(tmp_path: Path) -> None:
    said = [{"image_id": 9, "caption": "a"}, {"image_id": 9, "caption": "b"}]
    (record,) = read(tmp_path, "coco_captions", {"images": IMAGES, "annotations": said})
    assert record == {"image_id": 9, "file_name": "9.jpg", "captions": ["a", "b"], "height": 20, "width": 30}


def test_boxes_carry_the_names_of_their_categories(tmp_path: Path) -> None:
    document = {"images": IMAGES, "annotations": [BOX], "categories": [{"id": 18, "name": "dog"}]}
    first, empty = read(tmp_path, "coco_instances", document)
    assert first["objects"] == [{"id": 1, "bbox": [1, 2, 3, 4], "area": 12.0, "iscrowd": 0, "category": "dog"}]
    assert empty["objects"] == []  # kept: whatever is detected there is wrong


@pytest.mark.parametrize("format", ["coco_captions", "coco_instances"])
@pytest.mark.parametrize("document", [[], {"images": []}, {"images": [{}], "annotations": [], "categories": []}])
def test_other_documents_are_refused_by_name(tmp_path: Path, format: str, document: Any) -> None:
    with pytest.raises(DataError, match=r"val2017\.json: not a COCO"):
        read(tmp_path, format, document)


def test_an_object_of_an_unknown_category_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"not a COCO instances file.*18"):
        read(tmp_path, "coco_instances", {"images": IMAGES, "annotations": [BOX], "categories": []})
