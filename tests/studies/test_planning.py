"""What a study will cost, before it is run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import evalsuite
from evalsuite.errors import UsageError
from evalsuite.specs import TaskRegistry
from evalsuite.studies.planning import Calibration, Lengths, calibrate, image_tokens, plan_study, total
from evalsuite.studies.spec import StudySpec

REGISTRY = TaskRegistry(plugins=False)


def study(**changes: Any) -> StudySpec:
    given = {"name": "s", "model": "{size}", "axes": {"size": ["3B", "10B"], "resolution": [224]}, "tasks": "docvqa"}
    return StudySpec.model_validate({**given, "data": "hub", **changes})


@pytest.mark.parametrize(
    ("task", "resolution", "expected"),
    [
        ("docvqa", 224, 256),
        ("docvqa", 448, 1024),
        ("docvqa", "896px", 4096),
        ("nlvr2", 224, 512),
        ("msvd_qa", 224, 2048),
    ],
)
def test_image_tokens_are_those_of_all_frames(task: str, resolution: object, expected: int) -> None:
    assert image_tokens(REGISTRY.get(task), {"resolution": resolution}) == expected


def test_a_cell_has_the_published_number_of_examples_and_the_longest_answers() -> None:
    small, large = plan_study(study(), REGISTRY)
    spec = REGISTRY.get("docvqa")
    assert small.examples == large.examples == 5349
    assert small.answer_tokens == 5349 * spec.decoding.max_new_tokens
    assert small.prefix_tokens == 5349 * (256 + (spec.prompt.max_tokens or 0))
    assert small.operations is not None and large.operations is not None
    assert 3 < large.operations / small.operations < 4  # the image encoder does not grow
    assert small.hours is None


def test_operations_are_two_per_parameter_and_token() -> None:
    lengths = Lengths(image=256, prompt=16, answer=10, beams=3)
    assert lengths.prefill(1e9) == 2 * 0.4e9 * 256 + 2e9 * 272
    assert lengths.decode(1e9) == 2e9 * 30


def test_a_limit_and_rules_make_it_smaller() -> None:
    rules = [{"when": {"size": "10B"}, "skip": True}]
    (cell,) = plan_study(study(limit=100, rules=rules, tasks="docvqa,vqav2"), REGISTRY)
    assert cell.examples == 200
    (cell,) = plan_study(study(limit="10%", rules=rules), REGISTRY)
    assert cell.examples == 535


def test_a_study_on_synthetic_data_has_the_examples_of_the_synthetic_world() -> None:
    (cell, _) = plan_study(study(data="synthetic", data_scale=3, tasks="docvqa,fintabnet"), REGISTRY)
    sizes = [(spec.data.synthetic.size, len(spec.reported())) for spec in map(REGISTRY.get, ("docvqa", "fintabnet"))]
    assert cell.examples == sum(3 * size * splits for size, splits in sizes)
    assert cell.unknown == ()


def test_splits_without_a_published_size_are_named_and_left_out() -> None:
    estimates = plan_study(study(tasks="docvqa,fintabnet"), REGISTRY)
    assert estimates[0].unknown == total(estimates).unknown == ("fintabnet/test",)
    assert estimates[0].examples == 5349


def test_the_total_is_unknown_as_soon_as_a_cell_is() -> None:
    estimates = plan_study(study(axes={"size": ["3B", "large"]}), REGISTRY)
    assert [item.operations is None for item in [*estimates, total(estimates)]] == [False, True, True]


def test_time_follows_from_the_speed_that_was_seen() -> None:
    calibration = Calibration((1e-12, 2e-12), {"docvqa": 20.0}, {"docvqa": 5.0}, 500.0)
    (cell, _) = plan_study(study(), REGISTRY, calibration)
    lengths = Lengths(256, 20.0, 5.0)
    seconds = 5349 * (lengths.prefill(2.6e9) * 1e-12 + lengths.decode(2.6e9) * 2e-12)
    assert cell.hours == pytest.approx(seconds / 3600)
    assert (cell.storage, cell.answer_tokens) == (5349 * 500, 5349 * 5)


def test_a_calibration_run_gives_back_its_own_time(tmp_path: Path) -> None:
    """The estimate for what was run is about what it took."""
    result = evalsuite.run(
        "docvqa,cococap",
        model="tiny",
        limit=8,
        attributes={"size": "200k", "resolution": 56},
        out=tmp_path / "run",
    )
    assert result.ok
    calibration = calibrate([tmp_path / "run"], REGISTRY)
    assert set(calibration.answers) == {"docvqa", "cococap"} and calibration.bytes_per_prediction > 100
    same = study(axes={"size": ["200k"], "resolution": [56]}, tasks="docvqa,cococap", limit=8)
    (cell,) = plan_study(same, REGISTRY, calibration)
    assert cell.hours is not None and 0 < cell.hours < 1 / 60


def test_runs_without_times_or_size_cannot_calibrate(tmp_path: Path) -> None:
    evalsuite.run("docvqa", backend="echo", limit=2, out=tmp_path / "sized", attributes={"size": "3B"})
    with pytest.raises(UsageError, match="hold no times"):
        calibrate([tmp_path / "sized"], REGISTRY)
    evalsuite.run("docvqa", backend="echo", limit=2, out=tmp_path / "plain")
    with pytest.raises(UsageError, match="--set size=3B"):
        calibrate([tmp_path / "plain"], REGISTRY)


def test_the_command_prints_cells_and_total(evalsuite: Callable[..., Any], tmp_path: Path) -> None:
    axes = {"size": ["3B"], "resolution": [224, 448]}
    (tmp_path / "s.yaml").write_text(
        json.dumps({"name": "s", "model": "m", "axes": axes, "tasks": "docvqa", "data": "hub"})
    )
    done = evalsuite("study", "plan", "s.yaml")
    assert done.returncode == 0, done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[:4]] == [
        "cell", "size=3B,resolution=224", "size=3B,resolution=448", "total",
    ]  # fmt: skip
    assert "--calibration RUN" in done.stdout
    as_json = json.loads(evalsuite("study", "plan", "s.yaml", "--json").stdout)
    assert as_json[-1]["examples"] == 2 * 5349
