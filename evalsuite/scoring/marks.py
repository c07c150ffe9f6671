"""What may be wrong with an answer whatever it says: cut, withheld, empty, unread. Counted while answers stream by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from evalsuite.errors import ScoringError
from evalsuite.runs.answer_counts import AnswerCounts
from evalsuite.types import END, ENDINGS, FILTER, LENGTH, Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from evalsuite.metrics import Metric
    from evalsuite.metrics.base import Array

    Marks = NDArray[np.uint8]
    Codes = Mapping[str, tuple[Mapping[str, int], NDArray[np.int32]]]
    """Stratum name -> its values with their codes, and the code of each of some examples."""

FAILED, EMPTY, CUT, WITHHELD, KNOWN, UNREAD = _BITS = tuple(1 << place for place in range(6))
"""Bits of an answer's marks. KNOWN: it is known why it ended."""


def marks_of(prediction: Prediction, text: str, most_tokens: int) -> int:
    """The marks of a stored answer, without UNREAD, which is a metric's.

    text: the answer after parsing. most_tokens: the limit that it was generated under. Where the backend did not say
    why the answer ended, the number of its tokens does: end-of-sequence is one of the limit, but none of the answer's.
    """
    if prediction.error is not None:
        return FAILED
    ended, tokens = prediction.details.get("ended"), prediction.details.get("tokens")
    if ended not in ENDINGS:
        ended = None if not isinstance(tokens, int) else LENGTH if tokens >= most_tokens else END
    known: dict[str | None, int] = {END: KNOWN, LENGTH: KNOWN | CUT, FILTER: KNOWN | WITHHELD}
    marks = known.get(ended, 0)
    return marks if marks & WITHHELD or text.strip() else marks | EMPTY


def with_unread(
    marks: Marks, metric: Metric, predictions: Sequence[Any], references: Sequence[Sequence[Any]], statistics: Array
) -> tuple[Marks, bool]:
    """Marks, shape (n,), with what the metric could not read, and whether it can tell.

    An answer that failed, is empty or was withheld is that alone. Raises ScoringError for a metric whose flags are of
    another number.
    """
    import numpy as np

    unread = metric.unread(predictions, references, statistics)
    if unread is None:
        return marks, False
    flags = np.asarray(unread, bool)
    if flags.shape != marks.shape:
        raise ScoringError(f"metric {metric.name}: unread gives flags of shape {flags.shape}, not {marks.shape}")
    is_text = marks & (FAILED | EMPTY | WITHHELD) == 0
    return marks | np.where(flags & is_text, np.uint8(UNREAD), np.uint8(0)), True


def counts_of(marks: Marks, tells_unread: bool) -> AnswerCounts:
    """The counts of some answers. tells_unread: whether UNREAD is marked at all."""
    return _counts({bit: int((marks & bit > 0).sum()) for bit in _BITS}, tells_unread)


@dataclass
class Tally:
    """The marks of a split as one use of a metric sees it, counted by stratum.

    only: as of the use, the one value of a stratum whose examples it sees.
    """

    only: Mapping[str, str] = field(default_factory=dict)
    _tells_unread: bool = False
    _found: dict[tuple[str, str], Counter[int]] = field(default_factory=dict)

    def add(self, marks: Marks, tells_unread: bool, codes: Codes) -> None:
        """Count the marks of some examples, which have these codes."""
        import numpy as np

        self._tells_unread |= tells_unread
        for name, wanted in self.only.items():
            values, of_examples = codes.get(name, ({}, np.full(marks.shape, -1)))
            marks = np.where(of_examples == values.get(wanted, -2), marks, np.uint8(0))
        for bit in _BITS:
            if not (marked := marks & bit > 0).any():
                continue
            self._count("", "", bit, int(marked.sum()))
            for name, (values, of_examples) in codes.items():
                counts = np.bincount(of_examples[marked & (of_examples >= 0)], minlength=len(values))
                for value, code in values.items():
                    self._count(name, value, bit, int(counts[code]))

    def counts(self, stratum: str = "", value: str = "") -> AnswerCounts:
        """The counts of all examples, or of one value of a stratum."""
        return _counts(self._found.get((stratum, value), Counter()), self._tells_unread)

    def _count(self, stratum: str, value: str, bit: int, number: int) -> None:
        if number:
            self._found.setdefault((stratum, value), Counter())[bit] += number


def _counts(found: Mapping[int, int], tells_unread: bool) -> AnswerCounts:
    is_known = found.get(KNOWN, 0) > 0
    return AnswerCounts(
        unread=found.get(UNREAD, 0) if tells_unread else None,
        cut=found.get(CUT, 0) if is_known else None,
        empty=found.get(EMPTY, 0),
        withheld=found.get(WITHHELD, 0) if is_known else None,
    )
