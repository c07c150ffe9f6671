"""Progress: what is shown counts stored, failed and skipped examples, and fits a resumed run."""

from __future__ import annotations

import io

import pytest

from evalsuite.cli import progress
from evalsuite.cli.progress import LinesProgress, LiveProgress


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_lines_of_a_resumed_run_count_what_was_stored_but_take_no_credit_for_it(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = LinesProgress()
    shown.started(1000)
    shown.task_started("own", 1500, stored=500)
    clock.now += 20
    shown.advanced("own", answered=90, failed=5, skipped=5)
    assert capsys.readouterr().err == "own: 590/1500 examples, 5 failed, 5 skipped, 5.0/s, about 3 min left\n"
    shown.advanced("own", answered=900, failed=0)
    shown.task_ended("own", "the disk is full")
    assert capsys.readouterr().err.endswith(
        "own: 1490/1500 examples, 5 failed, 5 skipped, 50.0/s — failed: the disk is full\n"
    )


def test_lines_of_a_task_of_unknown_size_promise_no_end(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    shown = LinesProgress()
    shown.started(None)
    shown.task_started("own", None, stored=0)
    clock.now += 20
    shown.advanced("own", answered=100, failed=0)
    assert capsys.readouterr().err == "own: 100 examples, 5.0/s\n"


def test_bars_reach_their_end_when_examples_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())
    with LiveProgress() as shown:
        shown.started(4)
        shown.task_started("own", 10, stored=6)
        shown.advanced("own", answered=2, failed=1, skipped=1)
        shown.task_ended("own", "[bold] is no markup here")
        bars = {bar.description: (bar.completed, bar.total) for bar in shown._progress.tasks}
    assert bars == {"all": (4, 4), "own": (10, 10)}
