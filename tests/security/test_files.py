"""Data files from a stranger: JSON, CSV, Parquet, archives and pickles."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import json
import os
import pickle
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalsuite.data import open_task_data, readers
from evalsuite.data.formats import FORMATS, load_format
from evalsuite.data.readers import READERS, RecordFile, ending
from evalsuite.data.refer import read_refs
from evalsuite.errors import DataError, EvalsuiteError
from evalsuite.specs.loader import load_spec

DEEP = "[" * 100_000
DIGITS = "9" * 100_000


def read(path: Path) -> list[dict[str, Any]]:
    return list(RecordFile(path, READERS[ending(path)]).records())


@pytest.mark.parametrize("name", ["a.json", "a.jsonl", "a.json.gz", "a.jsonl.bz2"])
@pytest.mark.parametrize(
    "text", [DEEP, f'{{"a": {DEEP}', f'[{{"a": {DIGITS}}}]', '{"a": 1}{', "\ufeff", "NaN", '"\\ud800"']
)
def test_json_of_any_depth_or_length_ends_in_our_error(name: str, text: str, tmp_path: Path) -> None:
    data = text.encode()
    path = tmp_path / name
    path.write_bytes(gzip.compress(data) if name.endswith("gz") else bz2.compress(data) if name.endswith("2") else data)
    with pytest.raises(DataError):
        read(path)


@pytest.mark.parametrize("name", sorted(FORMATS))
@pytest.mark.parametrize(
    "text", [DEEP, DIGITS, "{}", "[]", '{"images": 1, "annotations": {}}', "x: [[" * 20_000, "\x00", ""]
)
def test_every_format_refuses_what_it_is_not(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "p1" / "s1.txt"
    path.parent.mkdir()
    path.write_text(text)
    start = time.monotonic()
    with contextlib.suppress(EvalsuiteError):
        list(load_format(name)(path))
    assert time.monotonic() - start < 5


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("total_text_words", "x: [[1 2\n" * 50_000),
        ("total_text_words", "x: [[" * 100_000),
        ("mimic_reports", "A" + " CHEST" * 50_000 + "x"),
        ("mimic_reports", " A:\n" * 50_000),
        ("mimic_reports", "A" * 300_000),
    ],
)
def test_patterns_take_linear_time(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / "p1" / "s1.txt"
    path.parent.mkdir()
    path.write_text(text)
    start = time.monotonic()
    with contextlib.suppress(DataError):
        list(load_format(name)(path))
    assert time.monotonic() - start < 10


@pytest.mark.parametrize("pack", [gzip, bz2])
def test_a_file_that_unpacks_to_a_thousand_times_its_size_is_refused(
    pack: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: Callable[..., object]
) -> None:
    monkeypatch.setattr(readers, "FREELY_UNPACKED", 1 << 20)
    path = tmp_path / f"a.jsonl.{'gz' if pack is gzip else 'bz2'}"
    path.write_bytes(pack.compress((b'{"a": "%s"}\n' % (b"x" * 65_536)) * 256))
    with memory(64), pytest.raises(DataError, match="times its size"):
        for _ in RecordFile(path, READERS["jsonl"]).records():
            pass


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.tsv"])
def test_a_line_without_an_end_is_not_kept(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_RECORD", 1 << 16)
    (tmp_path / name).write_text("a" * (1 << 20))
    with pytest.raises(DataError, match="a line of more than"):
        read(tmp_path / name)


def test_a_cell_that_is_never_closed_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_RECORD", 1 << 16)
    (tmp_path / "a.csv").write_text('a,b\n1,"' + "x\n" * (1 << 19))
    with pytest.raises(DataError, match="field larger than field limit"):
        read(tmp_path / "a.csv")


def test_a_document_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_DOCUMENT", 1 << 20)
    (tmp_path / "a.json").write_text("[" + "1," * (1 << 20) + "1]")
    with pytest.raises(DataError, match="a document of more than"):
        read(tmp_path / "a.json")


@pytest.mark.parametrize("data", [b"PAR1" + b"\xff" * 100 + b"PAR1", b"", b"PAR1", os.urandom(1000)])
def test_a_broken_parquet_file_is_our_error(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(data)
    with pytest.raises(DataError):
        read(tmp_path / "a.parquet")


class _Owned:
    def __reduce__(self) -> Any:
        return os.system, ("touch owned",)


@pytest.mark.parametrize(
    "data",
    [
        pickle.dumps([_Owned()]),
        pickle.dumps([{"a": _Owned()}], protocol=0),
        b"\x80\x02}r\xff\xff\xff\x7f.",  # a place in the memo for which 16 GB would be made
        b"\x80\x04\x96\xff\xff\xff\xff\xff\xff\xff\x7f.",  # so many bytes
        b"\x80\x02\x82\x01.",  # an extension of the registry
        b"\x80\x02]q\x00h\x00a.",  # a list that holds itself
        b"(" * 100_000,
        b"",
    ],
)
def test_a_pickle_runs_nothing_and_takes_no_memory(
    data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, memory: Callable[..., object]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "refs.p").write_bytes(data)
    with memory(64), pytest.raises(DataError):
        read_refs(tmp_path / "refs.p")
    assert not (tmp_path / "owned").exists()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.jsonl").write_text('{"id": "1", "question": "secret", "answer": ["secret"]}\n')
    (tmp_path / "data" / "own").mkdir(parents=True)
    return tmp_path / "data"


@pytest.mark.parametrize("pattern", ["../../secret.jsonl", "/etc/passwd", "a/../../../secret.jsonl", "..", "\x00"])
def test_files_of_a_spec_lie_below_the_data_folder(pattern: str, folder: Path, own_task: Callable[..., Path]) -> None:
    specs = own_task([], data={"files": {"splits": {"test": [pattern]}}})
    with pytest.raises(DataError, match="below the data folder"):
        open_task_data(load_spec(specs / "own.yaml"), "files", data_dir=folder).check()


@pytest.mark.parametrize("images", ["..", "../..", "/", "a/../.."])
def test_the_image_folder_of_a_spec_lies_below_the_data_folder(
    images: str, folder: Path, own_task: Callable[..., Path]
) -> None:
    specs = own_task([], data={"files": {"images": images}})
    with pytest.raises(DataError, match="below the data folder"):
        open_task_data(load_spec(specs / "own.yaml"), "files", data_dir=folder)


@pytest.mark.parametrize("splits", [{}, {"test": ["*.jsonl"]}])
def test_a_link_out_of_the_data_folder_is_not_followed(
    splits: dict[str, list[str]], folder: Path, tmp_path: Path, own_task: Callable[..., Path]
) -> None:
    specs = own_task([], data={"files": {"splits": splits}})
    (folder / "own" / "test.jsonl").unlink()
    (folder / "own" / "test.jsonl").symlink_to(tmp_path / "secret.jsonl")
    with pytest.raises(DataError, match="leads out of the data folder"):
        open_task_data(load_spec(specs / "own.yaml"), "files", data_dir=folder).check()


def test_a_link_inside_of_the_data_folder_is_followed(
    folder: Path, tmp_path: Path, own_task: Callable[..., Path]
) -> None:
    specs = own_task([{"id": "1", "question": "q", "answer": ["a"]}])
    (folder / "own" / "test.jsonl").rename(folder / "own" / "blob")
    (folder / "own" / "test.jsonl").symlink_to("blob")
    (tmp_path / "linked").symlink_to(folder)
    for data_dir in (folder, tmp_path / "linked"):
        open_task_data(load_spec(specs / "own.yaml"), "files", data_dir=data_dir).check()


@pytest.mark.parametrize("depth", [66, 400, 900])
def test_references_nested_too_deeply_fail_alone(depth: int, folder: Path, own_task: Callable[..., Path]) -> None:
    specs = own_task([])
    nested = json.dumps({"id": "1", "question": "q", "answer": 0}).replace("0", "[" * depth + "]" * depth)
    plain = json.dumps({"id": "2", "question": "q", "answer": ["a"]})
    (folder / "own" / "test.jsonl").write_text(f"{nested}\n{plain}\n")
    data = open_task_data(load_spec(specs / "own.yaml"), "files", data_dir=folder)
    first, second = data.examples("test")
    assert "nested deeper than 64 levels" in getattr(first, "error", "") and not hasattr(second, "error")
