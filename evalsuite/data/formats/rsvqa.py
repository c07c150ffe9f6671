"""Question files of RSVQA, as its authors publish them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalsuite.data.readers import open_binary, parse_json, read_whole
from evalsuite.errors import DataError


def questions(path: Path) -> Iterator[dict[str, Any]]:
    """The active questions of a file such as ``LR_split_test_questions.json``, in its order.

    The file lists the questions of all splits; those of the others are entries with nothing but ``id`` and
    ``"active": false``. A record has what the file gives: ``id``, ``img_id``, ``type``, ``question``, ``answers_ids``.
    """
    with open_binary(path) as file:
        document = parse_json(read_whole(file, path), path)
    entries = document.get("questions") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise DataError(f"{path}: not a question file of RSVQA: it must be an object with the list 'questions'")
    for place, entry in enumerate(entries):
        if not isinstance(entry, dict) or "active" not in entry:
            raise DataError(f"{path}: question {place} must be an object with 'active', not {str(entry)[:60]!r}")
        if entry["active"]:
            yield entry
