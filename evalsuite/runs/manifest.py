"""The manifest of a run, as it is read and written: its parts are there, of this version, and as they were written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalsuite.errors import UNREADABLE, StoreError
from evalsuite.files.sealed import read_sealed, write_sealed
from evalsuite.runs.folder import MANIFEST

MANIFEST_VERSION = 1
IMPORTED = "imported"
"""The backend of a run whose values were made elsewhere."""

_PARTS = {"run": dict, "tasks": dict, "models": dict, "sessions": list, "name": str}
_RUN_PARTS = {"backend": str, "data": str, "attributes": dict}
_TASK_PARTS = {"model": (str, type(None)), "inference_digest": str, "data": dict, "stops": dict}
_RESTORE = "restore it from a copy, or move the whole folder away to begin anew"


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run folder. Raises StoreError when it is missing, torn, changed or of another version."""
    path = folder / MANIFEST
    try:
        sealed = read_sealed(path, exact=True)
    except FileNotFoundError as error:
        raise StoreError(f"{folder}: not a run folder (it has no {MANIFEST})") from error
    except UNREADABLE as error:
        raise StoreError(f"{path}: cannot be read ({error}); {_RESTORE}") from error
    manifest = sealed.document
    if not isinstance(manifest, dict) or manifest.get("manifest_version") != MANIFEST_VERSION:
        version = manifest.get("evalsuite", "unknown") if isinstance(manifest, dict) else "unknown"
        raise StoreError(
            f"{path}: written by another version of evalsuite ({version}). Use that version, or choose another --out; "
            "the folder is left as it is"
        )
    if missing := _missing(manifest):
        raise StoreError(f"{path}: has no {missing!r}; {_RESTORE}")
    sealed.check(_RESTORE, old=old_folder(folder))
    return manifest


def read_answered(folder: Path) -> dict[str, Any]:
    """As :func:`read_manifest`, of a run whose answers are to be read.

    Raises StoreError for one that was imported too: it holds values, and no answers that they could be made from.
    """
    manifest = read_manifest(folder)
    if manifest["run"]["backend"] == IMPORTED:
        raise StoreError(
            f"{folder}: holds values that were imported (evalsuite results import), and no answers; "
            "what can be done with it is: evalsuite report"
        )
    without = [task for task, entry in manifest["tasks"].items() if not isinstance(entry.get("spec"), dict)]
    if without:
        raise StoreError(f"{folder / MANIFEST}: has no {f'tasks.{without[0]}.spec'!r}; {_RESTORE}")
    return manifest


def old_folder(folder: Path) -> str:
    """What is said of a run without digests."""
    return (
        f"{folder}: was written by an older version of evalsuite, without digests of its files, so that nothing shows "
        f"whether they were changed since. They get them with: evalsuite score {folder}"
    )


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Replace the manifest, whole or not at all. Raises StoreError when it cannot be written."""
    write_sealed(folder / MANIFEST, manifest)


def _missing(manifest: Mapping[str, Any]) -> str | None:
    """The first part that this manifest lacks, or holds in another form."""
    run, tasks = manifest.get("run"), manifest.get("tasks")
    levels: list[tuple[str, Any, Mapping[str, Any]]] = [("", manifest, _PARTS)]
    if isinstance(run, dict) and isinstance(tasks, dict) and isinstance(manifest.get("models"), dict):
        levels += [("run.", run, _RUN_PARTS), ("tasks.", tasks, dict.fromkeys(tasks, dict))]
        levels.append(("models.", manifest["models"], dict.fromkeys(manifest["models"], dict)))
        # What was brought in from elsewhere has tasks that were not asked here, without a spec.
        asked = {task: entry for task, entry in tasks.items() if isinstance(entry, dict) and "spec" in entry}
        levels += [(f"tasks.{task}.", entry, _TASK_PARTS) for task, entry in asked.items()]
        levels += [(f"tasks.{task}.data.", entry.get("data") or {}, {"splits": dict}) for task, entry in asked.items()]
    for place, part, names in levels:
        for name, kind in names.items():
            if not isinstance(part, dict) or name not in part or not isinstance(part[name], kind):
                return place + name
    return None
