"""Runs in processes of their own that are met by a fault, and what they leave compared with an uninterrupted one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROWS = [{"id": str(n), "question": f"say {n}", "answer": f"say {n if n % 3 else 0}"} for n in range(60)]

ROOT = Path(__file__).resolve().parent.parent.parent

BACKEND = '''
"""Answers with the prompt, four at a time, and notes in ASKED whom it asked.

SECONDS: for one batch, and for loading. FITS: at most so many examples fit into memory; GREEDY: an example that never
does. CRASH_AT, CRASH_ON: an example whose preparation, or answer, is a segmentation fault. HANG_AT: an example whose
preparation does not end. DEAF: loading swallows every interrupt, and the grace period is so many seconds.
"""
import os, signal, time
from evalsuite.backends.base import BatchLimits, Prepared
from evalsuite.errors import BackendOutOfMemory
from evalsuite.types import Generation

SECONDS = float(os.environ.get("SECONDS", "0"))

class Mortal:
    limits = BatchLimits(4)
    def describe(self): return {"backend": "mortal"}
    def prepare(self, request):
        if request.key.id == os.environ.get("CRASH_AT"):
            signal.raise_signal(signal.SIGSEGV)
        if request.key.id == os.environ.get("HANG_AT"):
            open("hanging", "w").close()
            time.sleep(300)
        return Prepared(request, None, 1)
    def generate(self, batch):
        ids = [item.request.key.id for item in batch]
        if os.environ.get("CRASH_ON") in ids:
            signal.raise_signal(signal.SIGSEGV)
        if len(ids) > int(os.environ.get("FITS", "4")) or os.environ.get("GREEDY") in ids:
            raise BackendOutOfMemory("no room")
        if "ASKED" in os.environ:
            with open(os.environ["ASKED"], "a") as file:
                file.write("".join(id + "\\n" for id in ids))
        time.sleep(SECONDS)
        return [Generation(item.request.key, item.request.prompt) for item in batch]
    def close(self): pass

def create(options):
    if "DEAF" in os.environ:
        import evalsuite.cli.interrupts
        evalsuite.cli.interrupts.GRACE_SECONDS = float(os.environ["DEAF"])
        while True:
            try:
                open("hanging", "w").close()
                time.sleep(60)
            except KeyboardInterrupt:
                pass
    time.sleep(SECONDS)
    return Mortal()
'''


@dataclass(frozen=True)
class World:
    """A task of 60 examples, the package with the backend ``mortal`` (for PYTHONPATH), and an uninterrupted run."""

    files: Any
    folder: Path
    site: Path
    whole: Path

    @property
    def specs(self) -> Path:
        """The folder with the task's spec."""
        return self.folder / "specs"

    def command(self, out: Path, *more: str) -> list[str | Path]:
        """The words of ``evalsuite run`` into the folder ``out``."""
        words: list[str | Path] = self.files.run_words(self.folder, "mortal", out, "--quiet", *more)
        return words

    def is_finished(self, out: Path) -> bool:
        """Whether predictions and results are those of the uninterrupted run."""
        return (self.stored(out), self.results(out)) == (self.stored(self.whole), self.results(self.whole))

    def stored(self, out: Path) -> dict[str, tuple[Any, ...]]:
        """Rows by id, without checksum and times; none while there is no store."""
        rows: dict[str, tuple[Any, ...]] = self.files.stored(out)
        return rows

    def results(self, out: Path) -> list[dict[str, Any]]:
        """All values, without the name of the run."""
        rows: list[dict[str, Any]] = self.files.results(out)
        return rows


@pytest.fixture(scope="session")
def world(own_files: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    own_files.write_task(folder, ROWS)
    site = own_files.write_package(folder / "site", "mortal", BACKEND)
    world = World(own_files, folder, site, folder / "whole")
    done = subprocess.run(
        [sys.executable, "-m", "evalsuite", *map(str, world.command(world.whole))],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{world.site}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return world


@pytest.fixture
def run(world: World, evalsuite: Callable[..., Any]) -> Callable[..., Any]:
    """``evalsuite run`` of the task into a folder, to its end."""

    def call(out: Path, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = evalsuite(
            *world.command(out, *more), path=(world.site,), **environment
        )
        return done

    return call


@pytest.fixture
def begin(world: World, start: Callable[..., Any]) -> Callable[..., Any]:
    """As ``run``, until a condition holds; the process then goes on."""

    def call(out: Path, until: Callable[[], bool], **environment: str) -> subprocess.Popen[str]:
        process: subprocess.Popen[str] = start(*world.command(out), path=(world.site,), **environment)
        deadline = time.monotonic() + 60
        while not until() and process.poll() is None:
            assert time.monotonic() < deadline, "the run made no progress"
            time.sleep(0.002)
        return process

    return call


@pytest.fixture
def copy(world: World, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of the uninterrupted run under another name."""
    return lambda name: Path(shutil.copytree(world.whole, tmp_path / name))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 60 MB, of which a run wants 50 to be free before it begins."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("only root may mount a small file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)
