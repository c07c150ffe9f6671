"""What is printed cannot steer the terminal: every command on a hostile run, its errors, and its JSON."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalsuite.cli import main
from evalsuite.cli.printing import say, say_json

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
CLI = Path(__file__).resolve().parents[2] / "evalsuite" / "cli"

REPLAY = ["run", "--backend", "replay", "--data", "files", "--data-dir", "data", "--specs", "specs", "--tasks", "own"]

Invoke = Callable[..., tuple[str, str]]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Invoke:
    """The command line in this process, in the folder of the run: what it printed, and what it complained of."""

    def call(*arguments: str) -> tuple[str, str]:
        capsys.readouterr()
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", ["evalsuite", *arguments])
        with pytest.raises(SystemExit):
            main()
        return capsys.readouterr()

    return call


@pytest.mark.parametrize(
    "arguments",
    [
        ["report", "run"],
        ["report", "run", "--json"],
        ["score", "run", "--specs", "specs"],
        ["compare", "run", "again", "--specs", "specs", "--flips", "9"],
        ["compare", "run", "again", "--specs", "specs", "--json"],
        ["data", "check", "own", "--data", "files", "--data-dir", "data", "--specs", "specs"],
        ["data", "check", "own", "--data", "files", "--data-dir", "data", "--specs", "specs", "--json"],
        ["tasks", "show", "own", "--specs", "specs"],
        ["tasks", "show", "own", "--specs", "specs", "--json"],
        [*REPLAY, "--predictions", "answers.jsonl", "--out", "new"],
        [*REPLAY, "--predictions", "bad.jsonl", "--out", "bad"],
        ["tasks", "validate", "evil.yaml"],
        ["report", "\x1b[2Jrun"],
    ],
)
def test_no_command_prints_what_a_terminal_obeys(
    arguments: list[str], hostile_run: Path, tmp_path: Path, invoke: Invoke
) -> None:
    (tmp_path / "bad.jsonl").write_text('{"\x7f\\u009b31m": "1", "text\\u202e": 1}\n')
    (tmp_path / "evil.yaml").write_text('"\\x1b[2J\\u202e": 1\n')
    if "again" in arguments:
        (tmp_path / "other.jsonl").write_text((tmp_path / "answers.jsonl").read_text().replace("=HYPER", "=OTHER", 9))
        invoke(*REPLAY, "--predictions", "other.jsonl", "--out", "again", "--max-errors", "100%", "--quiet")
    printed, complained = invoke(*arguments)
    assert printed + complained
    assert not OBEYED.search(printed) and not OBEYED.search(complained)
    if "--json" in arguments:
        json.loads(printed)


def test_json_gives_the_very_text_back(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"a": "\x1b[31m\x9b\u202e\ud800 é"}
    say_json(value)
    printed = capsys.readouterr().out
    assert json.loads(printed) == value and not OBEYED.search(printed) and "é" in printed


def test_layout_stays(capsys: pytest.CaptureFixture[str]) -> None:
    say("a\n\tb\r\x1b[0m")
    assert capsys.readouterr().out == "a\n\tb\\r\\x1b[0m\n"


def test_one_module_prints() -> None:
    """Rich prints tables, whose cells are cleaned by their renderer, and the live progress, which cleans its notes."""
    printing = re.compile(r"click\.echo|click\.secho|sys\.stdout\.write|(?<![\w.])print\(")
    found = [path.name for path in CLI.glob("*.py") if printing.search(path.read_text())]
    assert found == ["printing.py"]


def test_an_error_that_nobody_expected_is_written_out_too(
    hostile_run: Path, own_files: Any, tmp_path: Path, evalsuite: Command
) -> None:
    code = "def check(options): raise RuntimeError('\\x1b[2J Bearer abcdefghijkl')\ndef create(options): pass\n"
    site = own_files.write_package(tmp_path / "site", "broken", code)
    done = evalsuite("run", "--backend", "broken", "--tasks", "docvqa", path=(site,))
    assert done.returncode == 1 and "Traceback" in done.stderr and "RuntimeError" in done.stderr
    assert not OBEYED.search(done.stderr) and "abcdefghijkl" not in done.stderr
