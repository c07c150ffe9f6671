"""From a study file to the cells of its grid."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from evalsuite.errors import SpecError
from evalsuite.studies.grid import cells, run_config
from evalsuite.studies.spec import StudySpec, load_study

STUDY: dict[str, Any] = {
    "name": "scaling",
    "model": "checkpoints/{transfer}/{size}-{resolution}",
    "axes": {"size": ["3B", "28B"], "resolution": [224, 448], "seed": [0, 1]},
    "rules": [
        {"when": {"size": "28B", "resolution": 448}, "skip": True},
        {"when": {"resolution": [448]}, "tasks": "all,-family:video"},
    ],
}


def load(tmp_path: Path, **changes: Any) -> StudySpec:
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({**STUDY, **changes}, sort_keys=False))
    return load_study(tmp_path / "study.yaml")


def test_every_combination_is_a_cell_and_the_last_axis_is_the_fastest(tmp_path: Path) -> None:
    names = [cell.name for cell in cells(load(tmp_path, rules=[]))]
    assert names[:3] == [
        "size=3B,resolution=224,seed=0",
        "size=3B,resolution=224,seed=1",
        "size=3B,resolution=448,seed=0",
    ]
    assert len(set(names)) == 8


def test_the_first_rule_that_fits_counts(tmp_path: Path) -> None:
    found = {cell.name: cell.tasks for cell in cells(load(tmp_path))}
    assert found["size=3B,resolution=224,seed=0"] == "all"
    assert found["size=3B,resolution=448,seed=0"] == "all,-family:video"
    assert not any(name.startswith("size=28B,resolution=448") for name in found)


def test_a_cell_is_a_run_with_the_axes_as_attributes(tmp_path: Path) -> None:
    spec = load(tmp_path, limit=5, options={"threads": 1, "trust_remote_code": False}, backend="torch")
    config = run_config(spec, cells(spec)[0], tmp_path / "out")
    assert config.attributes == {"size": "3B", "resolution": 224, "seed": 0}
    assert config.model == STUDY["model"] and str(config.limit) == "5"
    assert config.options == {"threads": "1", "trust_remote_code": "false"}
    assert config.out == tmp_path / "out" / "size=3B,resolution=224,seed=0"


def test_an_option_may_follow_an_axis_and_keeps_the_braces_that_are_the_backends(tmp_path: Path) -> None:
    options = {"precision": "{quantization}", "predictions": "{quantization}/{split}.jsonl"}
    spec = load(tmp_path, axes={"quantization": ["int8", "bf16"]}, model=None, rules=[], options=options)
    found = [run_config(spec, cell, tmp_path).options for cell in cells(spec)]
    assert found == [{"precision": name, "predictions": f"{name}/{{split}}.jsonl"} for name in ("int8", "bf16")]


def test_an_axis_may_choose_the_backend(tmp_path: Path) -> None:
    spec = load(tmp_path, axes={"backend": ["torch", "echo"]}, model=None, rules=[])
    assert [run_config(spec, cell, tmp_path).backend for cell in cells(spec)] == ["torch", "echo"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axis": {}}, "study.yaml:[0-9]+: axis: unknown setting .axis.. Did you mean 'axes'?"),
        ({"rules": [{"when": {"sise": "3B"}}]}, "rules.0..when.sise: unknown axis 'sise'. Did you mean 'size'?"),
        ({"rules": [{"when": {"size": "4B"}}]}, "axis size has no value '4B'. Known: 3B, 28B"),
        ({"model": "{sice}"}, "model: {sice} is neither an axis nor transfer nor task"),
        ({"axes": {"seed": [1, 1]}, "model": None, "rules": []}, "axes.seed: a value is listed twice"),
        ({"axes": {"seed": []}, "model": None, "rules": []}, "must not be empty"),
        ({"select": {"axis": "rate", "splits": ["val"]}}, "select.axis: unknown axis 'rate'"),
    ],
)
def test_mistakes_are_named_with_file_line_and_field(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        load(tmp_path, **changes)


def test_every_setting_of_a_run_may_stand_in_a_study(tmp_path: Path) -> None:
    spec = load(tmp_path, max_errors=3, **{"time-limit": 9, "metric_option": {"anls": {"threshold": 0.4}}})
    config = run_config(spec, cells(spec)[0], tmp_path)
    assert str(config.max_errors) == "3" and config.time_limit == 9.0
    assert config.metric_options == {"anls": {"threshold": "0.4"}}


@pytest.mark.parametrize("name", ["set", "out", "shard", "quiet"])
def test_what_the_grid_gives_has_no_place_in_its_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(SpecError, match=rf"study\.yaml:\d+: {name}"):
        load(tmp_path, **{name: "x"})
