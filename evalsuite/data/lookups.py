"""Second tables: records that are found by a key, such as the answers or the images that belong to questions."""

from __future__ import annotations

import base64
import json
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from evalsuite.data.base import Source
from evalsuite.data.expression_functions import text
from evalsuite.data.expressions import UNUSABLE, Columns, Expression, compile_expression, merge_columns
from evalsuite.errors import DataError
from evalsuite.types import JsonValue, Record

_BATCH = 256


class Lookup(Protocol):
    """What a spec says about a second table (``evalsuite.specs.parts.Lookup``)."""

    @property
    def name(self) -> str: ...
    @property
    def on(self) -> str: ...
    @property
    def key(self) -> str: ...


class Tables(Protocol):
    """A source that has the second tables too; ``which`` is what its kind of lookup names a table by."""

    def table(self, split: str, which: Any) -> Iterable[Record]: ...
    def table_fingerprint(self, split: str, which: Any) -> JsonValue: ...


@dataclass(frozen=True, slots=True)
class Join:
    """One lookup, compiled. ``which``: what the source knows the table by, for each split."""

    name: str
    on: Expression
    key: Expression
    which: Mapping[str, Any]

    @classmethod
    def of(cls, lookup: Lookup, which: Mapping[str, Any]) -> Join:
        """Raises SpecError for an expression that does not compile."""
        return cls(lookup.name, compile_expression(lookup.on), compile_expression(lookup.key), which)


def columns_before_joins(columns: Columns, joins: Sequence[Join]) -> Columns:
    """What the first table must give, when ``columns`` are read from the joined records."""
    names = {join.name for join in joins}
    needed = None if columns.needed is None else columns.needed - names
    own = Columns(needed, columns.required - names)
    return merge_columns([own, *(join.on.columns for join in joins)])


class JoinedSource:
    """A source whose records carry what the joins found, under each join's name.

    The second tables are read once per split into a temporary file, so that memory does not grow with them.
    """

    def __init__(self, source: Source, tables: Tables, joins: Sequence[Join]) -> None:
        self._source, self._tables, self._joins = source, tables, tuple(joins)
        self._indexes: dict[tuple[str, str], _Index] = {}

    def count(self, split: str) -> int | None:
        return self._source.count(split)

    def records(self, split: str) -> Iterator[Record]:
        """The first table's records in its order. Raises DataError when a second table holds a key twice."""
        for record in self._source.records(split):
            found = {join.name: self._index(join, split).find(_key(join.on, record)) for join in self._joins}
            yield {**record, **found}

    def fingerprint(self, split: str) -> Mapping[str, JsonValue]:
        own = dict(self._source.fingerprint(split))
        lookups = {join.name: self._tables.table_fingerprint(split, join.which[split]) for join in self._joins}
        return {**own, "lookups": lookups}

    def _index(self, join: Join, split: str) -> _Index:
        place = (join.name, split)
        if place not in self._indexes:
            self._indexes[place] = _Index(join, self._tables.table(split, join.which[split]))
        return self._indexes[place]


class _Index:
    """Records of a table by key, in a temporary SQLite file."""

    def __init__(self, join: Join, records: Iterable[Record]) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="evalsuite-lookup-")
        # Data threads take turns (the engine reads from one at a time), so the connection may move between them.
        self._database = sqlite3.connect(Path(self._folder.name) / "lookup.sqlite", check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=OFF")
        self._database.execute("PRAGMA synchronous=OFF")
        self._database.execute("CREATE TABLE records (key TEXT PRIMARY KEY, record BLOB) WITHOUT ROWID")
        rows: list[tuple[str, bytes]] = []
        for record in records:
            key = _key(join.key, record)
            if key is None:
                raise DataError(f"lookup {join.name}: a record has no key ({join.key.text!r}): {str(record)[:80]}")
            rows.append((key, _packed(record)))
            if len(rows) == _BATCH:
                self._insert(join, rows)
        self._insert(join, rows)

    def find(self, key: str | None) -> Any:
        """The record with this key, None when there is none."""
        row = self._database.execute("SELECT record FROM records WHERE key = ?", (key,)).fetchone()
        return None if row is None else _unpacked(row[0])

    def _insert(self, join: Join, rows: list[tuple[str, bytes]]) -> None:
        try:
            self._database.executemany("INSERT INTO records VALUES (?, ?)", rows)
        except sqlite3.IntegrityError:
            raise DataError(f"lookup {join.name}: two records have the same key ({join.key.text!r})") from None
        rows.clear()


def _key(expression: Expression, record: Record) -> str | None:
    try:
        value = expression.get(record)
        return None if value is None else text(value)
    except UNUSABLE:
        return None


def _packed(record: Record) -> bytes:
    """As JSON; bytes inside, such as images, as an object with one key that no data set uses."""
    return json.dumps(dict(record), default=_as_json, ensure_ascii=False).encode("utf-8", "surrogatepass")


def _as_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return {_BYTES: base64.b85encode(value).decode()}
    raise DataError(f"a lookup cannot hold a {type(value).__name__}")


def _unpacked(data: bytes) -> Any:
    return json.loads(data.decode("utf-8", "surrogatepass"), object_hook=_restored)


def _restored(value: dict[str, Any]) -> Any:
    return base64.b85decode(value[_BYTES]) if value.keys() == {_BYTES} else value


_BYTES = "evalsuite:bytes"
