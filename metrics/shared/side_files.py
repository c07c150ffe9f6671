"""Files that a metric needs beside predictions and references: annotations, ratings, scores."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalsuite.errors import DataError


def read_records(path: str | Path, key: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """(place, record) for every record of a JSON or JSONL file; a place names file and line or entry, for messages.

    A record is an object that has ``key``: a line of a JSONL file, an entry of a JSON list, or a member of a JSON
    object, whose name then is the record's ``key``. Raises DataError for anything else, naming the place.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot read {path}: {error}") from error
    for place, record in _json(path, text, key) if path.suffix == ".json" else _lines(path, text):
        if not isinstance(record, dict) or key not in record:
            raise DataError(f"{place}: needs an object that has {key!r}, not {record!r:.80}")
        yield place, record


def describe_file(path: str) -> str:
    """What a signature says of a file: its name and the start of its SHA-256; empty for no file."""
    if not path:
        return ""
    try:
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return f"{Path(path).name}(missing)"
    return f"{Path(path).name}({digest[:12]})"


def version_of(path: str) -> tuple[str, int, int]:
    """A key under which what was read from a file may be kept: it changes when the file is written again."""
    try:
        status = Path(path).stat()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error}") from error
    return path, status.st_mtime_ns, status.st_size


def _json(path: Path, text: str, key: str) -> Iterator[tuple[str, Any]]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON ({error}); a file with one object a line must end in .jsonl") from error
    if isinstance(content, dict):
        for name, record in content.items():
            yield f"{path}: {name!r:.80}", {**record, key: name} if isinstance(record, dict) else record
        return
    if not isinstance(content, list):
        raise DataError(f"{path}: needs a list or an object, not {content!r:.80}")
    for number, record in enumerate(content, 1):
        yield f"{path}: entry {number}", record


def _lines(path: Path, text: str) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield f"{path}:{number}", json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}:{number}: not JSON ({error})") from error
