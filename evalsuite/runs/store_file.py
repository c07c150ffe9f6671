"""The SQLite file below a store: how it is made, and opened to write or to read."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from evalsuite.errors import StoreError

FORMAT_VERSION = 1

SCHEMA = """
CREATE TABLE format (version INTEGER NOT NULL);
CREATE TABLE predictions (
    task TEXT NOT NULL, split TEXT NOT NULL, position INTEGER NOT NULL, id TEXT NOT NULL,
    prompt TEXT NOT NULL, text TEXT NOT NULL, error TEXT,
    target TEXT NOT NULL,    -- JSON: references and strata
    details TEXT NOT NULL,   -- JSON: token count, log-probabilities, seconds
    checksum BLOB NOT NULL,
    PRIMARY KEY (task, split, position)
) WITHOUT ROWID;
CREATE UNIQUE INDEX predictions_by_id ON predictions (task, split, id);
"""


def create(path: Path) -> None:
    """An empty store: made under another name, so that a store is there whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    try:
        # A log that belonged to a store of this name would be played into the new one.
        for leftover in (temporary, path):
            for ending in ("-wal", "-shm", "-journal"):
                leftover.with_name(leftover.name + ending).unlink(missing_ok=True)
        temporary.unlink(missing_ok=True)
        db = sqlite3.connect(temporary, isolation_level=None)
        try:
            db.executescript(f"BEGIN; {SCHEMA} INSERT INTO format VALUES ({FORMAT_VERSION}); COMMIT;")
            # Here and not later: a process killed while a store changes its mode leaves one that no reader can open.
            db.execute("PRAGMA journal_mode = WAL")
        finally:
            db.close()
        os.replace(temporary, path)
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"{path}: cannot be written ({error}); make room or choose another --out") from error


def connect_to_write(path: Path) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = NORMAL")  # a killed process loses nothing that was committed
    return db


def connect_to_read(path: Path) -> sqlite3.Connection:
    log = path.with_name(path.name + "-wal")
    complete = not log.exists() or log.stat().st_size == 0
    # SQLite reads a store with a log through a file that it makes beside it, which a read-only folder refuses.
    unchanging = "&immutable=1" if complete and not os.access(path.parent, os.W_OK) else ""
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro{unchanging}", uri=True)
