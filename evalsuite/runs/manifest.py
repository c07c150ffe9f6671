"""The manifest of a run, as it is read: its parts are there, and of this version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalsuite.errors import UNREADABLE, StoreError
from evalsuite.runs.folder import MANIFEST

MANIFEST_VERSION = 1
_PARTS = {"run": dict, "tasks": dict, "models": dict, "sessions": list, "name": str}
_RUN_PARTS = {"backend": str, "data": str, "attributes": dict}
_TASK_PARTS = {"model": (str, type(None)), "inference_digest": str, "data": dict, "stops": dict}


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a run folder. Raises StoreError when it is missing, torn or of another version."""
    path = folder / MANIFEST
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StoreError(f"{folder}: not a run folder (it has no {MANIFEST})") from error
    except UNREADABLE as error:
        raise StoreError(
            f"{path}: cannot be read ({error}); restore it from a copy, or move the whole folder away to begin anew"
        ) from error
    if not isinstance(manifest, dict) or manifest.get("manifest_version") != MANIFEST_VERSION:
        version = manifest.get("evalsuite", "unknown") if isinstance(manifest, dict) else "unknown"
        raise StoreError(
            f"{path}: written by another version of evalsuite ({version}). Use that version, or choose another --out; "
            "the folder is left as it is"
        )
    if missing := _missing(manifest):
        raise StoreError(
            f"{path}: has no {missing!r}; restore it from a copy, or move the whole folder away to begin anew"
        )
    return manifest


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
