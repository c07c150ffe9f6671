"""Runs through a server, as a user meets them: the command, a server that dies half way, what the report says."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalsuite.runs.folder import STORE
from evalsuite.runs.store import PredictionStore

Call = Callable[..., subprocess.CompletedProcess[str]]
ROWS = [{"id": str(n), "question": f"say {n}", "answer": f"{n} say 0 nothing"} for n in range(24)]


@pytest.fixture
def arguments(own_task: Callable[..., Path], tmp_path: Path, server: Any) -> list[str]:
    data = ["--tasks", "own", "--specs", str(own_task(ROWS)), "--data", "files", "--data-dir", str(tmp_path / "data")]
    options = [f"url={server.url}", "backoff=0.001", "retries=2", "concurrency=2"]
    given = [word for option in options for word in ("--option", option)]
    return ["run", "--backend", "server", "--model", "fake", *data, *given, "--out", str(tmp_path / "out"), "--quiet"]


def stored(folder: Path) -> dict[str, str]:
    with PredictionStore(folder / STORE, read_only=True) as store:
        return {item.key.id: item.text for item in store.read("own", "test") if item.error is None}


def test_documents_are_asked_about_and_scored(evalsuite: Call, server: Any, openai_server: Any, tmp_path: Path) -> None:
    """The pages of the synthetic world reach the server, and the report says what it did otherwise."""
    server.models = [{"id": "mine", "owned_by": "vllm", "root": "google/paligemma2-3b-mix-448"}]
    options = ["--option", f"url={server.url}", "--option", "image_pipeline=reference", "--option", "resolution=448"]
    done = evalsuite("run", "--backend", "server", *options, "--model", "mine", "--tasks", "docvqa", "--limit", "8")
    assert done.returncode == 0, done.stderr
    assert server.asked.total() == 8 and all(len(openai_server.images_of(body)) == 1 for body in server.bodies)
    (folder,) = (tmp_path / "runs").iterdir()
    (facts,) = json.loads((folder / "manifest.json").read_text())["models"].values()
    for page in ("index.html", "table.md"):
        text = (folder / "report" / page).read_text()
        assert "not comparable with published ones" in text and "It takes one image per prompt" in text
    assert (facts["server"], facts["resolution"], facts["images_per_prompt"]) == ("vLLM", 448, 1)


def test_a_task_with_more_images_than_the_server_takes_is_refused_before_anything_is_asked(
    evalsuite: Call, server: Any
) -> None:
    options = ["--option", f"url={server.url}", "--option", "images_per_prompt=1"]
    done = evalsuite("run", "--backend", "server", *options, "--tasks", "nlvr2", "--limit", "4", "--quiet")
    assert done.returncode == 1 and server.asked.total() == 0
    assert "nlvr2 asks about 2 images at once, and this server takes 1 per prompt" in done.stdout + done.stderr


def test_a_run_whose_server_dies_is_resumed_without_asking_anything_twice(
    evalsuite: Call, server: Any, openai_server: Any, arguments: list[str], tmp_path: Path
) -> None:
    server.die_after = 9
    broken = evalsuite(*arguments)
    assert broken.returncode == 1 and "nothing answers at http://127.0.0.1:" in broken.stdout + broken.stderr
    kept = stored(tmp_path / "out")
    assert len(kept) == 9 and set(server.answered) == {f"say {id}" for id in kept}

    server.ending.set()
    with openai_server.serving(server.server_address[1]) as again:
        done = evalsuite(*arguments)
        assert done.returncode == 0, done.stderr
        assert set(again.asked) == {f"say {row['id']}" for row in ROWS} - set(server.answered)
        assert set(again.asked.values()) == {1}
    assert stored(tmp_path / "out") == {row["id"]: row["answer"] for row in ROWS}


def test_the_dials_of_speed_may_differ_when_a_run_is_resumed(
    evalsuite: Call, server: Any, arguments: list[str]
) -> None:
    assert evalsuite(*arguments, "--limit", "4").returncode == 0
    done = evalsuite(*arguments, "--limit", "8", "--option", "timeout=9", "--batch-size", "3")
    assert done.returncode == 0, done.stderr
    assert server.asked.total() == 8 and set(server.asked.values()) == {1}


def test_the_key_is_nowhere_but_in_the_requests(
    evalsuite: Call, server: Any, openai_server: Any, arguments: list[str], tmp_path: Path
) -> None:
    server.faults["say 3"] = [openai_server.status(400, "k3y-k3y is not welcome")]
    done = evalsuite(*arguments, "--max-errors", "1", OPENAI_API_KEY="k3y-k3y")
    assert done.returncode == 0 and "k3y" not in done.stdout + done.stderr
    assert {headers["Authorization"] for headers in server.headers} == {"Bearer k3y-k3y"}
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) > 5 and not [path for path in files if b"k3y" in path.read_bytes()]


def test_a_dry_run_asks_the_server_for_its_models_only(evalsuite: Call, server: Any, arguments: list[str]) -> None:
    wrong = [word if word != "fake" else "fakes" for word in arguments]
    done = evalsuite(*wrong, "--dry-run")
    assert (
        done.returncode == 1 and "has no model 'fakes'. It has fake" in done.stderr and "Traceback" not in done.stderr
    )
    assert evalsuite(*arguments, "--dry-run").returncode == 0 and server.asked.total() == 0
