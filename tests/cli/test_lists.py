"""The verbs that list: tasks, metrics; and the help."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]
FIRST_TASKS = {
    "vqav2",
    "cococap",
    "docvqa",
    "chartqa",
    "tallyqa",
    "nlvr2",
    "msrvtt_qa",
    "refcoco",
    "textvqa",
    "vsr",
    "pubtabnet",
}


def test_help_names_every_verb(evalsuite: Call) -> None:
    done = evalsuite("--help")
    assert done.returncode == 0
    for verb in ("run", "score", "report", "tasks", "metrics", "doctor"):
        assert f"  {verb} " in done.stdout


def test_an_unknown_command_gets_a_suggestion(evalsuite: Call) -> None:
    done = evalsuite("rnu")
    assert done.returncode == 2 and done.stderr == "error: unknown command 'rnu'. Did you mean 'run'?\n"


def test_tasks_as_json_is_one_array_with_what_a_script_needs(evalsuite: Call) -> None:
    tasks = {task["id"]: task for task in json.loads(evalsuite("tasks", "--json").stdout)}
    assert tasks.keys() >= FIRST_TASKS
    caption = tasks["cococap"]
    assert (caption["prompt"], caption["max_new_tokens"], caption["beam_size"]) == ("caption en", 32, 2)
    assert caption["paper_name"] == "COCOcap" and caption["family"] == "captioning"
    assert [use["name"] for use in caption["metrics"] if use["headline"]] == ["cider"]


def test_the_list_of_tasks_names_paper_rows(evalsuite: Call) -> None:
    assert "ChartQA (human)" in evalsuite("tasks").stdout


def test_show_prints_the_whole_spec(evalsuite: Call) -> None:
    done = evalsuite("tasks", "show", "docvqa")
    assert "max_new_tokens: 32" in done.stdout and "539088ef8a8ada01ac8e2e6d4e372586748a265e" in done.stdout
    assert "Did you mean 'docvqa'" in evalsuite("tasks", "show", "docvqaa").stderr


def test_validate_names_file_line_and_field(evalsuite: Call, own_task: Callable[..., Path]) -> None:
    path = own_task([]) / "own.yaml"
    assert evalsuite("tasks", "validate", path).returncode == 0
    path.write_text(path.read_text().replace("prefix:", "prefx:"))
    done = evalsuite("tasks", "validate", path)
    assert done.returncode == 1 and "own.yaml:" in done.stdout and "prefx" in done.stdout and "'prefix'" in done.stdout


def test_the_schema_is_json_schema(evalsuite: Call) -> None:
    schema = json.loads(evalsuite("tasks", "schema").stdout)
    assert schema["type"] == "object" and "prompt" in schema["properties"]


@pytest.mark.parametrize("name", ["anls", "cider", "teds", "mask_iou"])
def test_show_explains_a_metric(evalsuite: Call, name: str) -> None:
    done = evalsuite("metrics", "show", name)
    assert done.returncode == 0 and "values:" in done.stdout and "better" in done.stdout


def test_metrics_as_json(evalsuite: Call) -> None:
    metrics = {metric["name"]: metric for metric in json.loads(evalsuite("metrics", "--json").stdout)}
    assert metrics["anls"]["signature"].startswith("anls|v1|")
