"""A run's settings as a YAML file: ``evalsuite run --config FILE``, and what ``--print-config`` writes.

Names are those of the options, with ``_`` or ``-`` between words, or those of the Python parameters. Paths are taken
from the current folder, as on the command line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalsuite.errors import EvalsuiteError, SeveralErrors, SpecError, UsageError, did_you_mean
from evalsuite.files.places import Problem
from evalsuite.files.yaml_reader import Document, read_yaml, scalar, shown
from evalsuite.settings.giving import ALL, Given
from evalsuite.settings.run import SETTINGS, RunConfig

_PLAIN = re.compile(r"[A-Za-z0-9_./][A-Za-z0-9_./%=~-]*( [A-Za-z0-9_./%=~-]+)*")
NEVER_HERE = ("config", "print_config", "dry_run", "json", "quiet")
"""Options of one command, which say nothing of the run."""


@dataclass(frozen=True)
class ConfigFile:
    """Settings of a file, read, and where each stands."""

    given: Given
    path: Path
    lines: Mapping[str, int] = field(default_factory=dict)

    def place_of(self, setting: str) -> str:
        """``run.yaml:3`` for what an error is about (``option.threads``, ``limit``); "" for what is not of the file."""
        while setting:
            if setting in self.lines:
                return f"{shown(self.path)}:{self.lines[setting]}"
            setting = setting.rpartition(".")[0]
        return ""

    def placed(self, error: EvalsuiteError) -> EvalsuiteError:
        """The error with the place in its message, where what it is about was given in this file."""
        parts = error.parts if isinstance(error, SeveralErrors) else [(str(error), error)]
        places = [(self.place_of(part.setting), message) for message, part in parts]
        error.args = ("\n".join(f"{place}: {message}" if place else message for place, message in places),)
        return error


def read_config(path: Path) -> ConfigFile:
    """Raises SpecError with file, line and 'did you mean' for everything that is wrong with single settings."""
    document = read_yaml(path)
    given, problems = read_settings(document.data)
    if problems:
        raise SpecError(f"{shown(path)}:{document.line(place)}: {message}" for place, message in problems)
    lines: dict[str, int] = {}
    for key in document.data:
        lines.update(_lines(document, key, ALL[_NAMES[key.replace("-", "_")]].key))
    return ConfigFile(given, path, lines)


def read_settings(
    data: Mapping[str, Any], without: Collection[str] = (), beside: Collection[str] = ()
) -> tuple[Given, list[Problem]]:
    """Settings under the names that files use, read, and what is wrong with them.

    without: names of settings that have no place here. beside: other names that a user may have meant.
    """
    given: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in data.items():
        name = _NAMES.get(key.replace("-", "_"))
        if name is None or name in without:
            problems.append(((key,), _unknown(key, without, beside)))
            continue
        known = ALL[name]
        if name in given:
            problems.append(((key,), f"{known.key} is given twice"))
        elif value is not None:  # null: as a setting that is not there
            try:
                given[name] = known.checked(known.kind.value(known.flag, value))
            except UsageError as error:
                problems.append(((key, *error.setting.split(".")[1:]), str(error)))
    return given, problems


def config_text(config: RunConfig) -> str:
    """The settings as a file that means the same: every one that has a value, in the order of the list."""
    lines: list[str] = []
    for known in SETTINGS.values():
        value = getattr(config, known.name)
        if value is not None and value != () and value != {}:
            lines += _written(known.key, known.kind.plain(value), "")
    return "\n".join(lines) + "\n"


_NAMES = {**{known.key: name for name, known in ALL.items()}, **{name: name for name in ALL}}
"""What a file may call a setting -> its name."""


def _unknown(key: str, without: Collection[str], beside: Collection[str]) -> str:
    word = key.replace("-", "_")
    if word in NEVER_HERE:
        return f"{word} is an option of the command alone; leave it out"
    known = {known.key for name, known in ALL.items() if name not in without}
    return f"unknown setting {key!r}. {did_you_mean(word, known | set(beside))}"


def _lines(document: Document, key: str, name: str) -> Mapping[str, int]:
    """Where the setting stands, and what is inside of it: ``option``, ``option.threads``."""
    found = {place: mark.line for place, mark in document.keys.items() if place[:1] == (key,)}
    return {".".join([name, *map(str, place[1:])]): line for place, line in found.items()}


def _written(key: str, value: Any, indent: str) -> list[str]:
    if isinstance(value, Mapping) and value:
        inner = [line for name, item in value.items() for line in _written(str(name), item, f"{indent}  ")]
        return [f"{indent}{_scalar(key)}:", *inner]
    if isinstance(value, list):
        return [f"{indent}{_scalar(key)}: [{', '.join(map(_scalar, value))}]"]
    return [f"{indent}{_scalar(key)}: {_scalar(value)}"]


def _scalar(value: Any) -> str:
    """A text, number or boolean that reads back as itself; a text is quoted where it would not."""
    if isinstance(value, str) and _PLAIN.fullmatch(value) and scalar(value) == value:
        return value
    text = json.dumps(value, ensure_ascii=False)
    return "".join(sign if sign.isprintable() else f"\\U{ord(sign):08x}" for sign in text)
