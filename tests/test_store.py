"""The store: one row per example, written twice without harm, damaged rows found."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from evalsuite.errors import StoreError
from evalsuite.store import PredictionStore
from evalsuite.types import ExampleKey, Prediction


def prediction(id_: str, position: int, text: str = "answer", error: str | None = None) -> Prediction:
    key = ExampleKey("vqav2", "val", id_)
    return Prediction(key, position, "answer en what?", text, ["a", "b"], {"type": "other"}, error, {"tokens": 2})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "predictions.sqlite"


def stored(path: Path) -> list[Prediction]:
    with PredictionStore(path, read_only=True) as store:
        return list(store.read("vqav2", "val"))


def test_a_prediction_comes_back_as_it_was_stored(path: Path) -> None:
    with PredictionStore(path) as store:
        store.add([prediction("7", 0, "naïve 🙂 \x00 <loc0001>\n")])
    assert stored(path) == [prediction("7", 0, "naïve 🙂 \x00 <loc0001>\n")]


def test_predictions_are_read_in_data_set_order_whatever_the_order_of_writing(path: Path) -> None:
    with PredictionStore(path) as store:
        store.add([prediction("c", 2), prediction("a", 0)])
        store.add([prediction("b", 1)])
        assert [p.key.id for p in store.read("vqav2", "val")] == ["a", "b", "c"]
        assert [p.key.id for p in store.read("vqav2", "val", stop=2)] == ["a", "b"]


def test_writing_a_prediction_twice_changes_nothing(path: Path) -> None:
    with PredictionStore(path) as store:
        store.add([prediction("a", 0, "first")])
        store.add([prediction("a", 0, "second")])
    assert [p.text for p in stored(path)] == ["first"]


def test_a_stored_error_gives_way_to_an_answer(path: Path) -> None:
    with PredictionStore(path) as store:
        store.add([prediction("a", 0, "", error="broken image")])
        assert list(store.done("vqav2", "val")) == [0]
        store.add([prediction("a", 0, "answer")])
        assert list(store.done("vqav2", "val")) == [1]
    assert stored(path)[0].error is None


def test_a_repeated_id_is_kept_as_an_error_row_of_its_own(path: Path) -> None:
    with PredictionStore(path) as store:
        store.add([prediction("a", 0)])
        store.add([prediction("b", 1), prediction("a", 2)])
        assert [str(key) for key, _ in store.errors()] == ["vqav2/val/a#2"]
    assert [p.key.id for p in stored(path)] == ["a", "b", "a#2"]


def test_lone_surrogates_are_stored_as_replacement_characters(path: Path) -> None:
    with PredictionStore(path) as store:
        store.add([prediction("a", 0, "x\ud800y")])
    assert stored(path)[0].text == "x\ufffdy"


@pytest.mark.parametrize("column", ["text", "target", "id", "prompt", "checksum"])
def test_a_damaged_row_is_named_and_never_read(path: Path, column: str) -> None:
    with PredictionStore(path) as store:
        store.add([prediction("a", 0), prediction("b", 1)])
    with sqlite3.connect(path) as raw:
        raw.execute(f"UPDATE predictions SET {column} = 'garbage' WHERE position = 1")
    with pytest.raises(StoreError, match="damaged"):
        stored(path)
    with PredictionStore(path) as store:
        (damaged,) = store.remove_damaged("vqav2", "val")
        assert damaged.split == "val"
        assert [p.key.id for p in store.read("vqav2", "val")] == ["a"]


def test_bytes_that_are_no_text_count_as_a_damaged_row(path: Path) -> None:
    with PredictionStore(path) as store:
        store.add([prediction("a", 0)])
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE predictions SET text = CAST(X'FFFE' AS TEXT)")
    with PredictionStore(path) as store:
        assert len(store.remove_damaged("vqav2", "val")) == 1


def test_a_file_that_is_no_store_is_refused_with_a_way_out(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be looked at" * 100)
    with pytest.raises(StoreError, match="Move the file away"):
        PredictionStore(path)


def test_a_store_of_another_version_is_refused(path: Path) -> None:
    PredictionStore(path).close()
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE format SET version = 99")
    with pytest.raises(StoreError, match="store format 99"):
        PredictionStore(path)


def test_reading_a_missing_store_says_so(path: Path) -> None:
    with pytest.raises(StoreError, match="no such file"):
        PredictionStore(path, read_only=True)


def test_a_full_disk_is_reported_and_loses_nothing(path: Path) -> None:
    with PredictionStore(path) as store:
        store.add([prediction("a", 0)])
        (pages,) = store._db.execute("PRAGMA page_count").fetchone()
        store._db.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(StoreError, match=r"cannot write .*full"):
            store.add([prediction(str(i), i, "x" * 5000) for i in range(1, 50)])
        assert [p.key.id for p in store.read("vqav2", "val")] == ["a"]
