"""A run folder: its name, its lock, its manifest, its results. Files are replaced whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import traceback
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalsuite.errors import UNREADABLE, EvalsuiteError, StoreError
from evalsuite.redaction import without_secrets
from evalsuite.runs.store import FILE_NAME

MANIFEST_VERSION = 1
MANIFEST, RESULTS, RESULTS_PARQUET, STORE, LOCK, LOG = (
    "manifest.json",
    "results.json",
    "results.parquet",
    FILE_NAME,
    ".lock",
    "failures.log",
)
_PARTS = {"run": dict, "tasks": dict, "models": dict, "sessions": list, "name": str}
_RUN_PARTS = {"backend": str, "data": str, "attributes": dict}
_TASK_PARTS = {"model": (str, type(None)), "inference_digest": str, "data": dict, "stops": dict}
REPORT = "report"
STUDY = "study.json"
"""In the folder of a study: what its runs are."""


def run_name(parts: Mapping[str, Any]) -> str:
    """A readable name made from what a run is: the same command gives the same name.

    >>> run_name({"backend": "torch", "model": "tiny", "tasks": "vqav2", "limit": None})
    'torch-tiny-vqav2-add55c9c'
    """
    digest = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:8]
    words = [str(parts.get(name) or "") for name in ("backend", "model", "tasks")]
    slug = "-".join(re.sub(r"[^A-Za-z0-9.]+", "_", word).strip("_")[-32:] for word in words if word)
    return f"{slug}-{digest}"


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder for writing. The system drops the lock when the process ends, however it ends.

    Raises StoreError when another process holds it, or the folder cannot be written.
    """
    refuse_links(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = open(folder / LOCK, "a+")  # noqa: SIM115 (held for the whole run)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from error
    with handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            handle.seek(0)
            raise StoreError(
                f"{folder}: in use by {handle.read().strip() or 'another process'}; wait for it or choose another --out"
            ) from error
        except OSError as error:
            raise StoreError(f"{folder}: cannot be locked ({error.strerror}); choose an --out elsewhere") from error
        with contextlib.suppress(OSError):  # a full disk has no room for the name of the holder
            handle.truncate(0)
            handle.write(f"process {os.getpid()} on {os.uname().nodename}")
            handle.flush()
        _remove_leftovers(folder)
        yield


def refuse_links(folder: Path) -> None:
    """Raise StoreError when what is written to in a run folder is a link: a stranger's folder may send it anywhere."""
    for name in (LOCK, LOG, MANIFEST, RESULTS, RESULTS_PARQUET, STORE, f"{STORE}-wal", f"{STORE}-shm", REPORT):
        if (folder / name).is_symlink():
            raise StoreError(f"{folder / name}: is a link, through which nothing is written; put the file itself there")


def is_locked(folder: Path) -> bool:
    """Whether a process is writing into the folder now."""
    try:
        with open(folder / LOCK, "rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


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


def _remove_leftovers(folder: Path) -> None:
    """Files that processes of this machine were writing when they were killed."""
    ending = f".*@{os.uname().nodename}.tmp"
    for path in (*folder.glob(ending), *folder.glob(f"report/{ending}")):
        writer = path.name.split("@")[0].rpartition(".")[2]
        if writer.isdecimal() and not _is_alive(int(writer)):
            with contextlib.suppress(OSError):
                path.unlink()


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def write_atomically(path: Path, text: str) -> None:
    """Replace ``path`` by ``text``, whole or not at all. Raises StoreError when it cannot be written."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Replace ``path`` by ``value``. Lone surrogates, such as bytes of a path that are no text, stay JSON escapes."""
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    write_atomically(path, text.encode("utf-8", "backslashreplace").decode())


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


def describe_failure(folder: Path, task: str, error: Exception) -> str:
    """One line for the user; for what nobody expected, the traceback goes to a file in the run folder."""
    if isinstance(error, EvalsuiteError):
        return without_secrets(str(error))
    message = without_secrets(f"{type(error).__name__}: {error}")
    if not log_failure(folder, task, "".join(traceback.format_exception(error))):
        return message
    return f"{message} (traceback in {folder / LOG})"


def log_failure(folder: Path, task: str, text: str) -> bool:
    """Add to the failures of a run folder; whether that was possible."""
    try:
        with open(folder / LOG, "a", encoding="utf-8", errors="backslashreplace", opener=_not_through_links) as log:
            log.write(without_secrets(f"--- {now()} {task}\n{text}\n"))
    except OSError:
        return False
    return True


def _not_through_links(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def now() -> str:
    """The time in UTC, as manifests and logs write it."""
    return datetime.now(UTC).isoformat(timespec="seconds")
