"""From the text a model generated to the answer that metrics see: the ``parsing`` steps of a task spec.

PaliGemma's published numbers use none: the text before the first end-of-sequence token is scored as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from evalsuite.errors import UnknownName

STEPS: dict[str, Callable[[str], str]] = {
    "strip": str.strip,
    "lower": str.lower,
    "first_line": lambda text: text.split("\n", 1)[0],
}
"""strip: white space off both ends. lower: lower-case. first_line: up to the first newline, which may leave nothing."""


def parse_answer(text: str, steps: Sequence[str]) -> str:
    """``text`` after these steps, in this order. Raises UnknownName for a step that does not exist.

    >>> parse_answer(" Yes.\\nBecause", ["first_line", "strip", "lower"])
    'yes.'
    """
    for step in steps:
        function = STEPS.get(step)
        if function is None:
            raise UnknownName("parsing step", step, STEPS)
        text = function(text)
    return text
