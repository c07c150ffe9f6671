"""What goes wrong in a run: one line for the user, the traceback for the folder's log."""

from __future__ import annotations

import os
import traceback
from datetime import UTC, datetime
from pathlib import Path

from evalsuite.errors import EvalsuiteError
from evalsuite.redaction import without_secrets
from evalsuite.runs.folder import LOG


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
