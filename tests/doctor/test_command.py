"""``evalsuite doctor`` in a process of its own: for people, and as JSON."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

from evalsuite.backends import BACKENDS

Call = Callable[..., subprocess.CompletedProcess[str]]


def test_json_has_one_form_for_every_backend(evalsuite: Call) -> None:
    found = json.loads(evalsuite("doctor", "--json").stdout)
    assert found.keys() == {"evalsuite", "machine", "extras", "backends", "metrics", "tasks"}
    assert [item["name"] for item in found["backends"]] == sorted(BACKENDS)
    for item in found["backends"]:
        assert item.keys() == {"name", "can_run", "lacks", "how", "package"}
        assert item["can_run"] in (True, False, None)
        assert item["can_run"] is True or (item["lacks"] and item["how"])


def test_every_lack_of_a_package_comes_with_the_install_line(evalsuite: Call) -> None:
    for extra in json.loads(evalsuite("doctor", "--json").stdout)["extras"]:
        assert extra["complete"] is (not extra["lacks"])
        assert bool(extra["lacks"]) is any(line.startswith("pip install") for line in extra["how"])


def test_a_broken_plug_in_is_named_and_the_rest_is_said(evalsuite: Call, plug_in: Path) -> None:
    (plug_in / "slow_backend.py").write_text("raise RuntimeError('\\x1b[2J no driver')")
    done = evalsuite("doctor", path=(plug_in,))
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("slow "))
    assert "(slow-backend)" in line and "RuntimeError" in line and "no driver" in line
    assert "\x1b" not in done.stdout and "give --predictions FILE" in done.stdout


def test_what_a_program_reads_is_not_broken_into_lines(evalsuite: Call) -> None:
    done = evalsuite("doctor")
    (plain,) = (line for line in done.stdout.splitlines() if line.startswith("(plain)"))
    assert "click" in plain and "threadpoolctl" in plain
