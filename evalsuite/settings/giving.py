"""Settings as they are given, on a command line, in Python or in a file, put together to what a run is asked to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalsuite.errors import UnknownName, UsageError
from evalsuite.settings.listing import Setting
from evalsuite.settings.run import FOR_REPLAY, SETTINGS, SHORTHANDS, RunConfig

ALL: dict[str, Setting] = {**SETTINGS, **SHORTHANDS}
"""Everything that can be given: the settings, and the shorthands for some of a backend."""

Given = Mapping[str, Any]
"""Name of a setting -> its value, read. A setting that is absent was not given."""


def from_words(words: Mapping[str, str | Sequence[str] | None]) -> Given:
    """From a command line: name -> text, or all texts of a repeated option. None and () were not given.

    Raises UsageError.
    """
    return {
        name: ALL[name].kind.word(ALL[name].flag, text)
        for name, text in words.items()
        if text is not None and not (ALL[name].kind.repeated and not text)
    }


def from_values(values: Mapping[str, Any]) -> Given:
    """From a Python call: name -> value; None was not given.

    Raises UnknownName for a setting that does not exist, UsageError for a value that it cannot have.
    """
    for name in values:
        if name not in ALL:
            raise UnknownName("setting of a run", name, ALL)
    return {name: ALL[name].kind.value(name, value) for name, value in values.items() if value is not None}


def run_config(*given: Given) -> RunConfig:
    """What a run is asked to do. Later sources win, in a table name by name. Raises UsageError or UnknownName."""
    together: dict[str, Any] = {}
    for source in map(_without_shorthands, given):
        for name, value in source.items():
            together[name] = _over(together.get(name, {}), value) if ALL[name].kind.is_table else value
    config = RunConfig(**together)
    for name in FOR_REPLAY:
        if config.backend != "replay" and any(name in source for source in given):
            message = f"--{name} is for --backend replay, not --backend {config.backend}"
            raise UsageError(message).about(name)
    return config


def _without_shorthands(given: Given) -> Given:
    """Shorthands as the settings of the backend that they stand for."""
    options = {name: str(value) for name, value in given.items() if name in SHORTHANDS}
    for name in options:
        SHORTHANDS[name].checked(given[name])
    kept = {name: value for name, value in given.items() if name not in SHORTHANDS}
    return {**kept, "options": {**kept.get("options", {}), **options}} if options else kept


def _over(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Two tables as one: the later value of each name, and of each name inside."""
    found = dict(before)
    for name, value in after.items():
        inside = isinstance(value, Mapping) and isinstance(found.get(name), Mapping)
        found[name] = {**found[name], **value} if inside else value
    return found
