"""Files written whole or not at all: a reader sees the old one or the new one, never a part."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalsuite.errors import StoreError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write to; the file takes the place of ``path`` when the block ends, and is removed when it raises.

    A reader sees the old file or the new one, never a part. Raises StoreError when it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}@{os.uname().nodename}.tmp")
    try:
        temporary.unlink(missing_ok=True)  # a link of this name would be written through
        yield temporary
        with open(temporary, "rb") as handle:
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise StoreError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Replace ``path`` by ``text``, whole or not at all. Raises StoreError when it cannot be written."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Replace ``path`` by ``value``. Lone surrogates, such as bytes of a path that are no text, stay JSON escapes."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, text.encode("utf-8", "backslashreplace").decode())
