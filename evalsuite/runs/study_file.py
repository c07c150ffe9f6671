"""What a study notes of itself: its name, axes, cells with their folders, and choices."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalsuite.errors import UNREADABLE, StoreError
from evalsuite.files.sealed import NO_DIGEST, read_sealed, write_sealed
from evalsuite.runs.folder import STUDY

_RENEW = "write it anew with: evalsuite study run FILE"


def read_study(folder: Path) -> dict[str, Any]:
    """Raises StoreError when the folder has no such file, or it was torn or changed."""
    path = folder / STUDY
    try:
        sealed = read_sealed(path, exact=True)
    except FileNotFoundError:
        raise StoreError(
            f"{folder}: is no study, it has no {STUDY}. Begin one with: evalsuite study run FILE"
        ) from None
    except UNREADABLE as error:
        raise StoreError(f"{path}: cannot be read ({error}); {_RENEW}") from error
    document = sealed.document
    cells = document.get("cells") if isinstance(document, dict) else None
    if not isinstance(cells, list) or not all(isinstance(cell, dict) and "folder" in cell for cell in cells):
        raise StoreError(f"{path}: cannot be read (it names no folders of runs); {_RENEW}")
    names = [str(cell["folder"]) for cell in cells]
    outside = [name for name in names if name in ("", ".", "..") or "/" in name]
    if outside:
        raise StoreError(f"{path}: {outside[0]!r} is no folder of this study")
    sealed.check(_RENEW, old=f"{path}: {NO_DIGEST}. It gets one with: evalsuite study run FILE")
    found: dict[str, Any] = document
    return found


def write_study(folder: Path, document: Mapping[str, Any]) -> None:
    """Replace the file, whole or not at all. Raises StoreError when it cannot be written."""
    write_sealed(folder / STUDY, document)
