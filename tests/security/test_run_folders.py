"""Run folders, stores and result files from a stranger."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from evalsuite import api
from evalsuite.errors import EvalsuiteError, StoreError
from evalsuite.files.sealed import digest_of
from evalsuite.files.writing import replacing
from evalsuite.inspection.lock import read_lock
from evalsuite.reports import read_rows, write_report
from evalsuite.runs.failures import describe_failure
from evalsuite.runs.folder import LOG, REPORT
from evalsuite.runs.importing import import_results
from evalsuite.runs.lock import locked
from evalsuite.runs.manifest import read_manifest, write_manifest
from evalsuite.runs.store import PredictionStore
from evalsuite.scoring.run import score_run
from evalsuite.specs import TaskRegistry

DEEP = "[" * 100_000


def with_results(run: Path, rows: list[dict[str, object]]) -> None:
    """Put these in the place of a run's results, with a digest that fits: a stranger can write one too."""
    (run / "results.json").write_text(json.dumps(rows))
    manifest = read_manifest(run)
    manifest["results"][0]["results.json"] = digest_of((run / "results.json").read_bytes())
    write_manifest(run, manifest)


@pytest.mark.parametrize("name", [".lock", LOG, "manifest.json", "predictions.sqlite", "results.json", REPORT])
def test_nothing_is_written_through_a_link(name: str, tmp_path: Path) -> None:
    run, victim = tmp_path / "run", tmp_path / "victim"
    run.mkdir()
    (victim.mkdir if name == REPORT else victim.touch)()
    (run / name).symlink_to(victim)
    with pytest.raises(StoreError, match="is a link"), locked(run):
        raise AssertionError("the folder was taken")
    if name != REPORT:
        assert victim.read_bytes() == b""


def test_a_report_is_not_written_through_a_link(hostile_run: Path, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.mkdir()
    for path in (hostile_run / REPORT).iterdir():
        path.unlink()
    (hostile_run / REPORT).rmdir()
    (hostile_run / REPORT).symlink_to(victim)
    with pytest.raises(StoreError, match="is a link"):
        write_report([hostile_run])
    assert list(victim.iterdir()) == []


def test_a_log_is_not_written_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "profile").write_text("mine\n")
    (tmp_path / LOG).symlink_to(tmp_path / "profile")
    assert describe_failure(tmp_path, "task", ValueError("$(touch owned)")) == "ValueError: $(touch owned)"
    assert (tmp_path / "profile").read_text() == "mine\n"


def test_a_temporary_name_that_is_a_link_is_replaced(tmp_path: Path) -> None:
    import os

    (tmp_path / "victim").write_text("mine")
    (tmp_path / f".a.{os.getpid()}.tmp").symlink_to(tmp_path / "victim")
    with replacing(tmp_path / "a") as temporary:
        temporary.write_text("new")
    assert (tmp_path / "victim").read_text() == "mine" and (tmp_path / "a").read_text() == "new"


@pytest.mark.parametrize("name", ["/etc", "../other", "a/b", "..", ".", ""])
def test_a_study_has_its_runs_inside(name: str, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text(json.dumps({"cells": [{"folder": name}]}))
    with pytest.raises(StoreError, match="is no folder of this study"):
        read_rows([tmp_path])


@pytest.mark.parametrize(
    "text", [DEEP, "9" * 10_000, '{"a": ' + DEEP, "\x00", "[1, 2", "[]", "{}", "null", '"\\ud800"']
)
def test_json_of_any_form_ends_in_our_error(text: str, tmp_path: Path) -> None:
    registry = TaskRegistry()
    for name in ("manifest.json", "results.json", "study.json", "lock.json", "theirs.json"):
        (tmp_path / name).write_text(text)
    for read in (
        lambda: read_manifest(tmp_path),
        lambda: read_rows([tmp_path]),
        lambda: read_lock(tmp_path / "lock.json"),
        lambda: import_results(tmp_path / "theirs.json", registry, tmp_path / "out"),
        lambda: api.gate(tmp_path, tmp_path / "theirs.json"),
    ):
        with pytest.raises(EvalsuiteError):
            read()


@pytest.mark.parametrize(
    "change", [{"value": 1e400}, {"ci_high": float("inf")}, {"ci_low": float("-inf")}, {"value": None}]
)
def test_values_beyond_all_bounds_are_shown_as_none(change: dict[str, object], hostile_run: Path) -> None:
    rows = json.loads((hostile_run / "results.json").read_text())
    with_results(hostile_run, [{**row, **change} for row in rows])
    write_report([hostile_run])


@pytest.mark.parametrize("change", [{"value": 10**400}, {"n": 10**30}, {"n": "1"}, {"attributes": []}, {"headline": 1}])
def test_values_of_another_kind_are_refused(change: dict[str, object], hostile_run: Path) -> None:
    rows = json.loads((hostile_run / "results.json").read_text())
    with_results(hostile_run, [{**row, **change} for row in rows])
    with pytest.raises(StoreError):
        write_report([hostile_run])


@pytest.mark.parametrize(
    "trick",
    [
        "CREATE VIEW more AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
        "CREATE TRIGGER t AFTER INSERT ON predictions BEGIN DELETE FROM predictions; END",
        "CREATE VIRTUAL TABLE v USING fts4(a)",
    ],
)
def test_a_store_with_more_than_plain_tables_is_not_opened(trick: str, hostile_run: Path) -> None:
    path = hostile_run / "predictions.sqlite"
    with sqlite3.connect(path) as database:
        database.execute(trick)
    database.close()
    for read_only in (True, False):
        with pytest.raises(StoreError, match="which no store has"):
            PredictionStore(path, read_only=read_only)


@pytest.mark.parametrize(
    "change",
    [
        "target = '[]'",
        "target = 'x'",
        "details = '[]'",
        "error = x'00'",
        'target = \'{"references": 1, "strata": []}\'',
    ],
)
def test_a_row_that_no_store_writes_is_damaged(change: str, hostile_run: Path) -> None:
    path = hostile_run / "predictions.sqlite"
    with sqlite3.connect(path) as database:
        database.execute(f"UPDATE predictions SET {change}")
    database.close()
    with PredictionStore(path, read_only=True) as store, pytest.raises(StoreError):
        list(store.read("own", "test"))
    with PredictionStore(path, read_only=True) as store:
        ids = [row[0] for row in store._db.execute("SELECT id FROM predictions")]
        with pytest.raises(StoreError):
            list(store.with_ids("own", "test", ids))


def test_the_spec_in_a_manifest_names_no_files_either(hostile_run: Path) -> None:
    manifest = read_manifest(hostile_run)
    manifest["tasks"]["own"]["spec"]["metrics"].append({"name": "radgraph_f1", "parameters": {"cache": "/tmp/x.jsonl"}})
    write_manifest(hostile_run, manifest)
    scored = score_run(hostile_run)
    assert "names a file, which a spec may not" in scored.failures["own"]


@pytest.mark.parametrize("n", ["1e300", "-1", "x", "nan"])
def test_imported_counts_are_counts(n: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"task,value,n\ndocvqa,1,{n}\n")
    with pytest.raises(EvalsuiteError):
        import_results(tmp_path / "a.csv", TaskRegistry(), tmp_path / "out")


@pytest.mark.parametrize("size", ["../../x", "/etc", "a\x00b", "..", "\ud800"])
def test_imported_attributes_do_not_lead_a_run_away(size: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{"task": "docvqa", "value": 1, "size": size}]))
    for folder in import_results(tmp_path / "a.json", TaskRegistry(), tmp_path / "out"):
        assert folder.resolve().parent == tmp_path / "out"
