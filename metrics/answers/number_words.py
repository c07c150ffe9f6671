"""Accuracy of counts, written as digits or words, as TallyQA and CountBenchQA are scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evalsuite.metrics.base import Array, Flags, MeanMetric, Value

_WORDS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen twenty"
)
_DIGITS = {"none": "0"} | {word: str(number) for number, word in enumerate(_WORDS.split())}


@dataclass(frozen=True)
class NumberWords(MeanMetric):
    """Share of answers equal to the reference after number words became digits. In [0, 1]; printed in percent.

    Only an answer that is a number word as a whole (``none``, ``zero`` to ``twenty``, any case) is replaced; nothing is
    stripped, so ``two dogs``, ``two.`` and ``02`` are wrong for ``2``. big_vision's log per count breaks on references
    above 15; this value does not need it and scores them like any other.

    Source: big_vision ``evaluators/proj/paligemma/transfers/tallyqa.py``.

    >>> NumberWords().example("Two", ["2"])
    1.0
    """

    name: ClassVar[str] = "number_words"
    values: ClassVar[tuple[Value, ...]] = (Value("accuracy"),)
    source: ClassVar[str] = "https://github.com/google-research/big_vision"

    def example(self, prediction: str, references: Sequence[str]) -> float:
        answer = digits(prediction)
        return float(any(digits(reference) == answer for reference in references))

    def unread(self, predictions: Sequence[str], references: Sequence[Sequence[str]], statistics: Array) -> Flags:
        """Answers that are no number where one is asked for."""
        pairs = zip(predictions, references, strict=True)
        return np.asarray([_is_number(group) and not _is_number([text]) for text, group in pairs], bool)


def digits(text: str) -> str:
    """The digits of a number word, any other text unchanged.

    >>> digits("Twenty"), digits("Twenty-one")
    ('20', 'Twenty-one')
    """
    return _DIGITS.get(text.lower(), text)


def _is_number(texts: Sequence[str]) -> bool:
    """Whether there are texts, and all of them are numbers."""
    return bool(texts) and all(digits(text).isdecimal() for text in texts)
