"""Placeholders of prompts and of ``--model`` templates: ``{name}``, filled in as it is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass

PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def placeholders(prefix: str) -> list[str]:
    """Names in braces of a prompt prefix.

    >>> placeholders("answer en {question}")
    ['question']
    """
    return PLACEHOLDER.findall(prefix)


def fill(prefix: str, values: Mapping[str, str]) -> str:
    """The prefix with its placeholders replaced; braces inside values are left alone.

    >>> fill("answer en {question}", {"question": "a {b}?"})
    'answer en a {b}?'
    """
    return PLACEHOLDER.sub(lambda match: values[match.group(1)], prefix)


def split_placeholders(prefix: str) -> tuple[list[str], list[str]]:
    """The text around the placeholders and their names: one more text than names.

    >>> split_placeholders("answer en {question}")
    (['answer en ', ''], ['question'])
    """
    pieces = PLACEHOLDER.split(prefix)
    return pieces[0::2], pieces[1::2]
