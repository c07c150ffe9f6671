"""Text from data sets and specs, written so that a reader sees what the model sees."""

from __future__ import annotations

import re
from collections.abc import Callable

_SPACES = re.compile(r"^ +| +$| {2,}", re.MULTILINE)
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and newline, other line ends, marks that turn the direction of text, and halves of
surrogate pairs."""


def visible(text: str) -> str:
    """The text with what one would overlook: tabs, newlines, and spaces at an edge or beside another one.

    >>> visible("answer en  where?\\t\\n ")
    'answer en··where?⇥⏎·'
    """
    marked = _SPACES.sub(lambda found: "·" * len(found[0]), printable(text))
    return marked.replace("\t", "⇥").replace("\n", "⏎")


def printable(text: str) -> str:
    """The text with what a terminal or a page would obey instead of showing it written as an escape.

    >>> printable("red \\x1b[31m text")
    'red \\\\x1b[31m text'
    """
    return unprintable(text, lambda sign: sign.encode("unicode_escape").decode())


def unprintable(text: str, written: Callable[[str], str]) -> str:
    """The text with each character that a terminal or a page would obey replaced by ``written`` of it."""
    return _UNPRINTABLE.sub(lambda found: written(found[0]), text)


def shortened(text: str, most: int) -> str:
    """At most ``most`` characters, and how many were left out.

    >>> shortened("abcdefgh", 5)
    'abcde… (3 more characters)'
    """
    left = len(text) - most
    return text if left <= 0 else f"{text[:most]}… ({left:,} more character{'s' if left > 1 else ''})"
