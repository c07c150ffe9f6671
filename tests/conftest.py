"""Shared by all tests: the command line in a process of its own, and packages that plug in from outside."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
FIXTURES = ROOT / "tests" / "fixtures"

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # two test processes must not spin on each other's cores
os.environ["HF_HUB_OFFLINE"] = "1"
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a job that a script sends to the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # the runs that tests interrupt inherit it

SLOW_BACKEND = '''
"""A backend that answers with the prompt, one batch of four every SECONDS; it hangs at the example HANG_AT."""
import os, pathlib, time
from evalsuite.backends.base import BatchLimits, Prepared
from evalsuite.types import Generation

class Slow:
    limits = BatchLimits(4)
    def describe(self): return {"backend": "slow"}
    def prepare(self, request):
        if request.key.id == os.environ.get("HANG_AT"):
            pathlib.Path("hanging").touch()
            time.sleep(300)
        return Prepared(request, None, len(request.prompt))
    def generate(self, batch):
        time.sleep(float(os.environ.get("SECONDS", "0")))
        return [Generation(item.request.key, item.request.prompt) for item in batch]
    def close(self): pass

def create(options): return Slow()
'''


@pytest.fixture
def plug_in(own_files: Any, tmp_path: Path) -> Path:
    """A folder that holds an installed package with a backend ``slow``; put it on PYTHONPATH."""
    site: Path = own_files.write_package(
        tmp_path / "site", "slow_backend", SLOW_BACKEND, "[evalsuite.backends]", "slow = slow_backend"
    )
    return site


@pytest.fixture
def evalsuite(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run ``evalsuite ARGUMENTS`` in a process of its own, in an empty folder."""

    def call(
        *arguments: str | Path, path: tuple[Path, ...] = (), **environment: str
    ) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "evalsuite", *map(str, arguments)]
        return subprocess.run(command, cwd=tmp_path, env=environ(path, environment), capture_output=True, text=True)

    return call


def environ(path: tuple[Path, ...], extra: dict[str, str]) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, *path))), **extra}


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Start ``evalsuite ARGUMENTS`` without waiting for its end."""

    def call(*arguments: str | Path, path: tuple[Path, ...] = (), **environment: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "evalsuite", *map(str, arguments)]
        return subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environ(path, environment),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return call


@pytest.fixture(scope="session")
def load_module() -> Callable[[Path], Any]:
    """``load_module(path)``: a module of the tests by its file; tests are no package."""
    return _load_module


def _load_module(path: Path) -> Any:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def own_files() -> Any:
    """The module ``fixtures/own_files.py``, which writes tasks and packages of a user's own."""
    return _load_module(FIXTURES / "own_files.py")


@pytest.fixture
def own_task(own_files: Any, tmp_path: Path) -> Callable[..., Path]:
    """Write a small text task ``own`` with local records; returns (specs folder). Its data lies in ``data/own``."""

    def write(rows: list[dict[str, Any]], **changes: Any) -> Path:
        specs: Path = own_files.write_task(tmp_path, rows, **changes)
        return specs

    return write


@pytest.fixture(scope="session")
def openai_server() -> Any:
    """The module ``fixtures/openai_server.py``: ``with openai_server.serving() as server`` starts a local server."""
    return _load_module(FIXTURES / "openai_server.py")


@pytest.fixture
def server(openai_server: Any) -> Iterator[Any]:
    """A local server with an OpenAI-compatible interface."""
    with openai_server.serving() as running:
        yield running
