"""Who writes into a run folder: one process at a time, and never through a link."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from evalsuite.errors import StoreError
from evalsuite.runs.folder import LOCK, LOG, MANIFEST, REPORT, RESULTS, RESULTS_PARQUET, STORE


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
