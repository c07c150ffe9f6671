"""A run on data that are here opens no socket, although nothing tells the hub libraries to be offline."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
LOCAL_RUN = ["run", "--backend", "torch", "--tasks", "own", "--specs", "specs", "--data", "files"]
LOCAL_RUN += ["--data-dir", "data", "--out", "run"]
GUARD = """
import socket, sys
def refuse(self, address, *rest):
    if self.family == socket.AF_UNIX: return connect(self, address)
    sys.stderr.write(f"SOCKET {address}\\n"); sys.stderr.flush()
    raise OSError("no network in this test")
connect = socket.socket.connect
socket.socket.connect = socket.socket.connect_ex = refuse
def resolve(host, *rest, **more):
    sys.stderr.write(f"LOOKUP {host}\\n"); sys.stderr.flush()
    raise socket.gaierror("no network in this test")
socket.getaddrinfo = resolve
"""


@pytest.fixture
def guarded(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line in a process that notes every attempt to reach another machine."""
    site = tmp_path / "guard"
    site.mkdir()
    (site / "sitecustomize.py").write_text(GUARD)
    kept = {name: value for name, value in os.environ.items() if "OFFLINE" not in name}
    environment = {**kept, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)]), "HF_HOME": str(tmp_path / "hub")}

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "evalsuite", *arguments]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)

    return call


def test_the_guard_sees_an_attempt(guarded: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = guarded("run", "--backend", "echo", "--tasks", "docvqa", "--data", "hub")
    assert done.returncode != 0 and ("SOCKET" in done.stderr or "LOOKUP" in done.stderr)


def test_a_model_on_local_files_opens_no_socket(
    own_task: Callable[..., Path], tmp_path: Path, guarded: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    pytest.importorskip("torch")
    fields = {"id": "id", "references": "answer", "values": {"question": "question"}, "images": ["image"]}
    rows = [{"id": str(n), "question": "q", "answer": ["a"], "image": "a.png"} for n in range(2)]
    own_task(rows, fields=fields)
    (tmp_path / "data" / "own" / "images").mkdir()
    Image.new("RGB", (64, 64), "red").save(tmp_path / "data" / "own" / "images" / "a.png")
    done = guarded(*LOCAL_RUN)
    assert done.returncode == 0, done.stderr
    assert "SOCKET" not in done.stderr and "LOOKUP" not in done.stderr
    assert json.loads((tmp_path / "run" / "manifest.json").read_text())["sessions"][-1]["answered"] == 2


def test_a_model_folder_is_loaded_without_the_network() -> None:
    """A config may name other repositories: inside of the loader nothing is fetched, outside all is as before."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import OfflineModeIsEnabled

    from evalsuite.backends.checkpoints.offline import without_network

    before = constants.HF_HUB_OFFLINE
    with without_network(), pytest.raises(OfflineModeIsEnabled):
        HfApi().model_info("someone/else")
    assert before == constants.HF_HUB_OFFLINE


def test_an_address_in_a_record_is_not_followed(own_task: Callable[..., Path], tmp_path: Path) -> None:
    from evalsuite.data.visuals import MediaFolder
    from evalsuite.errors import ExampleError

    for name in ("http://evil.example/a.png", "file:///etc/passwd", "s3://bucket/a.png", "//server/share/a.png"):
        with pytest.raises(ExampleError):
            MediaFolder(tmp_path).path(name)
