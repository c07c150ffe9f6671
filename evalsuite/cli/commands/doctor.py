"""``evalsuite doctor``."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import click

from evalsuite.cli.printing import say, say_json

TOGETHER = "\u00a0"  # where a line must not be broken
ANSWERS = {True: "yes", False: "no", None: "not known"}


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def command(as_json: bool) -> int:
    """Say what is installed, which backends can run here, what they lack, and which tasks that blocks."""
    from evalsuite.doctor.examination import examine

    found = examine()
    if as_json:
        say_json(found)
        return 0
    _print_machine(found)
    _print_table(("backend", "can run"), [_finding(item) for item in found["backends"]])
    if found["extras"]:
        _print_table(("packages", "complete"), [_extra(extra) for extra in found["extras"]])
    else:
        say("\npackages are not known: evalsuite runs from a checkout that is not installed (pip install -e .)")
    _print_metrics(found["metrics"])
    _print_tasks(found["tasks"])
    return 0


def _print_machine(found: dict[str, Any]) -> None:
    machine = found["machine"]
    say(f"evalsuite {found['evalsuite']}, Python {machine['python']}, {machine['platform']}")
    say(f"{machine['cores']} cores, {machine['memory_gb']} GB memory")
    for gpu in machine["gpus"] or ["none found"]:
        say(f"GPU: {gpu}")
    for note in machine["notes"]:
        say(f"     {note}")


def _extra(extra: dict[str, Any]) -> tuple[str, str, list[str]]:
    installed = [
        f"{item['name']}{TOGETHER}{item['version']}" for item in extra["packages"] if item["version"] is not None
    ]
    lines = [f"{extra['purpose']}: {', '.join(installed) or 'nothing'}", *extra["lacks"], *extra["how"]]
    return extra["name"] or "(plain)", ANSWERS[extra["complete"]], lines


def _finding(item: dict[str, Any]) -> tuple[str, str, list[str]]:
    origin = f" ({item['package']})" if item["package"] else ""
    return item["name"] + origin, ANSWERS[item["can_run"]], [*item["lacks"], *item["how"]]


def _print_table(header: tuple[str, str], rows: Sequence[tuple[str, str, list[str]]]) -> None:
    """Two columns and, beside them, the lines of each row."""
    first, second = (max(len(line[i]) for line in [header, *rows]) for i in (0, 1))
    say()
    say(f"{header[0].ljust(first)}  {header[1]}")
    for name, answer, lines in rows:
        start = f"{name.ljust(first)}  {answer.ljust(second)}  "
        for line in _wrapped(lines or [""], len(start)):
            say((start + line).rstrip())
            start = " " * len(start)


def _print_metrics(metrics: Sequence[dict[str, Any]]) -> None:
    """Those that cannot run, and the number of the others."""
    blocked = [_finding(item) for item in metrics if not item["can_run"]]
    if blocked:
        _print_table(("metric", "can run"), blocked)
    say(f"\n{len(metrics) - len(blocked)} {'other ' if blocked else ''}metrics can run")


def _print_tasks(tasks: Sequence[dict[str, Any]]) -> None:
    say("\ntasks")
    if not tasks:
        say("  all can be run and scored")
    for item in tasks:
        blocks = item["blocks"].replace(" ", TOGETHER)
        for line in _wrapped([f"{', '.join(item['tasks'])} ({blocks})"] if item["tasks"] else [], 2):
            say(f"  {line}")
        for line in _wrapped([item["problem"]], 4):
            say(f"    {line}")


def _wrapped(lines: Iterable[str], indent: int) -> list[str]:
    """The lines, broken at the terminal's width; whole where the output is none, or a word would be broken."""
    width = shutil.get_terminal_size().columns - indent if sys.stdout.isatty() else sys.maxsize
    wrapped = []
    for line in lines:
        wrapped += textwrap.wrap(line, max(width, 40), break_long_words=False, break_on_hyphens=False) or [""]
    return [line.replace(TOGETHER, " ") for line in wrapped]
