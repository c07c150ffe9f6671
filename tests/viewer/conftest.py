"""Runs to look at, their server, and a browser without a window."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import evalsuite
from evalsuite.specs import TaskRegistry
from evalsuite.viewer.browsing import Browser
from evalsuite.viewer.server import ViewerServer

QUESTIONS = 60
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def hostile() -> str:
    """What a model might write to get at the reader."""
    return (
        '<script>alert(1)</script><img src=x onerror=alert(1)><img src="http://example.com/a.png">'
        '<svg onload=alert(1)></svg><style>body{display:none}</style> "quoted" \u202ereversed'
    )


@pytest.fixture(scope="session")
def replay() -> Callable[..., Path]:
    """``replay(tasks, {id: answer}, folder, ...)``: the folder of a run on these answers."""

    def run(tasks: str, answers: Mapping[str, str], folder: Path, **asked: Any) -> Path:
        file = folder.with_suffix(".jsonl")
        file.write_text("".join(json.dumps({"id": id, "text": text}) + "\n" for id, text in answers.items()))
        result = evalsuite.run(tasks, backend="replay", options={"predictions": str(file)}, out=folder, **asked)
        assert result.ok, result.failures
        return result.folder

    return run


@pytest.fixture(scope="session")
def runs(
    replay: Callable[..., Path], own_files: Any, hostile: str, tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    """Two runs of sixty questions: the first wrong on 0 to 4, the second on 3 to 9; wrong answers are hostile.

    Beside them lie ``specs`` and ``data``.
    """
    folder = tmp_path_factory.mktemp("own")
    asked = [(f"q{n}", f"question {n} of 50%", [f"right {n}"], "odd" if n % 2 else "even") for n in range(QUESTIONS)]
    rows = [dict(zip(("id", "question", "answer", "kind"), values, strict=True)) for values in asked]
    own_files.write_task(folder, rows, stratum="kind")
    found = []
    for name, wrong in (("first", range(5)), ("second", range(3, 10))):
        answers = {f"q{n}": hostile if n in wrong else f"right {n}" for n in range(QUESTIONS)}
        where = {"data": "files", "data_dir": folder / "data", "specs": [folder / "specs"]}
        found.append(replay("own", answers, folder / name, **where))
    return found


@pytest.fixture
def browser(runs: list[Path]) -> Browser:
    return Browser.open(runs, TaskRegistry([runs[0].parent / "specs"]))


@pytest.fixture
def serve() -> Iterator[Callable[..., ViewerServer]]:
    """``serve(browser, studies=())``: a server that answers until the test ends."""
    servers: list[ViewerServer] = []

    def start(browser: Browser, studies: Sequence[Path] = ()) -> ViewerServer:
        servers.append(ViewerServer(browser, studies=studies))
        threading.Thread(target=servers[-1].serve_forever, args=(0.02,), daemon=True).start()
        return servers[-1]

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Selenium driver of Debian's Chromium that notes its console and every request."""
    program, driver_program = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver_program is None:
        pytest.skip("needs Debian's packages chromium and chromium-driver: apt-get install chromium chromium-driver")
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(driver_program))
    driver.get("about:blank")  # the first page of a new window is the browser's own
    yield driver
    driver.quit()
