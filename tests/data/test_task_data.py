"""The data of a task as the engine sees it: checked early, streamed, resumed by position."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml
from PIL import Image

from evalsuite.data import KINDS, BadExample, TaskData, open_task_data
from evalsuite.errors import DataError, MissingDependency, SpecError, UnknownName
from evalsuite.specs.schema import TaskSpec
from evalsuite.types import Example

TASK: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "fixtures" / "picture_task.yaml").read_text("utf-8"))


def spec(data: dict[str, Any] | None = None, fields: dict[str, Any] | None = None, **changes: Any) -> TaskSpec:
    mapped = {**TASK["fields"], **(fields or {})}
    return TaskSpec.model_validate({**TASK, "data": data or {"files": {}}, "fields": mapped, **changes})


def rows(count: int = 5) -> list[dict[str, Any]]:
    return [{"id": place, "question": f"q{place}", "answer": "a", "image": f"{place}.png"} for place in range(count)]


def write(folder: Path, records: list[dict[str, Any]], images: int | None = None) -> Path:
    """Annotations and pictures of the first ``images`` records below ``folder``."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    (folder / "val.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    for place in range(len(records) if images is None else images):
        Image.new("RGB", (4, 4)).save(folder / "images" / f"{place}.png")
    return folder


def opened(folder: Path, **changes: Any) -> TaskData:
    return open_task_data(spec(**changes), "files", data_dir=folder)


def ids(examples: Iterator[Example | BadExample]) -> list[str]:
    return [example.key.id for example in examples]


def test_files_of_a_task_lie_in_its_own_folder_or_in_the_folder_itself(tmp_path: Path) -> None:
    write(tmp_path / "shared" / "tiny_vqa", rows(3))
    write(tmp_path / "own", rows(2))
    for folder, count in (("shared", 3), ("own", 2)):
        data = opened(tmp_path / folder)
        data.check()
        assert data.kind == "files" and data.count("val") == count == len(list(data.examples("val")))
        assert all(isinstance(example, Example) for example in data.examples("val"))


def test_the_overrides_of_a_source_apply_to_it(tmp_path: Path) -> None:
    write(tmp_path, [{**row, "label": "b"} for row in rows(1)])
    (example,) = opened(tmp_path, data={"files": {"fields": {"references": "label"}}}).examples("val")
    assert example.references == ["b"]


def test_positions_run_through_the_split_and_done_ones_are_left_out_unmapped(tmp_path: Path) -> None:
    records: list[dict[str, Any]] = rows()
    records[1] = {"broken": True}
    write(tmp_path, records)
    data = opened(tmp_path)
    examples = list(data.examples("val", start=lambda position: position not in (1, 3)))
    assert [example.position for example in examples] == [0, 2, 4]
    assert all(isinstance(example, Example) for example in examples)


def test_reading_ends_at_the_stop(tmp_path: Path) -> None:
    write(tmp_path, rows())
    with (tmp_path / "val.jsonl").open("a") as file:
        file.write("{broken\n")
    assert ids(opened(tmp_path).examples("val", stop=5)) == ["0", "1", "2", "3", "4"]
    assert ids(opened(tmp_path).examples("val", stop=2)) == ["0", "1"]
    assert ids(opened(tmp_path).examples("val", stop=0)) == []


def test_exploded_positions_are_the_same_whatever_was_skipped(tmp_path: Path) -> None:
    records = [{"image": "0.png", "qa": [{"q": f"{place}{n}"} for n in range(place)]} for place in range(4)]
    write(tmp_path, records)
    fields = {"explode": "qa", "id": "item.q", "references": "item.q", "values": {"question": "item.q"}}
    data = opened(tmp_path, fields=fields)
    whole = {example.position: example.key.id for example in data.examples("val")}
    assert whole == {0: "10", 1: "20", 2: "21", 3: "30", 4: "31", 5: "32"}
    assert {e.position: e.key.id for e in data.examples("val", start=lambda p: p > 2)} == {3: "30", 4: "31", 5: "32"}
    assert ids(data.examples("val", stop=2)) == ["10", "20"]
    assert data.count("val") is None


def test_a_record_that_does_not_map_becomes_a_bad_example_and_the_rest_goes_on(tmp_path: Path) -> None:
    records = rows()
    records[2]["question"] = None
    write(tmp_path, records)
    data = opened(tmp_path)
    data.check()
    examples = list(data.examples("val"))
    assert [isinstance(example, BadExample) for example in examples] == [False, False, True, False, False]
    assert examples[2].key.id == "2" and examples[2].position == 2 and examples[2].references == ["a"]


def test_the_check_names_a_wrong_column_before_anything_runs(tmp_path: Path) -> None:
    write(tmp_path, rows())
    with pytest.raises(DataError, match=r"no column 'qestion'\. Did you mean 'question'\?"):
        opened(tmp_path, fields={"values": {"question": "qestion"}}).check()


def test_the_check_opens_the_first_images(tmp_path: Path) -> None:
    write(tmp_path, rows(), images=0)
    data = opened(tmp_path)
    with pytest.raises(DataError, match=r"tiny_vqa, split 'val', first example: .*0\.png: there is no such file"):
        data.check()
    data.check(images=False)


def test_one_broken_image_at_the_start_does_not_stop_a_run(tmp_path: Path) -> None:
    write(tmp_path, rows())
    (tmp_path / "images" / "0.png").write_bytes(b"")
    opened(tmp_path).check()


def test_the_check_names_missing_and_empty_splits(tmp_path: Path) -> None:
    write(tmp_path, [])
    with pytest.raises(DataError, match="split 'val' holds no examples"):
        opened(tmp_path).check()
    (tmp_path / "val.jsonl").unlink()
    with pytest.raises(DataError, match="no file of split 'val'"):
        opened(tmp_path).check()


def test_only_the_splits_asked_for_are_checked(tmp_path: Path) -> None:
    write(tmp_path, rows())
    data = opened(tmp_path, splits=[{"name": "val"}, {"name": "test"}])
    data.check(["val"])
    assert list(data.fingerprint(["val"])["splits"]) == ["val"]
    with pytest.raises(UnknownName, match=r"unknown split 'tset'\. Did you mean 'test'\?"):
        data.check(["tset"])


def test_clips_need_the_video_package_before_anything_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, rows())
    video = {"images": [], "video": "image"}
    data = opened(tmp_path, fields=video, image={"frames": 2, "stride": 1, "truncate": False})
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingDependency, match="reading video files needs 'av'"):
        data.check()


def test_the_fingerprint_covers_every_split(tmp_path: Path) -> None:
    write(tmp_path, rows())
    fingerprint = opened(tmp_path).fingerprint()
    assert fingerprint["kind"] == "files" and fingerprint["splits"]["val"]["files"][0]["name"] == "val.jsonl"
    assert json.loads(json.dumps(fingerprint)) == fingerprint


def test_what_is_missing_to_open_data_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match=r"unknown kind of data 'file'\. Did you mean 'files'"):
        open_task_data(spec(), "file")
    with pytest.raises(DataError, match=r"no hub source for this task\. Use --data files"):
        open_task_data(spec(), "hub")
    with pytest.raises(DataError, match=r"name the data folder; it holds tiny_vqa/<split>\.jsonl"):
        open_task_data(spec(), "files")
    with pytest.raises(DataError, match="absent: there is no such folder"):
        open_task_data(spec(), "files", data_dir=tmp_path / "absent")
    with pytest.raises(SpecError, match=r"tiny_vqa: fields\.references"):
        open_task_data(spec(fields={"references": "nope("}), "files", data_dir=tmp_path)


def test_files_work_for_a_spec_that_names_none(tmp_path: Path) -> None:
    write(tmp_path, rows())
    open_task_data(spec({"hub": {"id": "owner/name"}}), "files", data_dir=tmp_path).check()


def test_the_synthetic_world_gets_generator_parameters_size_and_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    class World:
        def __init__(self, generator: str, parameters: Mapping[str, Any], size: int, seed: int = 0) -> None:
            self.told = (generator, dict(parameters), size, seed)

    module = ModuleType("evalsuite.data.synthetic")
    module.SyntheticSource = World  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    synthetic = {"synthetic": {"generator": "shapes", "parameters": {"count": 3}, "size": 7}}
    data = open_task_data(spec(synthetic), "synthetic", seed=9)
    assert data.source.told == ("shapes", {"count": 3}, 7, 9)  # type: ignore[attr-defined]
    larger = open_task_data(spec(synthetic), "synthetic", scale=3)
    assert larger.source.told == ("shapes", {"count": 3}, 21, 0)  # type: ignore[attr-defined]


def test_images_that_hub_records_only_name_come_from_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, rows(1))

    class LocalHub:
        def resolve(self, name: str, revision: str | None) -> str:
            return "0" * 40

        def load(self, name: str, config: str | None, split: str, revision: str) -> Any:
            import datasets

            files = {split: str(tmp_path / "val.jsonl")}
            return datasets.load_dataset("json", data_files=files, split=split, streaming=True)

    monkeypatch.setattr("evalsuite.data.hub.HuggingFaceHub", LocalHub)
    data = open_task_data(spec({"hub": {"id": "owner/name"}}), "hub", data_dir=tmp_path)
    data.check()
    assert ids(data.examples("val")) == ["0"] and data.fingerprint()["splits"]["val"]["revision"] == "0" * 40


def test_every_kind_is_known() -> None:
    assert KINDS == ("synthetic", "hub", "files")


def test_where_leaves_records_out_and_positions_count_the_rest(tmp_path: Path) -> None:
    """Resuming goes by position, so the third record that counts is position 2 whatever lies between."""
    data = opened(write(tmp_path, rows(6)), fields={"where": "id != `1` && id != `4`"})
    assert [(e.key.id, e.position) for e in data.examples("val")] == [("0", 0), ("2", 1), ("3", 2), ("5", 3)]
    assert data.count("val") is None and data.count("val", exact=True) == 4
    assert [e.key.id for e in data.examples("val", start=lambda position: position >= 2)] == ["3", "5"]


def test_where_looks_at_the_items_of_records_that_explode(tmp_path: Path) -> None:
    record = {
        "id": 0,
        "image": "0.png",
        "qa": [{"q": "a", "kind": "x"}, {"q": "b", "kind": "y"}, {"q": "c", "kind": "x"}],
    }
    fields = {"explode": "qa", "where": "item.kind == 'x'", "id": "item.q", "references": "[item.q]"}
    data = opened(write(tmp_path, [record]), fields={**fields, "values": {"question": "item.q"}})
    assert [e.key.id for e in data.examples("val")] == ["a", "c"]


def test_where_on_a_column_that_is_missing_is_an_error_and_leaves_nothing_out_in_silence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no column 'kind'"):
        opened(write(tmp_path, rows(2)), fields={"where": "kind == 'x'"}).check()


def test_an_outline_is_a_box_in_shares_of_the_image(tmp_path: Path) -> None:
    record = {"id": 0, "image": "0.png", "question": "q", "answer": "a", "bbox": [1, 0, 2, 4]}
    fields = {"outline": "shares(corners(bbox), image_size(image))"}
    (example,) = opened(write(tmp_path, [record]), fields=fields).examples("val")
    assert isinstance(example, Example) and example.outline == (0.25, 0.0, 0.75, 1.0)


def test_an_outline_that_is_no_box_is_the_examples_error(tmp_path: Path) -> None:
    (example,) = opened(write(tmp_path, rows(1)), fields={"outline": "[id]"}).examples("val")
    assert isinstance(example, BadExample) and "not [left, top, right, bottom]" in example.error


def test_only_reported_splits_are_looked_at_unless_others_are_named(tmp_path: Path) -> None:
    splits = [{"name": "val"}, {"name": "train", "role": "selection"}]
    data = opened(write(tmp_path, rows(1)), splits=splits)
    data.check()  # there is no file for train
    assert set(data.fingerprint()["splits"]) == {"val"}
    with pytest.raises(DataError, match="'train'"):
        data.check(["train"])
