"""The columns of a data set's records, and what kind of values they hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalsuite.data.expressions import Columns

MOST_ITEMS = 20
MOST_KEYS = 6


@dataclass(frozen=True, slots=True)
class ColumnFact:
    """A column. type: such as ``text`` or ``list of integer``; "" when it is not there.

    read: whether the mapping looks at it. required: whether the mapping cannot do without it.
    """

    name: str
    type: str
    read: bool
    required: bool


def column_facts(records: Sequence[Mapping[str, Any]], columns: Columns) -> list[ColumnFact]:
    """Columns of these records: those that the mapping requires, those that it reads, the others."""
    names = list(dict.fromkeys(name for record in records for name in record))
    needed = frozenset(names) if columns.needed is None else columns.needed - {"position"}
    facts = [
        ColumnFact(
            name,
            type_name([record[name] for record in records if name in record]) if name in names else "",
            name in needed or name in columns.required,
            name in columns.required,
        )
        for name in dict.fromkeys([*names, *sorted(columns.required), *sorted(needed)])
    ]
    return sorted(facts, key=lambda fact: (not fact.required, not fact.read))


def type_name(values: Iterable[Any]) -> str:
    """What the values are, in words.

    >>> type_name([["a"], []]), type_name([1, 2.5, None]), type_name([{"bytes": b"", "path": None}])
    ('list of text', 'integer, number or null', 'image or clip')
    """
    names = list(dict.fromkeys(_type_name(value) for value in values))
    if "empty list" in names and any(name.startswith("list of") for name in names):
        names.remove("empty list")
    return f"{', '.join(names[:-1])} or {names[-1]}" if len(names) > 1 else "".join(names)


def _type_name(value: Any) -> str:
    plain = {type(None): "null", bool: "true or false", int: "integer", float: "number", str: "text", bytes: "bytes"}
    if type(value) in plain:
        return plain[type(value)]
    if isinstance(value, Mapping):
        if value.keys() == {"bytes", "path"}:
            return "image or clip"
        keys = [str(key) for key in value]
        return f"object {{{', '.join(keys[:MOST_KEYS])}{', …' if len(keys) > MOST_KEYS else ''}}}"
    if isinstance(value, (list, tuple)):
        return f"list of {type_name(value[:MOST_ITEMS])}" if value else "empty list"
    if hasattr(value, "frames") or hasattr(value, "frame_total"):
        return "image or clip"
    return type(value).__name__
