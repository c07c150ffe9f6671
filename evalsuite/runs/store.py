"""The store of a run: one SQLite file, one row per example, written as answers come.

It is the truth: progress, resuming, scoring and viewing all read it. Rows are clustered by (task, split, position), so
that reading in data set order needs no sorting and memory stays flat. Every row carries a checksum; a damaged row is
named and made again, never scored.
"""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from evalsuite.errors import StoreError
from evalsuite.runs.store_file import FORMAT_VERSION, connect_to_read, connect_to_write, create
from evalsuite.runs.store_rows import (
    COLUMNS,
    MADE_UP,
    Row,
    checksum,
    decode,
    id_of,
    storable_id,
    to_prediction,
    to_row,
)
from evalsuite.types import ExampleKey, Prediction

FILE_NAME = "predictions.sqlite"

# A stored error gives way to a later answer; a stored answer is never replaced.
_INSERT = f"""
INSERT INTO predictions ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (task, split, position) DO UPDATE SET
    id = excluded.id, prompt = excluded.prompt, text = excluded.text, error = excluded.error,
    target = excluded.target, details = excluded.details, checksum = excluded.checksum
WHERE predictions.error IS NOT NULL
"""

_TWICE = "occurs twice in the data"
_MOST_PARAMETERS = 500
_DISK_ERRORS = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PERM,
}


@dataclass(frozen=True, slots=True)
class Count:
    """Rows stored for one split of one task; ``errors`` of them are error rows."""

    stored: int
    errors: int


class PredictionStore:
    """The predictions of one run. One process writes (see :mod:`evalsuite.runs.folder`), any number read."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        """Open the store, and create it when it is not there (``read_only``: never written, must be there).

        Raises StoreError for a file that is no store, is damaged as a whole, or is of another version.
        """
        self.path = path
        if read_only and not path.is_file():
            raise StoreError(f"{path}: no such file; is this a run folder?")
        if not read_only and not path.exists():
            create(path)
        try:
            self._db = connect_to_read(path) if read_only else connect_to_write(path)
        except (sqlite3.Error, UnicodeError) as error:
            raise self._explained(error) from error
        try:
            self._check_format()
        except BaseException:
            self._db.close()
            raise
        self._db.text_factory = decode

    def __enter__(self) -> PredictionStore:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def verify(self) -> None:
        """Look at the whole file: a damaged key puts a row out of order, and a search then misses those behind it.

        Raises StoreError. Takes 0.2 s for 200,000 rows.
        """
        (found,) = self._query("PRAGMA integrity_check(1)").fetchone()
        if found != "ok":
            raise self._explained(sqlite3.DatabaseError(found))

    def add(self, predictions: Sequence[Prediction]) -> list[Prediction]:
        """Store these predictions in one transaction, and return them as they are stored.

        A second example with an id that is taken is stored as an error row under ``id#position``. Writing a prediction
        twice changes nothing. Raises StoreError when the disk is full or the file cannot be written.
        """
        stored = list(predictions)
        rows = [to_row(prediction) for prediction in predictions]
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                self._db.executemany(_INSERT, rows)
            except sqlite3.IntegrityError:
                self._db.execute("ROLLBACK")
                self._db.execute("BEGIN IMMEDIATE")
                stored = [self._insert(prediction) for prediction in predictions]
            self._db.execute("COMMIT")
            return stored
        except sqlite3.Error as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise self._explained(error) from error

    def done(self, task: str, split: str) -> bytearray:
        """A flag per position, 1 where an answer is stored: one byte per example."""
        cursor = self._query("SELECT max(position) FROM predictions WHERE task = ? AND split = ?", (task, split))
        last = cursor.fetchone()[0]
        flags = bytearray(0 if last is None else last + 1)
        query = "SELECT position FROM predictions WHERE task = ? AND split = ? AND error IS NULL"
        for (position,) in self._stepped(query, (task, split)):
            flags[position] = 1
        return flags

    def is_duplicate(self, key: ExampleKey, position: int) -> bool:
        """Whether an example at another position has the id."""
        holder = self._holder(key)
        return holder is not None and holder.position != position and not _is_made_up(holder)

    def ids(self, task: str, split: str) -> Iterator[str]:
        """Ids of stored answers."""
        query = "SELECT id FROM predictions WHERE task = ? AND split = ? AND error IS NULL"
        return (id_of(id_) for (id_,) in self._stepped(query, (task, split)))

    def read(self, task: str, split: str, stop: int | None = None) -> Iterator[Prediction]:
        """Predictions in data set order, positions below ``stop``. Raises StoreError at a damaged row."""
        for row in self._rows(task, split, stop):
            if row[9] != checksum(row):
                raise StoreError(
                    f"{self.path}: the row of {row[0]}/{row[1]}/{row[3]} is damaged. "
                    "Give the run command again: it makes such rows anew, then scores."
                )
            yield to_prediction(row)

    def with_ids(self, task: str, split: str, ids: Sequence[str]) -> Iterator[Prediction]:
        """The predictions with these ids, in any order; ids that are not stored are left out."""
        for start in range(0, len(ids), _MOST_PARAMETERS):
            some = ids[start : start + _MOST_PARAMETERS]
            marks = ",".join("?" * len(some))
            query = f"SELECT {COLUMNS} FROM predictions WHERE task = ? AND split = ? AND id IN ({marks})"
            for row in self._stepped(query, (task, split, *map(storable_id, some))):
                yield to_prediction(row)

    def at_positions(self, task: str, split: str, positions: Sequence[int]) -> Iterator[Prediction]:
        """The predictions at these positions, in any order; positions that are not stored are left out."""
        for start in range(0, len(positions), _MOST_PARAMETERS):
            some = positions[start : start + _MOST_PARAMETERS]
            marks = ",".join("?" * len(some))
            query = f"SELECT {COLUMNS} FROM predictions WHERE task = ? AND split = ? AND position IN ({marks})"
            for row in self._query(query, (task, split, *some)):
                yield to_prediction(row)

    def positions(self, task: str, split: str, stop: int | None, start: int, most: int) -> list[int]:
        """At most ``most`` stored positions below ``stop`` in data set order, without the first ``start``."""
        where, parameters = _where(task, split, stop)
        query = f"SELECT position FROM predictions WHERE {where} ORDER BY position LIMIT ? OFFSET ?"
        return [position for (position,) in self._query(query, (*parameters, most, start))]

    def positions_with(self, task: str, split: str, text: str) -> set[int]:
        """Positions whose prompt, answer or references hold ``text``; ASCII letters in either case."""
        pattern = "%" + text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        like = " OR ".join(f"{column} LIKE ? ESCAPE '\\'" for column in ("prompt", "text", "target"))
        query = f"SELECT position FROM predictions WHERE task = ? AND split = ? AND ({like})"
        return {row[0] for row in self._stepped(query, (task, split, pattern, pattern, pattern))}

    def count(self, task: str, split: str, stop: int | None = None) -> Count:
        """Rows of one split at positions below ``stop``."""
        where, parameters = _where(task, split, stop)
        row = self._query(f"SELECT count(*), count(error) FROM predictions WHERE {where}", parameters).fetchone()
        return Count(*row)

    def counts(self) -> dict[tuple[str, str], Count]:
        """Stored rows by (task, split)."""
        query = "SELECT task, split, count(*), count(error) FROM predictions GROUP BY task, split"
        return {(task, split): Count(stored, errors) for task, split, stored, errors in self._stepped(query)}

    def errors(self, task: str | None = None, limit: int = 1000) -> list[tuple[ExampleKey, str]]:
        """Error rows with their messages, at most ``limit``."""
        query = (
            "SELECT task, split, id, error FROM predictions WHERE error IS NOT NULL AND (? IS NULL OR task = ?) LIMIT ?"
        )
        return [(ExampleKey(t, s, id_of(i)), error) for t, s, i, error in self._stepped(query, (task, task, limit))]

    def remove_damaged(self, task: str, split: str) -> list[ExampleKey]:
        """Delete rows whose checksum does not fit, and return their keys, so that they are made again."""
        damaged = [
            (row[0], row[1], row[2], ExampleKey(str(row[0]), str(row[1]), id_of(str(row[3]))))
            for row in self._rows(task, split, None)
            if row[9] != checksum(row)
        ]
        for task_id, split_name, position, _ in damaged:
            self._query(
                "DELETE FROM predictions WHERE task = ? AND split = ? AND position = ?", (task_id, split_name, position)
            )
        return [key for *_, key in damaged]

    def _rows(self, task: str, split: str, stop: int | None) -> Iterator[Row]:
        where, parameters = _where(task, split, stop)
        return self._stepped(f"SELECT {COLUMNS} FROM predictions WHERE {where} ORDER BY position", parameters)

    def _insert(self, prediction: Prediction) -> Prediction:
        """An id that was made up gives way to one of the data, and another is made up in its place."""
        while True:
            try:
                self._db.execute(_INSERT, to_row(prediction))
                return prediction
            except sqlite3.IntegrityError:
                if _is_made_up(prediction):
                    prediction = _named_on(prediction)
                elif (holder := self._holder(prediction.key)) is not None and _is_made_up(holder):
                    self._rename(holder)
                else:
                    prediction = as_duplicate(prediction)

    def _holder(self, key: ExampleKey) -> Prediction | None:
        """The row that has this id."""
        return next(self.with_ids(key.task, key.split, [key.id]), None)

    def _rename(self, prediction: Prediction) -> None:
        key, renamed = prediction.key, _named_on(prediction)
        while self._holder(renamed.key) is not None:
            renamed = _named_on(renamed)
        *_, checksum = row = to_row(renamed)
        self._db.execute(
            "UPDATE predictions SET id = ?, checksum = ? WHERE task = ? AND split = ? AND position = ?",
            (row[3], checksum, key.task, key.split, prediction.position),
        )

    def _query(self, sql: str, parameters: tuple[object, ...] = ()) -> sqlite3.Cursor:
        try:
            return self._db.execute(sql, parameters)
        except (sqlite3.Error, UnicodeError) as error:  # SQLite may quote damaged bytes
            raise self._explained(error) from error

    def _stepped(self, sql: str, parameters: tuple[object, ...] = ()) -> Iterator[Any]:
        """The rows of a query. A damaged page shows only when it is reached."""
        cursor = self._query(sql, parameters)
        try:
            yield from cursor
        except (sqlite3.Error, UnicodeError) as error:
            raise self._explained(error) from error

    def _check_format(self) -> None:
        self._query("PRAGMA trusted_schema = OFF")
        plain = "type = 'index' OR (type = 'table' AND sql LIKE 'CREATE TABLE%')"
        if strange := self._query(f"SELECT name FROM sqlite_master WHERE NOT ({plain})").fetchone():
            raise StoreError(f"{self.path}: holds {strange[0]!r:.80}, which no store has; it is not opened")
        (version,) = self._query("SELECT version FROM format").fetchone() or (None,)
        if version != FORMAT_VERSION:
            raise StoreError(
                f"{self.path}: written in store format {version}, this evalsuite reads {FORMAT_VERSION}. "
                "Use the evalsuite version named in manifest.json, or another --out."
            )

    def _explained(self, error: sqlite3.Error | UnicodeError) -> StoreError:
        """What to do about it: a full or read-only disk harms nothing that is stored, a damaged file is lost."""
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _DISK_ERRORS:
            return StoreError(
                f"{self.path}: cannot write ({error}); what was stored before is safe. "
                "Make room or repair the disk, then give the same command again."
            )
        return StoreError(
            f"{self.path}: cannot be read as a store ({error}). Move the file away to start anew, "
            "or restore it from a copy."
        )


def as_duplicate(prediction: Prediction) -> Prediction:
    """The error row of an example whose id is taken by another one: kept under ``id#position``."""
    id_, position = prediction.key.id, prediction.position
    error = prediction.error or f"the id {id_!r} {_TWICE}; this is its occurrence at position {position}"
    return _named_on(dataclasses.replace(prediction, prompt="", text="", error=error, details=MADE_UP))


def _named_on(prediction: Prediction) -> Prediction:
    key = prediction.key
    return dataclasses.replace(prediction, key=key._replace(id=f"{key.id}#{prediction.position}"))


def _is_made_up(prediction: Prediction) -> bool:
    """Older stores have the message alone."""
    return dict(prediction.details) == MADE_UP or _TWICE in (prediction.error or "")


def _where(task: str, split: str, stop: int | None) -> tuple[str, tuple[object, ...]]:
    if stop is None:
        return "task = ? AND split = ?", (task, split)
    return "task = ? AND split = ? AND position < ?", (task, split, stop)
