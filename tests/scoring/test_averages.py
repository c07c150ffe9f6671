"""Averages over splits: one task in two languages, and the mean that a paper prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import evalsuite
from evalsuite.errors import SpecError, UnknownName
from evalsuite.metrics import load_metric
from evalsuite.scoring.statistics import bootstrap, bootstrap_mean
from evalsuite.specs import TaskRegistry

GROUP: dict[str, Any] = {
    "kind": "group",
    "id": "own_avg2",
    "version": 1,
    "title": "Own (average of two languages)",
    "family": "vqa",
    "description": "The mean of German and Thai.",
    "members": [{"task": "own", "splits": ["de", "th"]}],
}
ROWS = {
    "en": [{"id": str(n), "question": "?", "answer": "yes"} for n in range(4)],
    "de": [{"id": str(n), "question": "?", "answer": "yes" if n < 3 else "no"} for n in range(4)],
    "th": [{"id": str(n), "question": "?", "answer": "yes" if n < 1 else "no"} for n in range(4)],
}


@pytest.fixture
def specs(own_task: Callable[..., Path], tmp_path: Path) -> Path:
    """The task ``own`` in three languages, and the average of two of them."""
    folder = own_task(ROWS["en"], splits=[{"name": name} for name in ROWS])
    (folder / "own_avg2.yaml").write_text(yaml.safe_dump(GROUP))
    for name, rows in ROWS.items():
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (tmp_path / "data" / "own" / f"{name}.jsonl").write_text(lines)
    return folder


def run(specs: Path, tmp_path: Path, **changes: Any) -> evalsuite.RunResult:
    asked: dict[str, Any] = {"tasks": "own_avg2", "out": tmp_path / "out", "options": {"answer": "yes"}, **changes}
    return evalsuite.run(backend="echo", data="files", data_dir=tmp_path / "data", specs=[specs], **asked)


def test_the_id_of_an_average_runs_its_tasks_and_gives_the_mean_of_their_values(specs: Path, tmp_path: Path) -> None:
    result = run(specs, tmp_path)
    assert result.ok
    (row,) = [row for row in result.rows if row.task == "own_avg2"]
    assert row.value == (75 + 25) / 2
    assert row.n == 8 and row.split == "mean of 2" and row.headline
    assert row.ci_low is not None and row.ci_low < 50 < (row.ci_high or 0)


def test_an_average_waits_for_all_its_members(specs: Path, tmp_path: Path) -> None:
    result = run(specs, tmp_path, tasks="own", splits=["en", "de"])
    assert {row.task for row in result.rows} == {"own"}
    whole = run(specs, tmp_path, tasks="own", splits=["th"])  # the same folder
    assert {row.split for row in whole.rows if row.task == "own"} == {"en", "de", "th"}
    assert [row.value for row in whole.rows if row.task == "own_avg2"] == [50.0]


def test_splits_that_no_task_has_are_refused(specs: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="--splits: unknown split of these tasks 'thai'"):
        run(specs, tmp_path, splits=["thai"])


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([{"task": "owl", "splits": ["de"]}], "unknown task 'owl'. Did you mean 'own'?"),
        ([{"task": "own", "splits": ["dee"]}], "unknown split 'dee' of own. Did you mean 'de'?"),
        ([{"task": "own", "splits": ["de", "de"]}], "split 'de' of own is named twice"),
        ([{"task": "own", "spilts": ["de"]}], "unknown field. Did you mean 'splits'?"),
    ],
)
def test_members_that_do_not_exist_are_named_with_their_line(
    specs: Path, members: list[dict[str, Any]], message: str
) -> None:
    (specs / "own_avg2.yaml").write_text(yaml.safe_dump({**GROUP, "members": members}))
    with pytest.raises(SpecError) as caught:
        TaskRegistry([specs])
    assert any("own_avg2.yaml:" in problem and message in problem for problem in caught.value.problems)


def test_the_same_images_in_every_language_are_drawn_together() -> None:
    """Perfectly dependent parts: the mean varies as much as one of them. Independent ones: less, by the root of two."""
    generator = np.random.default_rng(0)
    metric = load_metric("exact_match")
    table = np.stack([generator.random(400) < 0.5, np.ones(400)], axis=1).astype(float)
    low, high = bootstrap(metric, table)["accuracy"]
    paired = bootstrap_mean([metric] * 2, [table, table], paired=True)["accuracy"]
    apart = bootstrap_mean([metric] * 2, [table, table], paired=False)["accuracy"]
    assert paired[1] - paired[0] == pytest.approx(high - low, rel=0.1)
    assert apart[1] - apart[0] == pytest.approx((high - low) / 2**0.5, rel=0.1)


def test_empty_answers_of_the_members_stand_beside_the_average(specs: Path, tmp_path: Path) -> None:
    result = run(specs, tmp_path, options={"answer": ""})
    (row,) = [row for row in result.rows if row.task == "own_avg2"]
    assert (row.empty, row.n, row.cut) == (8, 8, 0)
    assert any(warning.startswith("own_avg2, mean of 2: 100.0% of the answers") for warning in result.warnings)
