"""The examples of docs/ci.md, as far as they run without a CI service."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "ci.md").read_text("utf-8")


def blocks(kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", TEXT, re.DOTALL)


def commands(script: list[str]) -> list[list[str]]:
    """The evalsuite commands of a script, with the service's own variables filled in."""
    lines = [line.replace("$GITHUB_STEP_SUMMARY", "summary.md") for line in script]
    return [shlex.split(line)[1:] for line in lines if line.startswith("evalsuite ")]


def github() -> list[str]:
    workflow = yaml.safe_load(blocks("yaml")[0])
    return [step["run"] for step in workflow["jobs"]["gate"]["steps"] if "run" in step]


def gitlab() -> list[str]:
    script: list[str] = yaml.safe_load(blocks("yaml")[2])["evaluation"]["script"]
    return script


@pytest.mark.parametrize("script", [github, gitlab])
def test_the_pipeline_runs_and_passes_against_its_own_baseline(
    script: Callable[[], list[str]], evalsuite: Callable[..., Any], tmp_path: Path
) -> None:
    run, gate = commands(script())
    assert evalsuite(*run, "--quiet").returncode == 0
    (tmp_path / "evals").mkdir()
    assert evalsuite("baseline", "run", "--out", "evals/baseline.json").returncode == 0
    done = evalsuite(*gate)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "gate.xml").is_file() and (tmp_path / "run" / "report").is_dir()


def test_every_yaml_and_json_block_can_be_read() -> None:
    assert all(yaml.safe_load(block) for block in blocks("yaml"))
    assert yaml.safe_load("{" + blocks("json")[0] + "}")["tolerance"]["docvqa"] == {"absolute": 0.5}
