"""Local files: every format gives the same records, and what is wrong is named by file and line."""

from __future__ import annotations

import bz2
import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from evalsuite.data.expressions import Columns
from evalsuite.data.files import ANY_COLUMN, FilesSource
from evalsuite.errors import DataError
from evalsuite.specs.parts import FilesSource as FilesSpec

ROWS = [{"id": str(place), "question": f'which, "{place}"?\nand é', "answer": "a"} for place in range(5)]


def lines(rows: list[Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def source(folder: Path, columns: Columns = ANY_COLUMN, **settings: Any) -> FilesSource:
    return FilesSource(folder, FilesSpec.model_validate(settings), columns)


def rows_of(folder: Path, split: str = "val", **settings: Any) -> list[dict[str, Any]]:
    return [dict(record) for record in source(folder, **settings).records(split)]


def without_file(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if not name.startswith("source_")} for row in rows]


def write(folder: Path, kind: str, rows: list[dict[str, Any]]) -> Path:
    path = folder / f"val.{kind}"
    if kind == "parquet":
        import pyarrow
        import pyarrow.parquet

        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path, row_group_size=2)
    elif kind in ("csv", "tsv"):
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, rows[0], delimiter="," if kind == "csv" else "\t")
            writer.writeheader()
            writer.writerows(rows)
    elif kind == "json":
        path.write_text(json.dumps(rows))
    elif kind == "jsonl.gz":
        path.write_bytes(gzip.compress(lines(rows).encode()))
    else:
        path.write_text(lines(rows))
    return path


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "json", "csv", "tsv", "parquet"])
def test_every_format_gives_the_same_records_in_order(tmp_path: Path, kind: str) -> None:
    write(tmp_path, kind, ROWS)
    assert rows_of(tmp_path) == [{**row, "source_file": "val", "source_path": "val"} for row in ROWS]
    assert source(tmp_path).count("val") == 5


def test_bz2_is_unpacked_when_the_spec_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "dev.jsonl.bz2").write_bytes(bz2.compress(lines(ROWS).encode()))
    assert without_file(rows_of(tmp_path, splits={"val": ["dev.jsonl.bz2"]})) == ROWS


def test_reading_streams(tmp_path: Path) -> None:
    """A broken last line is met only when it is reached."""
    (tmp_path / "val.jsonl").write_text(lines(ROWS) + "{broken\n")
    records = source(tmp_path).records("val")
    assert next(iter(records))["id"] == "0"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"q1": {"a": 1}, "q2": {"a": 2}}, [{"id": "q1", "a": 1}, {"id": "q2", "a": 2}]),
        ({"q1": {"a": 1, "id": "own"}}, [{"id": "own", "a": 1}]),
        ({"version": 1, "data": [{"a": 1}]}, [{"a": 1}]),
        ([], []),
    ],
)
def test_json_documents_of_the_usual_shapes_are_understood(tmp_path: Path, document: Any, expected: Any) -> None:
    (tmp_path / "val.json").write_text(json.dumps(document, indent=1))
    assert without_file(rows_of(tmp_path)) == expected


def test_json_lines_under_the_ending_json_are_understood(tmp_path: Path) -> None:
    (tmp_path / "val.json").write_text(lines(ROWS))
    assert without_file(rows_of(tmp_path)) == ROWS and source(tmp_path).count("val") == 5


def test_two_lists_in_one_document_are_ambiguous(tmp_path: Path) -> None:
    (tmp_path / "val.json").write_text(json.dumps({"info": 1, "questions": [{"a": 1}], "images": [{"b": 1}]}))
    with pytest.raises(DataError, match=r"which list holds the records.*questions, images"):
        rows_of(tmp_path)


COCO = {
    "images": [
        {"id": 9, "file_name": "9.jpg", "height": 2, "width": 3},
        {"id": 1, "file_name": "1.jpg"},
        {"id": 4, "file_name": "4.jpg"},
    ],
    "annotations": [
        {"id": 1, "image_id": 1, "caption": "one"},
        {"id": 2, "image_id": 9, "caption": "nine a"},
        {"id": 3, "image_id": 9, "caption": "nine b"},
    ],
}


def test_coco_captions_are_grouped_by_image_in_the_order_of_images(tmp_path: Path) -> None:
    (tmp_path / "val.json").write_text(json.dumps(COCO))
    rows = without_file(rows_of(tmp_path, format="coco_captions"))
    assert rows == [
        {"image_id": 9, "file_name": "9.jpg", "captions": ["nine a", "nine b"], "height": 2, "width": 3},
        {"image_id": 1, "file_name": "1.jpg", "captions": ["one"], "height": None, "width": None},
    ]
    assert source(tmp_path, format="coco_captions").count("val") == 2


def test_a_file_without_captions_is_no_caption_file(tmp_path: Path) -> None:
    document = {"images": [{"id": 1, "file_name": "a"}], "annotations": [{"bbox": []}]}
    (tmp_path / "val.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match="not a COCO caption file"):
        rows_of(tmp_path, format="coco_captions")


def test_several_files_form_a_split_and_say_where_a_record_is_from(tmp_path: Path) -> None:
    for name in ("test_human", "test_augmented"):
        (tmp_path / f"{name}.json").write_text(json.dumps([{"from": name}]))
    rows = rows_of(tmp_path, splits={"val": ["test_human.json", "test_*.json"]})
    assert [row["source_file"] for row in rows] == ["test_human", "test_augmented"]
    assert all(row["from"] == row["source_file"] for row in rows)


def test_a_source_file_column_of_the_data_is_kept(tmp_path: Path) -> None:
    (tmp_path / "val.jsonl").write_text(lines([{"source_file": "mine"}]))
    assert rows_of(tmp_path)[0]["source_file"] == "mine"


def test_shards_are_read_in_order(tmp_path: Path) -> None:
    for shard in (1, 0):
        write(tmp_path, "parquet", [{"n": shard}]).rename(tmp_path / f"val-0000{shard}-of-00002.parquet")
    assert [row["n"] for row in rows_of(tmp_path)] == [0, 1]


def test_a_column_may_name_the_split_of_every_record(tmp_path: Path) -> None:
    rows = [{"id": n, "part": "val" if n % 2 else "test"} for n in range(5)]
    (tmp_path / "all.jsonlines").write_text(lines(rows))
    settings: dict[str, Any] = {"splits": {"val": ["all.jsonlines"]}, "split_column": "part"}
    assert [row["id"] for row in rows_of(tmp_path, **settings)] == [1, 3]
    assert source(tmp_path, **settings).count("val") == 2


def test_a_missing_split_says_what_was_looked_for_and_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text("")
    with pytest.raises(DataError, match=r"no file of split 'val'.*val\.\{jsonl,json,.*parquet\}.*holds: test\.jsonl"):
        rows_of(tmp_path)
    with pytest.raises(DataError, match=r"Looked for: nothing_\*\.json"):
        rows_of(tmp_path, splits={"val": ["nothing_*.json"]})


def test_a_split_that_is_there_twice_is_ambiguous(tmp_path: Path) -> None:
    write(tmp_path, "jsonl", ROWS)
    write(tmp_path, "csv", ROWS)
    with pytest.raises(DataError, match=r"more than once \(val\.jsonl, val\.csv\)"):
        rows_of(tmp_path)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="absent: there is no such folder"):
        source(tmp_path / "absent")


@pytest.mark.parametrize("name", ["../outside.jsonl", "/etc/hosts"])
def test_a_spec_cannot_point_out_of_the_data_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match="must be a path below the data folder"):
        rows_of(tmp_path, splits={"val": [name]})
    with pytest.raises(DataError, match="must be a path below"):
        _ = source(tmp_path, images=name).media_root


@pytest.mark.parametrize(
    ("kind", "content", "place"),
    [
        ("jsonl", '{"a": 1}\n{"a": \n', r"val\.jsonl:2: not valid JSON"),
        ("jsonl", '{"a": 1}\n\n[1]\n', r"val\.jsonl:3: not an object"),
        ("jsonl", '{"a": ' + "[" * 100_000 + "\n", r"val\.jsonl:1: not valid JSON"),
        ("json", '[{"a": 1},\n{"a": }]', r"val\.json:2: not valid JSON"),
        ("json", '[{"a": 1}, 5]', r"val\.json: element 1 is not an object"),
        ("json", '"text"', r"val\.json: neither a list"),
        ("csv", "a,b\n1,2\n1,2,3\n", r"val\.csv:3: 3 values for 2 columns"),
        ("csv", 'a,b\n1,"2', r"val\.csv:2: "),
        ("csv", "", r"val\.csv: the file is empty"),
        ("parquet", "text", r"val\.parquet: not a Parquet file"),
        ("jsonl.gz", "text", r"val\.jsonl\.gz: cannot be read"),
    ],
)
def test_a_malformed_file_is_named_with_its_line(tmp_path: Path, kind: str, content: str, place: str) -> None:
    (tmp_path / f"val.{kind}").write_text(content)
    with pytest.raises(DataError, match=place):
        rows_of(tmp_path)


def test_text_in_another_encoding_is_a_data_error(tmp_path: Path) -> None:
    (tmp_path / "val.csv").write_bytes("a\né\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"val\.csv: cannot be read"):
        rows_of(tmp_path)


@pytest.mark.parametrize("kind", ["jsonl", "csv", "parquet"])
def test_a_missing_column_lists_the_columns_and_the_nearest(tmp_path: Path, kind: str) -> None:
    write(tmp_path, kind, ROWS)
    columns = Columns(frozenset(["qestion"]), frozenset(["qestion"]))
    with pytest.raises(DataError, match=r"no column 'qestion'\. Did you mean 'question'\?.*id, question, answer"):
        next(iter(source(tmp_path, columns).records("val")))


def test_only_needed_columns_are_read_from_parquet(tmp_path: Path) -> None:
    write(tmp_path, "parquet", ROWS)
    columns = Columns(frozenset(["id", "absent"]), frozenset(["id"]))
    assert next(iter(source(tmp_path, columns).records("val"))) == {
        "id": "0",
        "source_file": "val",
        "source_path": "val",
    }


def test_the_fingerprint_changes_with_the_content_and_not_with_the_place(tmp_path: Path) -> None:
    prints = []
    for folder, rows in (("a", ROWS), ("b", ROWS), ("c", ROWS[:4])):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder, "jsonl", rows)
        prints.append(source(tmp_path / folder).fingerprint("val"))
    assert prints[0] == prints[1] != prints[2]
    (entry,) = prints[0]["files"]
    assert entry["name"] == "val.jsonl" and len(entry["sha256"]) == 64
    assert entry["bytes"] == (tmp_path / "a" / "val.jsonl").stat().st_size


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, "jsonl", ROWS)
    before = source(tmp_path).fingerprint("val")
    path.write_text(lines(ROWS[:1]))
    assert source(tmp_path).fingerprint("val") != before
