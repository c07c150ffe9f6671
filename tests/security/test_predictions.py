"""Files of predictions from a stranger."""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from evalsuite.backends.base import BackendOptions
from evalsuite.backends.replay import files as replay_files
from evalsuite.backends.replay.backend import create
from evalsuite.errors import DataError, EvalsuiteError

DEEP = "[" * 100_000
NAMES = ["a.json", "a.jsonl", "a.csv", "a.tsv", "a.parquet", "a.json.gz", "a.jsonl.gz", "a.csv.gz"]


def read(path: Path) -> None:
    create(BackendOptions(None, {}, {"predictions": str(path)}))


def write(path: Path, text: str) -> Path:
    data = text.encode("utf-8", "surrogatepass")
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "text",
    [
        DEEP,
        f'{{"id": "1", "text": {DEEP}',
        '{"id": ' + "9" * 50_000 + ', "text": "a"}',
        "\x00" * 1000,
        "",
        "\ud800",
        '"' * 999,
    ],
)
def test_every_kind_of_file_ends_in_our_error(name: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(EvalsuiteError):
        read(write(tmp_path / name, text))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.jsonl", '{"id": "1", "text": "' + "x" * 100_000),
        ("a.csv", "id,text\n1," + "x" * 100_000),
        ("a.csv", 'id,text\n1,"' + "x\n" * 50_000),
        ("a.csv", "id,text" + "," * 100_000 + "\n"),
        ("a.json", "[" + "1," * 100_000),
        ("a.jsonl.gz", "x" * 100_000),
    ],
)
def test_lines_cells_and_documents_have_a_limit(
    name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replay_files, "MAX_RECORD", 1 << 14)
    monkeypatch.setattr(replay_files, "MAX_DOCUMENT", 1 << 14)
    path = write(tmp_path / name, text)
    import csv

    before = csv.field_size_limit(1 << 14)
    try:
        with pytest.raises(DataError, match=r"more than|field larger"):
            read(path)
    finally:
        csv.field_size_limit(before)


def test_an_answer_has_a_limit(tmp_path: Path) -> None:
    line = json.dumps({"id": "1", "text": "x" * ((1 << 20) + 1)})
    with pytest.raises(DataError, match="a prediction of 1,048,577 characters"):
        read(write(tmp_path / "a.jsonl", line))


def test_so_has_their_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evalsuite.backends.replay.backend.MOST_PREDICTIONS", 10)
    lines = "".join(json.dumps({"id": str(n), "text": "x"}) + "\n" for n in range(11))
    with pytest.raises(DataError, match="more than 10 predictions"):
        read(write(tmp_path / "a.jsonl", lines))


def test_a_packed_bomb_ends_early(tmp_path: Path, memory: Callable[..., object]) -> None:
    path = write(tmp_path / "a.jsonl.gz", " " * (128 << 20))
    start = time.monotonic()
    with memory(1024), pytest.raises(DataError, match="more than"):
        read(path)
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("name", ["../../etc/passwd", "a.pkl", "a.yaml", "a", "."])
def test_only_known_kinds_of_files_are_opened(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    (tmp_path / "a.yaml").write_text("!!python/object/apply:os.system ['touch owned']")
    (tmp_path / "a").write_text("")
    with pytest.raises(EvalsuiteError):
        read(tmp_path / name)


def test_a_split_and_a_task_cannot_lead_the_template_away(tmp_path: Path) -> None:
    """Their names are checked by the schema (test_specs.py); attributes are the user's own words."""
    import re

    from evalsuite.specs.parts import IDENTIFIER, SPLIT_NAME

    for pattern in (IDENTIFIER, SPLIT_NAME):
        for name in ("..", "../x", "/x", "a/b", ".x", "x\n", ""):
            assert re.fullmatch(pattern.removesuffix("$").removeprefix("^"), name) is None
