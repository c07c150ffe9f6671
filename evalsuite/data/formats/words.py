"""Ground truths of text spotting: one file per image, one line per word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalsuite.data.readers import open_binary
from evalsuite.errors import DataError

DO_NOT_CARE = ("###", "#")
_TOTAL_TEXT = re.compile(
    r"x: \[\[([^\]]*)\]\], y: \[\[([^\]]*)\]\], ornt: \[u?'[^']*'\], transcriptions: \[u?(['\"])(.*)\3\]\s*$"
)


def icdar(path: Path) -> Iterator[dict[str, Any]]:
    """``gt_img_12.txt`` of ICDAR 2015: ``x1,y1,…,x4,y4,transcription``; ``###`` is don't-care.

    One record per file: ``{image_id, words}`` with words ``{vertices, text, legible}`` in pixels.
    """
    words = []
    for number, line in _lines(path):
        parts = line.split(",", 8)
        try:
            numbers = [float(part) for part in parts[:8]]
        except ValueError:
            numbers = []
        if len(parts) != 9 or len(numbers) != 8:
            raise DataError(f"{path}:{number}: not x1,y1,x2,y2,x3,y3,x4,y4,text: {line[:60]!r}")
        corners = list(zip(numbers[::2], numbers[1::2], strict=True))
        words.append(_word(corners, parts[8]))
    yield {"image_id": path.stem.removeprefix("gt_"), "words": words}


def total_text(path: Path) -> Iterator[dict[str, Any]]:
    """``poly_gt_img12.txt`` of Total-Text: ``x: [[…]], y: [[…]], ornt: [u'm'], transcriptions: [u'WORD']``; ``#`` is
    don't-care. One record per file, as of :func:`icdar`.
    """
    words = []
    for number, line in _lines(path):
        found = _TOTAL_TEXT.search(line)
        if found is None:
            raise DataError(f"{path}:{number}: not 'x: [[…]], y: [[…]], ornt: […], transcriptions: […]': {line[:60]!r}")
        xs, ys = ([float(part) for part in found[group].replace(",", " ").split()] for group in (1, 2))
        if len(xs) != len(ys) or len(xs) < 3:
            raise DataError(f"{path}:{number}: a polygon of {len(xs)} x and {len(ys)} y values")
        words.append(_word(list(zip(xs, ys, strict=True)), found[4]))
    yield {"image_id": path.stem.removeprefix("poly_gt_"), "words": words}


def _word(corners: list[tuple[float, float]], text: str) -> dict[str, Any]:
    return {"vertices": [list(corner) for corner in corners], "text": text, "legible": text not in DO_NOT_CARE}


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; polygons that are broken over several lines are put together again."""
    with open_binary(path) as file:
        text = file.read().decode("utf-8-sig")
    number, held = 0, ""
    for line in text.splitlines():
        number += 1
        held = f"{held} {line.strip()}".strip()
        if held.startswith("x: [[") and "transcriptions" not in held:
            continue
        if held:
            yield number, held
        held = ""
    if held:
        yield number, held
