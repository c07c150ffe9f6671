"""Files written whole or not at all: a reader sees the old one or the new one, never a part."""

from __future__ import annotations

import contextlib
import glob
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalsuite.errors import StoreError


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A name to write to; the file takes the place of ``path`` when the block ends, and is removed when it raises.

    A reader sees the old file or the new one, never a part. What processes left that were killed while they wrote the
    same file is removed. Raises StoreError when it cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}@{os.uname().nodename}.tmp")
    remove_leftovers(path.parent, path.name)
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
    """Replace ``path`` by ``value``, whole or not at all. Raises StoreError when it cannot be written."""
    write_atomically(path, json_text(value))


def json_text(value: Any, *, allow_nan: bool = False) -> str:
    """The value as our files hold it. Lone surrogates, such as bytes of a path that are no text, stay JSON escapes."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=allow_nan) + "\n"
    return text.encode("utf-8", "backslashreplace").decode()


def remove_leftovers(folder: Path, name: str | None = None) -> None:
    """Remove files that processes of this machine were writing in a folder when they were killed.

    name: of the file that they were to become; None for all.
    """
    which = "*" if name is None else f"{glob.escape(name)}.*"
    for path in folder.glob(f".{which}@{glob.escape(os.uname().nodename)}.tmp"):
        writer = path.name.split("@")[0].rpartition(".")[2]
        if writer.isdecimal() and not _is_alive(int(writer)):
            with contextlib.suppress(OSError):
                path.unlink()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True
