"""Scores in the Humdrum **kern form: one file, one piece."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalsuite.data.readers import open_binary, read_whole
from evalsuite.errors import DataError


def score(path: Path) -> Iterator[dict[str, Any]]:
    """One record: ``{transcription}``. The image lies beside the file, under the same name."""
    with open_binary(path) as file:
        text = read_whole(file, path).decode("utf-8")
    if not text.lstrip().startswith("**"):
        raise DataError(f"{path}:1: a **kern file begins with its spines (**kern), not with {text[:20]!r}")
    yield {"transcription": text.strip("\n")}
