"""YAML as the core schema of YAML 1.2 reads it, with the place of every key and value.

Stricter than usual, because a spec must mean what it looks like: ``yes``, ``no``, ``on``, ``off``, dates and ``12:30``
are text; a key given twice, tags, anchors and aliases, several documents and files above 1 MB are refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import yaml

from evalsuite.errors import SpecError
from evalsuite.files.places import Place, dotted

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MOST_PROBLEMS, LONGEST_PROBLEM = 50, 600
"""Of one file that are told, and characters of each: a hostile file may hold a million mistakes."""


class Mark(NamedTuple):
    """Where something stands in a file, both from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Document:
    """What a file holds. ``keys`` and ``values`` give the mark of each place; an item of a list is its own key."""

    path: Path
    data: dict[str, Any] = field(default_factory=dict)
    keys: dict[Place, Mark] = field(default_factory=dict)
    values: dict[Place, Mark] = field(default_factory=dict)

    def line(self, place: Place) -> int:
        """Line of the key at ``place``, or of the nearest part above it that stands in the file."""
        while place and place not in self.keys:
            place = place[:-1]
        return self.keys[place].line if place else 1

    def problem(self, place: Place, message: str) -> str:
        """``file:line: dotted.place: message``."""
        field_name = dotted(place)
        text = f"{shown(self.path)}:{self.line(place)}: {field_name + ': ' if field_name else ''}{message}"
        return _cut(text)


def read_yaml(path: str | os.PathLike[str]) -> Document:
    """Reads one file whose top level is a mapping. Raises SpecError that names file, line and reason."""
    path = Path(path)
    text = _text(path)
    try:
        return _Builder(path, text).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "not valid YAML"
        _refuse(path, mark.line + 1 if mark else 1, f"not valid YAML: {reason}")
    except yaml.YAMLError as error:
        _refuse(path, 1, f"not valid YAML: {str(error).splitlines()[0]}")


def shown(path: Path) -> str:
    """The path as a message shows it: relative where it lies below the current folder."""
    try:
        return str(path.resolve().relative_to(Path.cwd())) if path.is_absolute() else str(path)
    except (ValueError, OSError):
        return str(path)


def scalar(text: str) -> Any:
    """The value of a plain scalar under the core schema of YAML 1.2 (https://yaml.org/spec/1.2.2/#103-core-schema).

    >>> [scalar(text) for text in ("no", "true", "0x10", "1e3", "2024-01-31", "~")]
    ['no', True, 16, 1000.0, '2024-01-31', None]
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[:1] in _NUMBER_START and len(text) <= 64:
        if _INTEGER.fullmatch(text):
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
        if _RADIX.fullmatch(text):
            return int(text, 0)
    return text


_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_NUMBER_START = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_RADIX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Used for its events alone: no object is ever constructed by PyYAML."""


class _Builder:
    """Builds plain data from the parser's events and notes where each piece stands."""

    def __init__(self, path: Path, text: str) -> None:
        self.path = path
        self.result = Document(path)
        self.events: Iterator[Any] = iter(yaml.parse(text, Loader=_Loader))
        self.problems: list[str] = []

    def document(self) -> Document:
        next(self.events)  # start of the stream
        if not isinstance(next(self.events), yaml.DocumentStartEvent):
            _refuse(self.path, 1, "the file is empty")
        event = next(self.events)
        if isinstance(event, yaml.ScalarEvent) and event.value == "":
            _refuse(self.path, 1, "the file is empty")
        if not isinstance(event, yaml.MappingStartEvent):
            _refuse(self.path, _line(event), "the top level must be a mapping (name: value)")
        self.result.data = self.value(event, ())
        next(self.events)  # end of the document
        event = next(self.events)
        if isinstance(event, yaml.DocumentStartEvent):
            _refuse(self.path, _line(event), "a second document; one file holds one spec")
        if self.problems:
            raise SpecError(self.problems)
        return self.result

    def value(self, event: Any, place: Place) -> Any:
        self.check(event, place)
        self.result.values[place] = _mark(event)
        if isinstance(event, yaml.ScalarEvent):
            plain = event.implicit[0]
            return scalar(event.value) if plain else event.value
        if len(place) >= MAX_DEPTH:
            _refuse(self.path, _line(event), f"nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(place)
        return self.sequence(place)

    def mapping(self, place: Place) -> dict[str, Any]:
        data: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                _refuse(self.path, _line(event), "a key must be plain text")
            self.check(event, place)
            key, below = event.value, (*place, event.value)
            if key in data:
                first = self.result.keys[below].line
                self.problem(event, f"{dotted(below)}: given twice, first in line {first}")
            self.result.keys[below] = _mark(event)
            data[key] = self.value(next(self.events), below)
        return data

    def sequence(self, place: Place) -> list[Any]:
        data: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            below = (*place, len(data))
            self.result.keys[below] = _mark(event)
            data.append(self.value(event, below))
        return data

    def check(self, event: Any, place: Place) -> None:
        """Refuses what makes a file mean more than it shows."""
        if event.anchor is not None:
            _refuse(self.path, _line(event), "anchors and aliases (& and *) are not allowed; write the value out")
        if event.tag is not None:
            _refuse(self.path, _line(event), f"tags are not allowed: {event.tag}. Text goes in quotes")

    def problem(self, event: Any, message: str) -> None:
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(_cut(f"{shown(self.path)}:{_line(event)}: {message}"))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SpecError([f"{shown(path)}: cannot be read: {error.strerror or error}"]) from error
    if len(content) > MAX_BYTES:
        raise SpecError([f"{shown(path)}: larger than {MAX_BYTES // 1_000_000} MB; a task spec is a few hundred lines"])
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SpecError([f"{shown(path)}:{line}: not UTF-8 text"]) from error


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _refuse(path: Path, line: int, message: str) -> NoReturn:
    raise SpecError([_cut(f"{shown(path)}:{line}: {message}")])


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_PROBLEM else f"{text[:LONGEST_PROBLEM]}…"
