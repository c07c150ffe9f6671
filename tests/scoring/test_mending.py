"""Results that were damaged on disk are made again from the stored answers, and only when they come out the same."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import evalsuite
from evalsuite.errors import Caution, StoreError
from evalsuite.reports import read_rows
from evalsuite.runs.manifest import read_manifest, write_manifest

FILES = ("results.json", "results.parquet")


@pytest.fixture
def run(own_task: Callable[..., Path], tmp_path: Path) -> Path:
    """Eight answers of which five are right, scored with 20 resamples and another rule than the spec's."""
    rows = [{"id": str(n), "question": "?", "answer": "YES" if n < 5 else "no"} for n in range(8)]
    folder = evalsuite.run(
        "own",
        backend="echo",
        options={"answer": "yes"},
        data="files",
        data_dir=tmp_path / "data",
        specs=[own_task(rows)],
        out=tmp_path / "run",
    ).folder
    evalsuite.score(folder, resamples=20, metric_options={"exact_match": {"ignore_case": "true"}})
    return folder


def test_a_report_makes_damaged_results_again_as_they_were_scored(run: Path) -> None:
    whole = {name: (run / name).read_bytes() for name in FILES}
    for name in FILES:
        (run / name).write_bytes(whole[name].replace(b"6", b"7", 1))
        with pytest.warns(Caution, match=f"run/{name}: was changed .* made again from the stored answers, as it was"):
            evalsuite.report(run)
        assert {name: (run / name).read_bytes() for name in FILES} == whole
    assert read_rows([run])[0].value == 62.5


def test_what_does_not_come_out_the_same_is_named_and_never_shown(run: Path) -> None:
    """As when another version scores otherwise: that a file was damaged changes no number by the way."""
    manifest = read_manifest(run)
    manifest["tasks"]["own"]["spec"]["metrics"][0]["name"] = "anls"
    write_manifest(run, manifest)
    (run / "results.json").write_text("[]")
    for _ in range(2):
        with pytest.raises(StoreError, match=r"results\.json: was changed .* evalsuite score .* come out otherwise"):
            evalsuite.report(run)
    evalsuite.score(run)
    assert "anls" in evalsuite.report(run).csv.read_text()


def test_answers_that_are_damaged_too_are_said_to_be(run: Path) -> None:
    (run / "results.json").write_text(json.dumps([]))
    (run / "predictions.sqlite").write_bytes(b"nothing" * 1000)
    with pytest.raises(StoreError, match=r"results\.json: was changed .* cannot be read as a store"):
        evalsuite.report(run)
