"""pydantic's complaints about a task spec in the words of a person who writes one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from evalsuite.errors import did_you_mean
from evalsuite.files.places import Place, Problem, dotted
from evalsuite.files.yaml_reader import MOST_PROBLEMS
from evalsuite.specs import parts

_PATTERNS = {
    parts.IDENTIFIER: "must be lower-case letters, digits and underscores, and start with a letter",
    parts.HUB_ID: "must be a hub id of the form owner/name",
    parts.COMMIT: "must be a full commit hash: 40 digits and letters a to f",
    parts.SPLIT_NAME: "must be letters, digits, '_', '-' and '.', and start with none of the last two",
}
_SCALARS = {"int": "a whole number", "float": "a number", "str": "text", "bool": "true or false"}


def problems_from(errors: Iterable[Mapping[str, Any]], data: Any, root: type[BaseModel]) -> list[Problem]:
    """``(place, message)`` for every mistake, one per place, in the order of the file's fields. root: the schema."""
    found: dict[Place, str] = {}
    for error in errors:
        if len(found) >= MOST_PROBLEMS:
            break
        if error["type"] == "inconsistent":
            for place, message in error["ctx"]["problems"]:
                found.setdefault(place, message)
            continue
        place, rest = _place(tuple(error["loc"]), data, error["type"])
        found.setdefault(place, _alternatives(rest, error) or _message(error, place, root))
    return list(found.items())


def _place(loc: Place, data: Any, kind: str) -> tuple[Place, Place]:
    """The part of pydantic's location that is a place in the data, and what pydantic added to it."""
    for length, step in enumerate(loc):
        inside = (isinstance(data, dict) and step in data) or (
            isinstance(data, list) and isinstance(step, int) and step < len(data)
        )
        if not inside:
            return (loc, ()) if kind == "missing" else (loc[:length], loc[length:])
        data = data[step]
    return loc, ()


def _alternatives(rest: Place, error: Mapping[str, Any]) -> str | None:
    """A value of several allowed types fails once for each; one message says them all."""
    if not rest or rest[0] not in (*_SCALARS, "list[str]"):
        return None
    return f"must be a number, text, true or false, not {_described(error['input'])}"


def _message(error: Mapping[str, Any], place: Place, root: type[BaseModel]) -> str:
    kind, value, ctx = error["type"], error["input"], error.get("ctx", {})
    match kind:
        case "extra_forbidden":
            return _unknown_field(place, root)
        case "missing":
            return "is required"
        case "string_type":
            hint = ". Put it in quotes" if isinstance(value, bool | int | float) else ""
            return f"must be text, not {_described(value)}{hint}"
        case "int_type" | "bool_type" | "float_type":
            return f"must be {_SCALARS[kind.removesuffix('_type')]}, not {_described(value)}"
        case "list_type":
            return f"must be a list, not {_described(value)}"
        case "dict_type" | "model_type":
            return f"must be a mapping (name: value), not {_described(value)}"
        case "literal_error":
            words = [quoted or bare for quoted, bare in re.findall(r"'([^']*)'|(\d+)", ctx["expected"])]
            advice = did_you_mean(value, words) if isinstance(value, str) else f"Known: {', '.join(words)}."
            return f"unknown value {value!r}. {advice}"
        case "string_pattern_mismatch":
            return f"{_PATTERNS.get(ctx['pattern'], error['msg'])}, not {value!r}"
        case "greater_than_equal":
            return f"must be at least {ctx['ge']}, not {value}"
        case "too_short" | "string_too_short":
            return "must not be empty"
        case "too_long":
            return f"must have at most {ctx['max_length']}"
    return str(error["msg"])


def _unknown_field(place: Place, root: type[BaseModel]) -> str:
    name, known = str(place[-1]), _fields_at(place[:-1], root)
    advice = did_you_mean(name, known)
    elsewhere = _homes(root).get(name, ())
    if advice.startswith("Known") and elsewhere:
        advice = f"It belongs in {' or '.join(elsewhere)}."
    return f"unknown field. {advice}"


def _fields_at(place: Place, root: type[BaseModel]) -> list[str]:
    """Names that the schema allows at a place."""
    kind: Any = root
    for step in place:
        kind = _inner(kind, step)
    return list(kind.model_fields) if _is_model(kind) else []


def _inner(kind: Any, step: str | int) -> Any:
    if _is_model(kind):
        field = kind.model_fields.get(step)
        return _bare(field.annotation) if field else None
    arguments = get_args(kind)
    return _bare(arguments[-1]) if arguments else None


def _bare(kind: Any) -> Any:
    """The type without ``Annotated`` and ``| None``."""
    if get_origin(kind) is Annotated:
        return _bare(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return _bare(next(part for part in get_args(kind) if part is not type(None)))
    return kind


@cache
def _homes(root: type[BaseModel]) -> dict[str, tuple[str, ...]]:
    """Field name -> the parts of a spec that have such a field."""
    homes: dict[str, list[str]] = {}

    def visit(model: Any, place: Place) -> None:
        for name, field in model.model_fields.items():
            kind = _bare(field.annotation)
            homes.setdefault(name, []).append(dotted(place) or "the top level")
            while get_origin(kind) in (list, dict):
                kind = _bare(get_args(kind)[-1])
            if _is_model(kind) and kind is not parts.FieldOverrides:
                visit(kind, (*place, name))

    visit(root, ())
    return {name: tuple(places) for name, places in homes.items()}


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _described(value: Any) -> str:
    match value:
        case None:
            return "empty"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return repr(value if len(value) <= 40 else value[:39] + "…")
        case list():
            return "a list"
    return "a mapping"
