"""What a lack blocks: metrics by their own check, tasks grouped by what blocks them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from evalsuite.doctor.metrics import metrics
from evalsuite.doctor.tasks import PUBLISHED, SCORES, VIDEO, tasks
from evalsuite.errors import MissingDependency
from evalsuite.metrics.answers.anls import ANLS


def test_a_metric_whose_package_is_missing_cannot_run(installed: Callable[..., None]) -> None:
    installed(pycocoevalcap=None)
    found = {finding.name: finding for finding in metrics()}
    assert found["anls"].can_run is True
    assert (found["meteor"].can_run, found["meteor"].lacks) == (False, ("pycocoevalcap is missing",))
    assert found["meteor"].how == ("pip install 'evalsuite[java-captions]'",)


def test_a_metric_that_wants_a_file_of_the_user_says_so_and_can_run() -> None:
    found = {finding.name: finding for finding in metrics()}["radgraph_f1"]
    assert found.can_run is True and "annotations" in found.how[0]


def test_tasks_that_share_a_problem_stand_together() -> None:
    (found,) = (item for item in tasks() if "mask_iou.weights" in item.problem)
    assert found.blocks == PUBLISHED and set(found.tasks) == {"refcoco", "refcocop", "refcocog"}


def test_without_pyav_video_tasks_have_synthetic_data_only(installed: Callable[..., None]) -> None:
    installed(av=None)
    (found,) = (item for item in tasks() if item.blocks == VIDEO)
    assert "msrvtt_qa" in found.tasks and "vqav2" not in found.tasks and "evalsuite[torch]" in found.problem


def test_a_task_whose_metric_lacks_something_cannot_be_scored(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(self: ANLS) -> None:
        raise MissingDependency("metric anls", "rapidfuzz", way_out="pip install rapidfuzz")

    monkeypatch.setattr(ANLS, "check", check)
    (found,) = (item for item in tasks() if item.blocks == SCORES)
    assert "docvqa" in found.tasks and "pip install rapidfuzz" in found.problem
