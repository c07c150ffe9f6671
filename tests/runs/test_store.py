"""The store: one row per example, written twice without harm, damaged rows found."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
from pathlib import Path

import pytest

from evalsuite.errors import StoreError
from evalsuite.runs.store import Count, PredictionStore
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


def kept(path: Path) -> list[tuple[str, bool]]:
    """(id, whether it is an answer) of every row."""
    return [(item.key.id, item.error is None) for item in stored(path)]


def test_an_id_that_looks_like_that_of_a_repeated_one_is_kept_too(path: Path) -> None:
    with PredictionStore(path) as store:
        store.add([prediction("a#2", 0), prediction("a", 1), prediction("a", 2)])
    assert kept(path) == [("a#2", True), ("a", True), ("a#2#2", False)]


def test_a_made_up_id_gives_way_to_one_of_the_data_in_whatever_order_they_come(path: Path) -> None:
    rows = [prediction("a", 0), prediction("a", 1), prediction("a#1", 2), prediction("a#1", 3), prediction("a#1#1", 4)]
    with PredictionStore(path) as store:
        for row in rows:
            store.add([row])
        errors = dict(store.errors())
        again = store.add([prediction("a", 1)])  # as a run does that is given again
    expected = [("a", True), ("a#1#1#1", False), ("a#1", True), ("a#1#3", False), ("a#1#1", True)]
    assert kept(path) == expected and [item.key.id for item in again] == ["a#1#1#1"]
    assert [error.split(";")[0] for error in errors.values()] == [
        "the id 'a' occurs twice in the data",
        "the id 'a#1' occurs twice in the data",
    ]


def test_what_was_stored_is_given_back_with_the_errors_that_it_became(path: Path) -> None:
    with PredictionStore(path) as store:
        first = store.add([prediction("a", 0), prediction("b", 1)])
        second = store.add([prediction("c", 2), prediction("a", 3)])
    assert [item.error for item in first] == [None, None]
    assert [item.error is None for item in second] == [True, False]


def test_a_broken_example_keeps_its_own_error_when_its_id_is_taken(path: Path) -> None:
    with PredictionStore(path) as store:
        store.add([prediction("a", 0), prediction("a", 1, "", error="broken image")])
        assert [error for _, error in store.errors()] == ["broken image"]


IDS = ["\ud800", "\ud801", "\udfff\ud800", "\ufffd", "\\ud800", "surrogates:\\ud800", "surrogates:a", "a\\b\udc00"]


def test_different_ids_stay_different_and_come_back_as_they_are(path: Path) -> None:
    """Halves of surrogate pairs, which JSON can hold and SQLite cannot, and what they are written as."""
    with PredictionStore(path) as store:
        store.add([prediction(id_, position) for position, id_ in enumerate(IDS)])
        assert list(store.ids("vqav2", "val")) == IDS
        for position, id_ in enumerate(IDS):
            assert [item.position for item in store.with_ids("vqav2", "val", [id_])] == [position]
            assert store.is_duplicate(ExampleKey("vqav2", "val", id_), 99)
    assert kept(path) == [(id_, True) for id_ in IDS]


def test_a_repeated_id_is_known_by_its_first_occurrence(path: Path) -> None:
    with PredictionStore(path) as store:
        store.add([prediction("a", 0), prediction("a", 2), prediction("b", 3, "", error="broken image")])
        assert store.is_duplicate(ExampleKey("vqav2", "val", "a"), 2)
        assert not store.is_duplicate(ExampleKey("vqav2", "val", "b"), 3)


def test_rows_are_counted_below_a_limit(path: Path) -> None:
    with PredictionStore(path) as store:
        store.add([prediction("a", 0), prediction("b", 1, error="x"), prediction("c", 5)])
        assert store.count("vqav2", "val") == store.counts()["vqav2", "val"] == Count(3, 1)
        assert store.count("vqav2", "val", stop=1) == Count(1, 0)
        assert store.count("vqav2", "test") == Count(0, 0)


def test_lone_surrogates_are_stored_as_replacement_characters(path: Path) -> None:
    with PredictionStore(path) as store:
        odd = prediction("a", 0, "x\ud800y")
        store.add([dataclasses.replace(odd, strata={"type": "\ud800"})])
    assert stored(path)[0].text == "x\ufffdy" and stored(path)[0].strata == {"type": "\ufffd"}


@pytest.mark.parametrize("column", ["text", "target", "id", "prompt", "checksum", "position"])
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


def test_a_store_is_there_whole_or_not_at_all(path: Path) -> None:
    """What a process that was killed while it made a store leaves behind is replaced."""
    path.with_name(".predictions.sqlite.new").write_bytes(b"half a store")
    with PredictionStore(path) as store:
        store.add([prediction("a", 0)])
    assert [p.key.id for p in stored(path)] == ["a"]
    assert sorted(name for name in os.listdir(path.parent) if "-" not in name) == ["predictions.sqlite"]


def test_a_store_has_its_final_form_before_it_has_its_name(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forms = []

    def replace(new: Path, old: Path) -> None:
        forms.append((new.read_bytes()[18:20], sorted(file.name for file in new.parent.iterdir())))
        new.rename(old)

    monkeypatch.setattr("os.replace", replace)
    PredictionStore(path).close()
    assert forms == [(b"\x02\x02", [".predictions.sqlite.new"])], "write-ahead logging, and no journal beside it"


def test_the_log_of_a_store_that_was_moved_away_is_not_played_into_the_next_one(path: Path) -> None:
    with PredictionStore(path) as store:
        store.add([prediction("a", 0)])
        log = path.with_name("predictions.sqlite-wal").read_bytes()
        path.rename(path.with_name("away.sqlite"))
    path.with_name("predictions.sqlite-wal").write_bytes(log)
    with PredictionStore(path) as store:
        assert store.counts() == {}


def test_a_store_in_a_read_only_folder_is_read_without_writing_beside_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with PredictionStore(path) as store:
        store.add([prediction("a", 0)])
    monkeypatch.setattr(os, "access", lambda *_: False)
    with PredictionStore(path, read_only=True) as store:
        assert [p.key.id for p in store.read("vqav2", "val")] == ["a"]
        assert os.listdir(path.parent) == ["predictions.sqlite"]


@pytest.mark.parametrize("length", [0, 100, 5000])
def test_a_store_that_was_cut_off_is_refused_with_a_way_out(path: Path, length: int) -> None:
    with PredictionStore(path) as store:
        store.add([prediction(str(n), n, "x" * 500) for n in range(100)])
    os.truncate(path, length)
    for read_only in (False, True):
        with (
            pytest.raises(StoreError, match="Move the file away"),
            PredictionStore(path, read_only=read_only) as store,
        ):
            list(store.read("vqav2", "val"))


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        PredictionStore(tmp_path / "absent" / "predictions.sqlite")


def test_a_store_that_was_overwritten_anywhere_is_refused_or_gives_only_rows_that_are_whole(path: Path) -> None:
    rows = [prediction(f"e{n}", n, text=f"answer {n}") for n in range(200)]
    with PredictionStore(path) as store:
        store.add(rows)
    whole = path.read_bytes()
    refused = damaged = 0
    for at in range(100, len(whole), 611):
        path.write_bytes(whole[:at] + bytes(byte ^ 0xA5 for byte in whole[at : at + 8]) + whole[at + 8 :])
        try:
            with PredictionStore(path) as store:
                store.verify()
                removed = store.remove_damaged("vqav2", "val")
                left = list(store.read("vqav2", "val"))
        except StoreError:
            refused += 1
            continue
        damaged += len(removed)
        assert [row for row in left if row not in rows] == [] and len(left) + len(removed) == len(rows), at
    assert refused and damaged, "both happen"


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
