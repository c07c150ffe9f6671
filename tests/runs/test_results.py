"""Results on disk: both files are those of one scoring, as it wrote them, or it is said what is wrong with them."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from evalsuite.errors import Caution, StoreError
from evalsuite.files import writing
from evalsuite.runs import results
from evalsuite.runs.lock import locked
from evalsuite.runs.manifest import read_manifest, write_manifest
from evalsuite.runs.results import DamagedResults, ResultRow, read_results, scored_with, write_results

FILES = ("results.json", "results.parquet")


def rows(value: float) -> list[ResultRow]:
    return [
        ResultRow(
            "own", 1, "Own", "vqa", "", "", "test", "", metric, "m|v1", "paligemma", True, value, value - 1, value + 1,
            "%", 3, 0, True, {"size": "3B"}, "run", "files", "echo", "",
        )
        for metric in ("one", "two")
    ]  # fmt: skip


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder that was scored once, to 200/3."""
    folder = tmp_path / "run"
    folder.mkdir()
    run = {"backend": "echo", "data": "files", "attributes": {}}
    parts: dict[str, Any] = {"name": "run", "run": run, "tasks": {}, "models": {}, "sessions": []}
    write_manifest(folder, {"manifest_version": 1, **parts})
    write_results(folder, rows(200 / 3), {"resamples": 10})
    return folder


def values(folder: Path) -> set[float]:
    return {row["value"] for row in json.loads(read_results(folder))}


def test_results_stay_an_array_and_their_digests_stand_in_the_manifest(run: Path) -> None:
    assert [row["metric"] for row in json.loads((run / "results.json").read_text())] == ["one", "two"]
    (noted,) = read_manifest(run)["results"]
    assert noted.keys() == {*FILES, "scoring"} and scored_with(run) == {"resamples": 10}


@pytest.mark.parametrize("name", FILES)
def test_no_flipped_bit_goes_unseen(run: Path, name: str) -> None:
    whole, chance = (run / name).read_bytes(), random.Random(0)
    for _ in range(200):
        at = chance.randrange(len(whole))
        (run / name).write_bytes(whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :])
        with pytest.raises(DamagedResults, match=f"run/{name}: was changed .* evalsuite score {run}"):
            read_results(run)
    (run / name).write_bytes(whole)
    assert values(run) == {200 / 3}


def test_results_of_another_run_or_an_older_scoring_are_not_those_of_this_one(run: Path) -> None:
    older = (run / "results.json").read_bytes()
    write_results(run, rows(50))
    (run / "results.json").write_bytes(older)
    with pytest.raises(DamagedResults):
        read_results(run)


def test_a_writer_killed_at_any_step_leaves_results_of_one_scoring_or_a_word(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of its four replacements may be the last one; the next scoring heals all of that."""
    replace, seen = writing.os.replace, []
    for steps in range(5):
        left = iter(range(steps))

        def killed(old: Path, new: Path, left: Any = left) -> None:
            if next(left, None) is None:
                raise KeyboardInterrupt
            replace(old, new)

        write_results(run, rows(1))
        monkeypatch.setattr("os.replace", killed)
        with contextlib.suppress(KeyboardInterrupt):
            write_results(run, rows(2))
        monkeypatch.setattr("os.replace", replace)
        try:
            seen.append(str(values(run)))
        except DamagedResults as damage:
            seen.append(damage.what.removeprefix(f"{run}/"))
        write_results(run, rows(3))
        assert values(run) == {3} and pq.read_table(run / "results.parquet")["value"].to_pylist() == [3, 3]
        assert len(read_manifest(run)["results"]) == 1
    mixed = "results.parquet: is of another scoring than results.json, as the writing of one was interrupted"
    assert seen == ["{1}", "{1}", mixed, "{2}", "{2}"]


def test_a_writer_killed_twice_leaves_the_old_results_readable(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(folder: Path, *_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(results, "replacing", killed)
    for value in (1, 2, 3):
        with pytest.raises(KeyboardInterrupt):
            write_results(run, rows(value))
        assert values(run) == {200 / 3}


def test_while_they_are_written_the_two_files_may_be_of_two_scorings(
    run: Path, hold: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    older = (run / "results.parquet").read_bytes()
    before = read_manifest(run)["results"]
    write_results(run, rows(2))
    (run / "results.parquet").write_bytes(older)
    manifest = read_manifest(run)
    write_manifest(run, {**manifest, "results": [*manifest["results"], *before]})
    with pytest.raises(DamagedResults), locked(run):
        read_results(run)
    hold(run)
    assert values(run) == {2}


def test_a_parquet_file_that_was_deleted_is_missed_by_nobody(run: Path) -> None:
    (run / "results.parquet").unlink()
    assert values(run) == {200 / 3}


def test_of_a_folder_without_digests_it_is_said_once(run: Path) -> None:
    manifest = read_manifest(run)
    del manifest["results"]
    (run / "manifest.json").write_text(json.dumps(manifest))
    with pytest.warns(Caution, match="older version of evalsuite, without digests") as said:
        assert values(run) == values(run) == {200 / 3}
    assert len(said) == 1


@pytest.mark.parametrize("noted", [5, [5], [{}], [{"results.json": 1}], None])
def test_a_manifest_that_notes_something_else_notes_no_digest(run: Path, noted: Any) -> None:
    write_manifest(run, {**read_manifest(run), "results": noted})
    with pytest.warns(Caution):
        assert values(run) == {200 / 3}


def test_imported_values_are_brought_in_again(run: Path) -> None:
    manifest = read_manifest(run)
    manifest["run"]["backend"] = "imported"
    write_manifest(run, manifest)
    (run / "results.json").write_text("[]")
    with pytest.raises(StoreError, match="bring the values in again: evalsuite results import"):
        read_results(run)
