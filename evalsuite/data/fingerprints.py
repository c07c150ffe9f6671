"""Digests of annotation files, computed once per file and process."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from evalsuite.types import JsonValue


def file_digest(path: Path, folder: Path) -> dict[str, JsonValue]:
    """``{name, bytes, sha256}`` of a file; ``name`` is relative to ``folder``, so that moved data stays equal."""
    state = path.stat()
    digest = _sha256(str(path), state.st_size, state.st_mtime_ns)
    return {"name": path.relative_to(folder).as_posix(), "bytes": state.st_size, "sha256": digest}


MOST_NAMED = 32


def file_digests(paths: Sequence[Path], folder: Path) -> JsonValue:
    """One digest per file; of more than MOST_NAMED files ``{count, bytes, sha256}`` over all of them in order."""
    digests = [file_digest(path, folder) for path in paths]
    if len(digests) <= MOST_NAMED:
        return digests
    together = hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()
    return {"count": len(digests), "bytes": sum(int(digest["bytes"]) for digest in digests), "sha256": together}


@lru_cache(maxsize=4096)
def _sha256(path: str, _size: int, _modified: int) -> str:
    """Size and time of change are part of the key only: a file that changed is read again."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
