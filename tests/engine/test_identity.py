"""A stored answer belongs to exactly these weights: new ones in the same folder are never shown with old answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import evalsuite
from evalsuite import api
from evalsuite.backends.base import HUB_COMMIT
from evalsuite.backends.tiny.checkpoint import tiny_checkpoint
from evalsuite.engine.identity import changes
from evalsuite.errors import BackendError, StoreError
from evalsuite.runs.store import PredictionStore
from evalsuite.settings.giving import from_values, run_config
from evalsuite.settings.run import RunConfig

A, B = "a" * 64, "b" * 64


@pytest.fixture
def best(tmp_path: Path) -> Path:
    """A checkpoint folder as a training loop leaves it."""
    shutil.copytree(tiny_checkpoint(), tmp_path / "best")
    return tmp_path / "best"


@pytest.fixture
def other_weights() -> Path:
    return tiny_checkpoint(seed=1) / "model.safetensors"


def settings(given: dict[str, Any]) -> RunConfig:
    return run_config(from_values(given))


def answers(folder: Path) -> list[str]:
    with PredictionStore(folder / "predictions.sqlite", read_only=True) as store:
        return [item.text for item in store.read("docvqa", "validation")]


def test_a_training_loop_gets_a_run_for_every_step(
    best: Path, other_weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = evalsuite.run("docvqa", model="best", limit=2)
    shutil.copy(other_weights, best / "model.safetensors")
    second = evalsuite.run("docvqa", model="best", limit=2)
    assert first.folder != second.folder
    assert answers(first.folder) != answers(second.folder)
    again = evalsuite.run("docvqa", model="best", limit=2)  # and no more runs than there are models
    assert again.folder == second.folder and len(list((tmp_path / "runs").iterdir())) == 2


def test_a_folder_that_was_named_refuses_the_new_weights_and_keeps_the_old_answers(
    best: Path, other_weights: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    evalsuite.run("docvqa", model=str(best), limit=2, out=out)
    before = answers(out)
    shutil.copy(other_weights, best / "model.safetensors")
    with pytest.raises(StoreError) as caught:
        evalsuite.run("docvqa", model=str(best), limit=2, out=out)
    said = str(caught.value)
    assert f"the weights in {best}/model.safetensors changed since this run was begun on 20" in said
    assert "Choose another --out" in said
    assert answers(out) == before and evalsuite.score(out).ok


@pytest.mark.parametrize("backend", ["torch", "jax", "cpu"])
@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("model.safetensors", "the weights in"),
        ("tokenizer.json", "the tokenizer in"),
        ("preprocessor_config.json", "the image processor in"),
    ],
)
def test_every_backend_plans_another_run_for_another_file(
    backend: str, file: str, says: str, best: Path, other_weights: Path
) -> None:
    """Planned from the files, in every backend, whether or not anything is left to answer."""
    config = {"backend": backend, "model": str(best), "limit": 1}
    before = api.plan(settings({"tasks": "docvqa", **config}))
    if file == "model.safetensors":
        shutil.copy(other_weights, best / file)
    else:
        with (best / file).open("a") as more:
            more.write(" ")
    after = api.plan(settings({"tasks": "docvqa", **config}))
    assert before.folder != after.folder
    (clause,) = changes(str(best), before.tasks[0].identity, after.tasks[0].identity)
    assert says in clause and file in clause


def test_predictions_that_were_written_anew_are_scored_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ids = [example.key.id for example in evalsuite_examples()]
    asked: dict[str, Any] = {"backend": "replay", "predictions": "answers.json"}
    Path("answers.json").write_text(json.dumps(dict.fromkeys(ids, "wrong")))
    first = evalsuite.run("docvqa", **asked)
    named = evalsuite.run("docvqa", **asked, out="out")
    references = {example.key.id: example.references[0] for example in evalsuite_examples()}
    Path("answers.json").write_text(json.dumps(references))
    second = evalsuite.run("docvqa", **asked)
    assert [run.value("docvqa") for run in (first, named, second)] == [0.0, 0.0, 100.0]
    with pytest.raises(StoreError, match=r"the predictions in answers\.json changed since"):
        evalsuite.run("docvqa", **asked, out="out")


def test_shares_of_a_run_refuse_new_weights_as_the_whole_does(
    best: Path, other_weights: Path, evalsuite: Callable[..., Any]
) -> None:
    words = ["run", "--model", str(best), "--tasks", "docvqa", "--limit", "2", "--devices", "cpu,cpu", "--quiet"]
    assert evalsuite(*words, "--out", "out").returncode == 0
    shutil.copy(other_weights, best / "model.safetensors")
    done = evalsuite(*words, "--out", "out")
    assert done.returncode == 1 and "model.safetensors changed since" in done.stderr
    other = evalsuite(*words, "--json")
    assert other.returncode == 0 and len(json.loads(other.stdout)) > 0


def test_a_cell_of_a_study_refuses_new_weights(
    best: Path, other_weights: Path, tmp_path: Path, evalsuite: Callable[..., Any]
) -> None:
    (tmp_path / "s.yaml").write_text(f"name: s\nmodel: {best}\ntasks: docvqa\nlimit: 1\naxes: {{size: [x]}}\n")
    assert evalsuite("study", "run", "s.yaml").returncode == 0
    shutil.copy(other_weights, best / "model.safetensors")
    done = evalsuite("study", "run", "s.yaml")
    assert done.returncode == 1 and "model.safetensors changed since" in done.stdout


def test_other_options_of_the_backend_are_another_run(tmp_path: Path) -> None:
    """A finished run loads no model, so what would change its answers must be seen without one."""
    evalsuite.run("docvqa", backend="echo", limit=1, options={"answer": "a"}, out=tmp_path / "out")
    with pytest.raises(StoreError, match="options was"):
        evalsuite.run("docvqa", backend="echo", limit=1, options={"answer": "b"}, out=tmp_path / "out")


def test_weights_that_change_while_they_are_loaded_are_not_asked(
    best: Path, other_weights: Path, tmp_path: Path
) -> None:
    plan = api.plan(settings({"tasks": "docvqa", "model": str(best), "limit": 1, "out": tmp_path / "out"}))
    shutil.copy(other_weights, best / "model.safetensors")
    result = api.run_plan(plan)
    assert not result.ok and "changed while the model was loaded" in result.failures["docvqa"]


class TestWords:
    """What changed, in a clause."""

    def test_files_are_named_with_what_they_are(self) -> None:
        before = {"weights model.safetensors": A, "adapter adapter_config.json": A}
        now = {"weights model.safetensors": B, "chat template chat_template.jinja": A}
        assert changes("runs/best/", before, now) == [
            "the adapter in runs/best/adapter_config.json went",
            "the chat template in runs/best/chat_template.jinja came",
            "the weights in runs/best/model.safetensors changed",
        ]

    def test_what_is_no_digest_is_shown(self) -> None:
        assert changes("m", {"served root": '"a"'}, {"served root": '"b"'}) == [
            'the served root changed from "a" to "b"'
        ]

    def test_a_hub_model_is_its_commit(self) -> None:
        assert changes("a/b", {HUB_COMMIT: "1"}, {HUB_COMMIT: "1", "weights x": A}) == []
        assert changes("a/b", {HUB_COMMIT: "1"}, {HUB_COMMIT: "2"}) == ["the hub commit changed from 1 to 2"]

    def test_a_hub_that_does_not_answer_says_nothing_new(self) -> None:
        assert changes("a/b", {HUB_COMMIT: "1"}, {}) == []


def evalsuite_examples() -> list[Any]:
    from evalsuite.data import open_task_data

    return list(open_task_data(evalsuite.load_task("docvqa"), "synthetic").examples("validation"))


def test_a_model_that_cannot_be_read_stops_the_plan(best: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from evalsuite.backends.checkpoints import identity

    def broken(*_: object) -> None:
        raise BackendError("model.safetensors: cannot be read (Input/output error)")

    monkeypatch.setattr(identity, "digests", broken)
    with pytest.raises(BackendError, match="cannot be read"):
        api.plan(settings({"tasks": "docvqa", "model": str(best)}))
