"""The index of a split: values as ``evalsuite score`` has them, groups, and pairs of two runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import evalsuite
from evalsuite.comparison.answers import RunAnswers
from evalsuite.data import open_task_data
from evalsuite.metrics import load_metric
from evalsuite.specs import TaskRegistry
from evalsuite.viewer import index as module
from evalsuite.viewer.index import SplitIndex, split_index


@pytest.fixture
def index(runs: list[Path]) -> SplitIndex:
    return split_index(RunAnswers.open(runs[0], TaskRegistry([runs[0].parent / "specs"])), "own", "test")


def test_every_example_has_its_own_value_in_paper_units(index: SplitIndex) -> None:
    assert len(index) == 60 and not index.failed.any() and index.problem == ""
    assert index.values[:6].tolist() == [0, 0, 0, 0, 0, 100]
    assert (index.value(4), index.value(5), index.value(60)) == (0.0, 100.0, None)


def test_chunks_change_nothing(index: SplitIndex, runs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 7)
    again = split_index(RunAnswers.open(runs[0], TaskRegistry([runs[0].parent / "specs"])), "own", "test")
    for name in ("positions", "keys", "values", "failed"):
        assert np.array_equal(getattr(index, name), getattr(again, name))
    assert index.strata() == again.strata() == {"kind=even": 30, "kind=odd": 30}


def test_groups(index: SplitIndex) -> None:
    assert index.of_group("kind=odd").tolist() == [bool(n % 2) for n in range(60)]
    assert not index.of_group("kind=neither").any() and not index.of_group("shape=odd").any()


def test_gains_pair_examples_by_id_in_any_order() -> None:
    def of(ids: list[int], values: list[float], up: bool = True) -> SplitIndex:
        return SplitIndex(
            np.arange(len(ids)), np.array(ids, np.int64), np.array(values), np.zeros(len(ids), bool), {}, up
        )

    first = of([30, 10, 20, 40], [1.0, 2.0, 3.0, 4.0])
    second = of([10, 20, 30], [2.0, 5.0, math.nan])
    assert first.gains(second).tolist() == [0, 0, 2, 0]
    assert of([10, 20], [5.0, 1.0], up=False).gains(second).tolist() == [3, -4]
    assert first.gains(SplitIndex.empty()).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("task", ["cococap", "xm3600", "vqav2", "grandstaff", "rsvqa_lr"])
def test_values_are_those_of_the_metric(task: str, replay: Callable[..., Path], tmp_path: Path) -> None:
    """Means of single values are the value of the split wherever the metric is a mean; CIDEr within its language."""
    spec = evalsuite.load_task(task)
    split = spec.reported()[0].name
    answers = {
        example.key.id: str(example.references[0]) if n % 3 else "nothing"
        for n, example in enumerate(open_task_data(spec, "synthetic").examples(split, stop=40))
    }
    run = replay(task, answers, tmp_path / "run", splits=[split], limit=40)
    found = split_index(RunAnswers.open(run), task, split)
    rows = json.loads((run / "results.json").read_text())
    row = next(row for row in rows if row["headline"] and not row["stratum"])
    if task == "grandstaff":  # one rate over all characters: no mean
        assert found.values[1] == 0 and found.values[0] > 90 and not found.higher_is_better
    else:
        assert np.nanmean(found.values) == pytest.approx(row["value"])


def test_average_precision_has_no_value_of_one_example(replay: Callable[..., Path], tmp_path: Path) -> None:
    spec = next(spec for spec in evalsuite.load_tasks("all") if spec.headline().name == "box_ap")
    split = spec.reported()[0].name
    ids = [example.key.id for example in open_task_data(spec, "synthetic").examples(split, stop=3)]
    run = replay(spec.id, dict.fromkeys(ids, ""), tmp_path / "run", splits=[split], limit=3)
    assert np.isnan(split_index(RunAnswers.open(run), spec.id, split).values).all()


def test_why_there_are_no_values_is_said(runs: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("the references are of another form")

    monkeypatch.setattr(type(load_metric("exact_match")), "batch_statistics", fail)
    found = split_index(RunAnswers.open(runs[0], TaskRegistry([runs[0].parent / "specs"])), "own", "test")
    assert np.isnan(found.values).all() and found.problem == "the references are of another form"
    assert len(found) == 60
