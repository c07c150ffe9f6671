"""Which part of a **kern text is well formed, so that a renderer can be given that part alone.

A model's transcription often ends in the middle of a line, or has a line with a tab too many. The renderer ends its
process at such a text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_BASIC = re.compile(r"\*\*b?ekern[^\t]*")


def readable_kern(text: str) -> tuple[str, str]:
    """The text up to its first line that does not fit, with the header and the ends of spines that it lacks.

    The ekern and bekern encodings become plain **kern: their marks (``·``, ``@``) are left out. Returns the text, ""
    where nothing is left, and a sentence that says what was left out, else "".

    >>> readable_kern("**kern\\t**kern\\n4c\\t4e\\n4d")
    ('**kern\\t**kern\\n4c\\t4e\\n*-\\t*-', 'Line 3 has 1 field instead of 2: drawn up to there.')
    """
    lines = [line.rstrip("\r") for line in text.replace("·", "").replace("@", "").strip("\n ").split("\n")]
    bare = lines[0].startswith(("*", "=")) and not lines[0].startswith("**")
    if bare:
        lines.insert(0, "\t".join(["**kern"] * len(lines[0].split("\t"))))
    elif not lines[0].startswith("**"):
        return "", ""
    lines[0] = _BASIC.sub("**kern", lines[0])
    kept: list[str] = []
    spines, problem = len(lines[0].split("\t")), ""
    for number, line in enumerate(lines, 0 if bare else 1):
        fields = line.split("\t")
        if line.startswith("!!"):
            continue  # a comment over all spines; renderers read options from some of them
        if len(fields) != spines or not all(fields):
            shown = f"{len(fields)} field{'s' if len(fields) > 1 else ''} instead of {spines}"
            problem = f"Line {number} has {shown if len(fields) != spines else 'an empty field'}: drawn up to there."
            break
        kept.append(line)
        spines = _spines_after(fields)
        if spines < 1:
            break
    if len(kept) < 2:
        return "", problem
    if spines > 0:
        kept.append("\t".join(["*-"] * spines))
    return "\n".join(kept), problem


def _spines_after(fields: Sequence[str]) -> int:
    """Fields of the next line: ``*^`` splits a spine, neighbouring ``*v`` join, ``*-`` ends one, ``*+`` adds one."""
    count, joining = 0, False
    for field in fields:
        if field == "*v":
            count += 0 if joining else 1
            joining = True
            continue
        joining = False
        count += {"*^": 2, "*+": 2, "*-": 0}.get(field, 1)
    return count
