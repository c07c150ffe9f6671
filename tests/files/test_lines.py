"""Lines are read one after the other, bounded, and named where they are wrong."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import DataError
from evalsuite.files.lines import json_lines, lines_of

PATH = Path("some") / "a.jsonl"


def both(text: str) -> list[Any]:
    """The text as a file of text and as a file of bytes."""
    return [io.StringIO(text), io.BytesIO(text.encode())]


@pytest.mark.parametrize("number", [0, 1])
def test_lines_come_as_they_are(number: int) -> None:
    kind = (str, str.encode)[number]
    assert list(lines_of(both("a\n\n b")[number], PATH, 10)) == [kind("a\n"), kind("\n"), kind(" b")]


@pytest.mark.parametrize("number", [0, 1])
def test_a_line_beyond_the_bound_is_not_read_to_its_end(number: int) -> None:
    file = both("a\n" + "x" * 1000)[number]
    with pytest.raises(DataError, match=r"a\.jsonl:2: a line of more than 0 MB"):
        list(lines_of(file, PATH, 10))
    assert file.tell() == 13


@pytest.mark.parametrize("number", [0, 1])
def test_empty_lines_are_passed_over_and_counted(number: int) -> None:
    assert list(json_lines(both('{"a": 1}\n \n[2]\n')[number], PATH, 100)) == [(1, {"a": 1}), (3, [2])]


@pytest.mark.parametrize("number", [0, 1])
def test_what_is_no_json_is_named_with_line_and_place(number: int) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl:2: not valid JSON: Expecting value \(character 8\)"):
        list(json_lines(both('1\n{"a": \n')[number], PATH, 100))


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5_000])
def test_neither_depth_nor_digits_escape_as_another_error(text: str) -> None:
    with pytest.raises(DataError, match=r"a\.jsonl:1: not valid JSON"):
        list(json_lines(io.StringIO(text), PATH, 1 << 20))


def test_bytes_that_are_no_text_are_named_with_their_line() -> None:
    with pytest.raises(DataError, match=r"a\.jsonl:2: not valid JSON"):
        list(json_lines(io.BytesIO(b'{}\n"\xff"\n'), PATH, 100))


def test_pairs_make_the_objects() -> None:
    assert list(json_lines(io.StringIO('{"a": 1, "a": 2}'), PATH, 100, list)) == [(1, [("a", 1), ("a", 2)])]
