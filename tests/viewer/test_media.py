"""Finding examples by position in data that can be read in order only."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import evalsuite
from evalsuite.comparison.answers import RunAnswers
from evalsuite.data import TaskData
from evalsuite.viewer import media
from evalsuite.viewer.media import ExampleReader

EXAMPLES = 300


@pytest.fixture
def reader(own_task: Callable[..., Path], tmp_path: Path) -> ExampleReader:
    rows = [{"id": f"q{n}", "question": f"question {n}", "answer": [str(n)]} for n in range(EXAMPLES)]
    specs = own_task(rows)
    result = evalsuite.run(
        "own", backend="echo", data="files", data_dir=tmp_path / "data", specs=[specs], out=tmp_path / "run"
    )
    return ExampleReader([RunAnswers.open(result.folder)])


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A split's name for every time that its data were read from the start."""
    begun: list[str] = []
    examples = TaskData.examples

    def noted(data: TaskData, split: str, **how: Any) -> Iterator[Any]:
        begun.append(split)
        return examples(data, split, **how)

    monkeypatch.setattr(TaskData, "examples", noted)
    return begun


@pytest.fixture
def ids(reader: ExampleReader, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """``ids(positions)``: of the examples whose pictures a page of these positions asks for."""
    seen: list[str] = []
    view = media.view_example

    def noted(example: Any, *rest: Any) -> Any:
        seen.append(example.key.id)
        return view(example, *rest)

    monkeypatch.setattr(media, "view_example", noted)

    def ask(*positions: int) -> list[str]:
        seen.clear()
        reader.announce(0, "own", "test", positions)
        for position in positions:
            assert reader.pictures(0, "own", "test", position)[1] == ""
        return list(seen)

    return ask


def test_a_page_is_one_reading_and_the_next_goes_on(ids: Callable[..., list[str]], readings: list[str]) -> None:
    assert ids(5, 3, 8) == ["q5", "q3", "q8"]
    assert ids(20, 9) == ["q20", "q9"] and ids(299) == ["q299"]
    assert readings == ["test"]


def test_paging_back_seldom_reads_again(ids: Callable[..., list[str]], readings: list[str]) -> None:
    for first in range(280, 100, -20):
        assert ids(*range(first, first + 20)) == [f"q{n}" for n in range(first, first + 20)]
    assert len(readings) == 2


def test_examples_that_are_gone_are_said(reader: ExampleReader) -> None:
    assert reader.pictures(0, "own", "test", EXAMPLES)[1] == "the data no longer hold this example"
    assert reader.pictures(0, "own", "test", 0)[1] == ""


def test_data_that_became_unreadable_are_said(reader: ExampleReader, tmp_path: Path) -> None:
    assert reader.pictures(0, "own", "test", 0)[1] == ""
    (tmp_path / "data" / "own" / "test.jsonl").write_text(json.dumps({"id": "q0"})[:-2])
    problem = ExampleReader(reader.runs).pictures(0, "own", "test", 0)[1]
    assert problem.startswith("the data of this run cannot be")
