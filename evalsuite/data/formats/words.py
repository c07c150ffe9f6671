"""Ground truths of text spotting: one file per image, one line per word."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalsuite.data.readers import open_binary, read_whole
from evalsuite.errors import DataError

DO_NOT_CARE = ("###", "#")
MOST_OF_A_POLYGON = 20_000
"""Characters of one that is broken over several lines."""

_Corners = list[tuple[float, float]]
_TOTAL_TEXT_TABLES = ("gt", "polygt")  # of the refined release and of the first one
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
    """``poly_gt_img12.txt`` of Total-Text: ``x: [[…]], y: [[…]], ornt: [u'm'], transcriptions: [u'WORD']``; ``#`` and
    an empty transcription are don't-care. ``poly_gt_img12.mat`` holds the same as a MATLAB table, and so does
    ``gt_img12.mat`` of the release refined later. One record per file, as of :func:`icdar`.
    """
    read = _matlab_words if path.suffix == ".mat" else _text_words
    words = [_word(corners, text or DO_NOT_CARE[1]) for corners, text in read(path)]
    yield {"image_id": path.stem.removeprefix("poly_").removeprefix("gt_"), "words": words}


def _matlab_words(path: Path) -> Iterator[tuple[_Corners, str]]:
    """Rows of the table: 'x:', x values, 'y:', y values, transcription, orientation. An image may have none."""
    from scipy.io import loadmat

    try:
        tables = loadmat(path)
    except Exception as error:  # a damaged file raises almost anything
        raise DataError(f"{path}: no MATLAB file: {error!r}") from None
    names = [name for name in _TOTAL_TEXT_TABLES if name in tables]
    if not names:
        found = ", ".join(repr(name) for name in tables if not name.startswith("__")) or "none"
        raise DataError(f"{path}: no table {' or '.join(map(repr, _TOTAL_TEXT_TABLES))} of polygons. Tables: {found}")
    for number, row in enumerate(tables[names[0]], 1):
        try:
            xs, ys = ([float(value) for value in row[column].ravel()] for column in (1, 3))
            text = "".join(str(part) for part in row[4].ravel())
        except (IndexError, AttributeError, TypeError, ValueError) as error:
            raise DataError(f"{path}: row {number}: not x, y and a transcription: {error!r}") from None
        yield _polygon(path, number, xs, ys), text


def _text_words(path: Path) -> Iterator[tuple[_Corners, str]]:
    for number, line in _lines(path):
        found = _TOTAL_TEXT.match(line)
        if found is None:
            raise DataError(f"{path}:{number}: not 'x: [[…]], y: [[…]], ornt: […], transcriptions: […]': {line[:60]!r}")
        try:
            xs, ys = ([float(part) for part in found[group].replace(",", " ").split()] for group in (1, 2))
        except ValueError as error:
            raise DataError(f"{path}:{number}: {error}") from None
        yield _polygon(path, number, xs, ys), found[4]


def _polygon(path: Path, number: int, xs: list[float], ys: list[float]) -> _Corners:
    if len(xs) != len(ys) or len(xs) < 3:
        raise DataError(f"{path}:{number}: a polygon of {len(xs)} x and {len(ys)} y values")
    return list(zip(xs, ys, strict=True))


def _word(corners: _Corners, text: str) -> dict[str, Any]:
    return {"vertices": [list(corner) for corner in corners], "text": text, "legible": text not in DO_NOT_CARE}


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; polygons that are broken over several lines are put together again."""
    with open_binary(path) as file:
        text = read_whole(file, path).decode("utf-8-sig")
    number, held = 0, ""
    for line in text.splitlines():
        number += 1
        held = f"{held} {line.strip()}".strip()
        if len(held) < MOST_OF_A_POLYGON and held.startswith("x: [[") and "transcriptions" not in held:
            continue
        if held:
            yield number, held
        held = ""
    if held:
        yield number, held
