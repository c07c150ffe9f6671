"""Every shipped spec with stills on the hub, read from Parquet files in the hub's columns with embedded images.

The records are those of the synthetic world, which come in the same columns: both ways must give equal examples.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evalsuite.asking.requests import build_request
from evalsuite.data import open_task_data
from evalsuite.data.hub import HuggingFaceHub
from evalsuite.specs.registry import TaskRegistry
from evalsuite.specs.schema import TaskSpec
from evalsuite.types import Example

COUNT = 3
COMMIT = "0123456789abcdef0123456789abcdef01234567"
SPECS = {
    spec.id: spec
    for spec in TaskRegistry(plugins=False).select("all")
    if spec.data.hub and spec.data.synthetic and not spec.fields.video
}
COCO = {"question_id": "image_id", "answer": "captions"}
NAMED_ELSEWHERE = {"cococap": COCO, "cococap_test": COCO}  # synthetic column -> hub column
IMAGES_BESIDE = {"vsr": "image_link", "vsr_random": "image_link"}  # the hub holds file names; the column of the name


def encoded(value: Any) -> Any:
    """A synthetic value as a data set holds it: pictures as PNG bytes."""
    if hasattr(value, "frames"):
        buffer = BytesIO()
        value.frames()[0].save(buffer, "PNG")
        return {"bytes": buffer.getvalue(), "path": None}
    if isinstance(value, list):
        return [encoded(item) for item in value]
    return {name: encoded(item) for name, item in value.items()} if isinstance(value, dict) else value


def hub_records(spec: TaskSpec, split: str, folder: Path) -> Iterator[dict[str, Any]]:
    source = open_task_data(spec, "synthetic").source
    names = NAMED_ELSEWHERE.get(spec.id, {})
    for _, record in zip(range(COUNT), source.records(split), strict=False):
        row = {names.get(name, name): encoded(value) for name, value in record.items()}
        if spec.id in IMAGES_BESIDE:
            name = row[IMAGES_BESIDE[spec.id]]
            (folder / "images").mkdir(exist_ok=True)
            (folder / "images" / name).write_bytes(row["image"]["bytes"])
            row["image"] = name
        yield row


def write_parquet(rows: list[dict[str, Any]], path: Path) -> None:
    import datasets

    data = datasets.Dataset.from_list(rows)
    for name, value in rows[0].items():
        if isinstance(value, dict) and "bytes" in value:
            data = data.cast_column(name, datasets.Image())
    data.to_parquet(path)


@pytest.mark.parametrize("task", sorted(SPECS))
def test_the_hubs_columns_give_the_examples_of_the_spec(
    task: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    spec = SPECS[task]
    source = spec.data.hub
    assert source is not None
    split = spec.splits[0].name
    hub_split = source.splits.get(split, split)
    rows = list(hub_records(spec, split, tmp_path))
    for lookup in source.lookups:
        write_parquet([row.pop(lookup.name) for row in rows], tmp_path / f"{lookup.config}.parquet")
    write_parquet(rows, tmp_path / f"{source.config}.parquet")

    def load(self: HuggingFaceHub, name: str, config: str | None, split: str, revision: str) -> Any:
        assert (name, split, revision) == (source.id, hub_split, source.revision or COMMIT)
        return datasets.load_dataset(
            "parquet",
            data_files={split: str(tmp_path / f"{config}.parquet")},
            split=split,
            streaming=True,
            cache_dir=str(tmp_path / "cache"),
        )

    monkeypatch.setattr(HuggingFaceHub, "resolve", lambda self, name, revision: revision or COMMIT)
    monkeypatch.setattr(HuggingFaceHub, "load", load)
    hub = open_task_data(spec, "hub", data_dir=tmp_path if task in IMAGES_BESIDE else None)
    hub.check([split])
    expected = list(open_task_data(spec, "synthetic").examples(split, stop=COUNT))
    found = list(hub.examples(split, stop=COUNT))
    assert len(found) == COUNT and hub.fingerprint([split])["splits"][split]["split"] == hub_split
    for one, other in zip(found, expected, strict=True):
        assert isinstance(one, Example) and isinstance(other, Example)
        assert (one.fields, one.references, one.strata) == (other.fields, other.references, other.strata)
        assert pixels(one) == pixels(other)
        assert build_request(spec, one).prompt == build_request(spec, other).prompt


def pixels(example: Example) -> list[bytes]:
    return [np.asarray(frame).tobytes() for visual in example.visuals for frame in visual.frames()]
