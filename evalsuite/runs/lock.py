"""Who writes into a run folder: one process at a time, and never through a link."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from evalsuite.errors import StoreError, caution
from evalsuite.files.writing import remove_leftovers
from evalsuite.runs.folder import LOCK, LOG, MANIFEST, REPORT, RESULTS, RESULTS_PARQUET, STORE, STUDY

RUN = "run"
SHORT = ("score", "report", "baseline", "results import")
"""Work that ends soon: whoever comes second waits for it."""

PATIENCE = 60.0  # seconds, for short work
_PROBE = 0.25  # seconds: somebody who only asks whether the folder is locked holds it for an instant
_held = threading.local()


@contextlib.contextmanager
def locked(folder: Path, work: str = RUN, *, make: bool = True) -> Iterator[None]:
    """Hold the folder for writing. The system drops the lock when the process ends, however it ends.

    Inside of it the same thread may take it again. work: the verb, for those who find the folder taken. make: make the
    folder where there is none; otherwise it must be that of a run or a study.
    Raises StoreError when another process holds it, or the folder cannot be written.
    """
    refuse_links(folder)
    place = folder.resolve()
    if place in _held_here():
        yield
        return
    if not make and not any((folder / name).exists() for name in (MANIFEST, STUDY)):
        raise StoreError(f"{folder}: not a run folder (it has no {MANIFEST})")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    except OSError as error:
        other = "choose another --out" if make or work == "report" else "copy the folder to where it can be"
        raise StoreError(f"{folder}: cannot be written ({error.strerror}); {other}") from error
    try:
        _take(folder, file, work)
        with contextlib.suppress(OSError):  # a full disk has no room for the name of the holder
            name = f"process {os.getpid()} on {os.uname().nodename} (evalsuite {work})\n".encode()
            os.pwrite(file, name, 0)  # over that of the last holder: the first line is a name at every moment
            os.ftruncate(file, len(name))
        for part in (folder, folder / REPORT):
            remove_leftovers(part)
        _held_here().add(place)
        try:
            yield
        finally:
            _held_here().remove(place)
    finally:
        os.close(file)


@contextlib.contextmanager
def unchanging(folder: Path, work: str) -> Iterator[None]:
    """Hold a run folder while it is read for something that lasts; one that cannot be written to needs no lock.

    Raises StoreError when another process writes into it.
    """
    if os.access(folder, os.W_OK):
        with locked(folder, work, make=False):
            yield
    elif is_locked(folder):
        raise StoreError(f"{folder}: another process writes into it; {_way_out('', work)}")
    else:
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


def is_used_by_others(folder: Path) -> bool:
    """Whether somebody but this thread is writing into the folder now."""
    return folder.resolve() not in _held_here() and is_locked(folder)


def _held_here() -> set[Path]:
    """The folders that this thread holds."""
    places: set[Path] = _held.__dict__.setdefault("places", set())
    return places


def _take(folder: Path, file: int, work: str) -> None:
    """Wait for the lock as long as makes sense. Raises StoreError that says who has it."""
    begun, before = time.monotonic(), ""
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            holder = os.pread(file, 500, 0).decode(errors="replace").partition("\n")[0] or "another process"
            waited = time.monotonic() - begun
            if waited > _PROBE and holder == before:  # the name of a new holder comes an instant after its lock
                if waited > PATIENCE or _work_of(holder) not in SHORT:
                    raise StoreError(f"{folder}: in use by {holder}; {_way_out(holder, work)}") from error
                caution(f"{folder}: in use by {holder}, which is waited for")
            before = holder
        except OSError as error:
            raise StoreError(f"{folder}: cannot be locked ({error.strerror}); choose an --out elsewhere") from error
        time.sleep(0.02)


def _work_of(holder: str) -> str:
    found = re.search(r"\(evalsuite ([a-z ]+)\)$", holder)
    return found[1] if found else ""


def _way_out(holder: str, work: str) -> str:
    if work == RUN:
        return "wait for it or choose another --out"
    if _work_of(holder) == RUN:
        return (
            "a run goes on there, which scores what it answered and writes the report when it ends. Wait for it, or "
            "end it with Ctrl-C, and give this command again"
        )
    return "wait for it, and give this command again"
