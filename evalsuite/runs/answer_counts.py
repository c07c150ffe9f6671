"""How many answers were no proper answers: the counts that stand beside a value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

UNREAD, CUT, EMPTY, WITHHELD = KINDS = ("unread", "cut", "empty", "withheld")


@dataclass(frozen=True, slots=True)
class AnswerCounts:
    """Of the answers that a value is made of, without failed examples, which are counted as errors.

    unread: the metric's rule could not read them, in whole or in part; None where it takes any text or cannot tell.
    cut: ended by the limit of tokens; withheld: by a filter of the server; None where no answer says why it ended.
    empty: nothing is left after parsing. An answer that is withheld or empty is not counted as unread too, and one that
    is withheld not as empty; a cut one may be anything else besides. None for values made elsewhere.
    """

    unread: int | None = None
    cut: int | None = None
    empty: int | None = None
    withheld: int | None = None

    @classmethod
    def total(cls, parts: Iterable[AnswerCounts]) -> AnswerCounts:
        """The sum of several; what only some of them know is summed over these."""
        found = list(parts)
        known = {kind: [count for part in found if (count := getattr(part, kind)) is not None] for kind in KINDS}
        return cls(**{kind: sum(counts) if counts else None for kind, counts in known.items()})
