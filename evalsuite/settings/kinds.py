"""The kinds of value that a setting may have: read from words of a command line, from Python and from a file.

Each kind is read strictly and written back as plain data, so that what was read can be printed and read again.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.errors import UsageError
from evalsuite.settings.limits import ErrorBudget, Limit
from evalsuite.settings.shards import Shard
from evalsuite.settings.words import parse_metric_options, parse_names, parse_pairs, parse_value

Read = Callable[[str, Any], Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """How the values of a setting are read and written. All three take or give one value.

    word: from ``(option, text)`` of a command line; of a ``repeated`` one, from (option, all its texts).
    value: from ``(option, value)`` of a Python call or a file. Both raise UsageError that begins with the option.
    plain: what a file or a manifest holds: text, numbers, lists and objects of these.
    is_table: names with values, of which a command line changes some and leaves the others.
    """

    word: Read
    value: Read
    plain: Callable[[Any], Any]
    repeated: bool = False
    is_table: bool = False


def _same(value: Any) -> Any:
    return value


def _refused(option: str, value: Any, needed: str) -> UsageError:
    return UsageError(f"{option} {_shown(value)}: give {needed}")


def _shown(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _text(option: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _refused(option, value, "a text")
    return value


def _path(option: str, value: Any) -> Path:
    if not isinstance(value, (str, os.PathLike)) or not str(value):
        raise _refused(option, value, "a path")
    return Path(value)


def _whole(least: int | None) -> Read:
    needed = "a whole number" if least is None else f"a whole number from {least}"

    def read(option: str, value: Any) -> int:
        number = parse_value(value) if isinstance(value, str) else value
        if not isinstance(number, int) or isinstance(number, bool) or (least is not None and number < least):
            raise _refused(option, value, needed)
        return number

    return read


def _positive(option: str, value: Any) -> float:
    number = parse_value(value) if isinstance(value, str) else value
    if not isinstance(number, (int, float)) or isinstance(number, bool) or not 0 < number < float("inf"):
        raise _refused(option, value, "a number greater than 0")
    return float(number)


def _parsed(parse: Callable[[str], Any], known: type) -> Read:
    """A value with a notation of its own, such as ``10%``: as text, as a number, or as what it is read to."""

    def read(option: str, value: Any) -> Any:
        if isinstance(value, known):
            return value
        if not isinstance(value, (str, int)) or isinstance(value, bool):
            raise _refused(option, value, "a number or a text")
        return parse(str(value))

    return read


def _names(option: str, value: Any) -> tuple[str, ...] | None:
    if isinstance(value, str):
        return parse_names(value)
    if not isinstance(value, Sequence) or not all(isinstance(name, str) and name for name in value):
        raise _refused(option, value, "names, as a list or separated by commas")
    return tuple(value) or None


def _paths(option: str, value: Any) -> tuple[Path, ...]:
    if isinstance(value, (str, os.PathLike)) or not isinstance(value, Sequence):
        value = [value]
    return tuple(_path(option, path) for path in value)


def _table(option: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(name, str) and name for name in value):
        raise _refused(option, value, "names with values")
    return value


def _attributes(option: str, value: Any) -> dict[str, Any]:
    return dict(_table(option, value))


def _text_of(option: str, name: str, value: Any) -> str:
    """A setting of a backend or a metric as the command line gives it."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, (str, int, float, os.PathLike)):
        raise UsageError(f"{option} {name}: give a text, a number, true or false, not {_shown(value)}").about(
            f"{option.lstrip('-')}.{name}"
        )
    return str(value)


def _texts(option: str, value: Any) -> dict[str, str]:
    return {name: _text_of(option, name, inner) for name, inner in _table(option, value).items()}


def _nested_texts(option: str, value: Any) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for name, inner in _table(option, value).items():
        if not isinstance(inner, Mapping):
            raise UsageError(f"{option} {name}: give parameters with values, not {_shown(inner)}").about(
                f"{option.lstrip('-')}.{name}"
            )
        found[name] = {key: _text_of(option, f"{name}.{key}", text) for key, text in inner.items()}
    return found


def _plain_table(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: dict(value) if isinstance(value, Mapping) else value for name, value in table.items()}


TEXT = Kind(_text, _text, _same)
PATH = Kind(_path, _path, str)
WHOLE = Kind(_whole(None), _whole(None), _same)
COUNT = Kind(_whole(1), _whole(1), _same)
SECONDS = Kind(_positive, _positive, _same)
LIMIT = Kind(lambda _, text: Limit.parse(text), _parsed(Limit.parse, Limit), str)
BUDGET = Kind(lambda _, text: ErrorBudget.parse(text), _parsed(ErrorBudget.parse, ErrorBudget), str)
SHARD = Kind(lambda _, text: Shard.parse(text), _parsed(Shard.parse, Shard), str)
NAMES = Kind(_names, _names, list)
PATHS = Kind(_paths, _paths, lambda paths: [str(path) for path in paths], repeated=True)
ATTRIBUTES = Kind(
    lambda option, pairs: {name: parse_value(text) for name, text in parse_pairs(pairs, option).items()},
    _attributes,
    _plain_table,
    repeated=True,
    is_table=True,
)
TEXTS = Kind(lambda option, pairs: parse_pairs(pairs, option), _texts, _plain_table, repeated=True, is_table=True)
METRIC_TEXTS = Kind(
    lambda _, pairs: parse_metric_options(pairs), _nested_texts, _plain_table, repeated=True, is_table=True
)
