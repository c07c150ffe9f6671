"""Lines of files that may come from anyone: read one after the other, none of them without a bound."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

from evalsuite.errors import DataError

Text = TypeVar("Text", str, bytes)
Pairs = Callable[[list[tuple[str, Any]]], Any]


def lines_of(file: IO[Text], path: Path, most: int) -> Iterator[Text]:
    """The lines of a file. Raises DataError for one of more than ``most`` bytes or characters, which is not kept."""
    number = 0
    while line := file.readline(most + 1):
        number += 1
        if len(line) > most:
            raise DataError(f"{path}:{number}: a line of more than {most >> 20} MB")
        yield line


def json_lines(
    file: IO[str] | IO[bytes], path: Path, most: int, pairs: Pairs | None = None
) -> Iterator[tuple[int, Any]]:
    """(line number, value) of each line that is not empty. Raises DataError that names the file and the line.

    pairs: makes an object of its keys and values, which a ``dict`` cannot hold where a key stands twice.
    """
    for number, line in enumerate(lines_of(file, path, most), 1):
        if line.isspace():
            continue
        try:
            yield number, json.loads(line, object_pairs_hook=pairs)
        except json.JSONDecodeError as error:  # its own message calls every line the first
            raise DataError(f"{path}:{number}: not valid JSON: {error.msg} (character {error.pos + 1})") from None
        except (ValueError, RecursionError) as error:  # no text, a number of thousands of digits, thousands of levels
            raise DataError(f"{path}:{number}: not valid JSON: {error}") from None
