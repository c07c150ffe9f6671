"""Answers to yes/no questions about objects that may be hallucinated: POPE."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from evalsuite.errors import UnknownName
from evalsuite.metrics.base import Array, Flags, Metric, Value, ratio

VARIANTS = ("big_vision", "official")
_NO = frozenset({"No", "not", "no"})
_YES = re.compile(r"\byes\b", re.IGNORECASE)


@dataclass(frozen=True)
class YesNo(Metric):
    """Accuracy, and precision, recall and F1 of the answer "yes". All in [0, 1]; printed in percent.

    Li et al. 2023 (POPE), https://arxiv.org/abs/2305.10355. References: the label, ``yes`` or ``no``.

    ``yes_ratio`` is the share of questions that are answered with yes, ``valid`` that of answers which are nothing but
    ``yes`` or ``no``, of any case. Precision, recall and F1 are 0 where the official script divides by zero, because
    yes was never the answer, never the label, or never both.

    variant:

    - ``big_vision`` (PaliGemma's numbers): the answer in lower case must be the label; an invalid answer is wrong, and
      is not a yes.
    - ``official``: an answer is no if one of ``No``, ``not``, ``no`` is a word of its first sentence, commas aside;
      anything else, nothing included, is yes. So is any label but ``no``.

    Source: https://github.com/RUCAIBox/POPE ``evaluate.py``, big_vision ``transfers/pope.py``.

    >>> score = YesNo(variant="official").score(["Yes, a dog.", "There is no dog"], [["yes"], ["yes"]])
    >>> score["accuracy"], score["precision"], score["recall"]
    (0.5, 1.0, 0.5)
    """

    name: ClassVar[str] = "yes_no"
    values: ClassVar[tuple[Value, ...]] = (
        Value("accuracy"),
        Value("precision"),
        Value("recall"),
        Value("f1"),
        Value("yes_ratio"),
        Value("valid"),
    )
    source: ClassVar[str] = "https://arxiv.org/abs/2305.10355"

    variant: str = "big_vision"

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise UnknownName("variant of metric yes_no", self.variant, VARIANTS)

    def statistics(self, prediction: str, references: Sequence[str]) -> Array:
        """(right, yes and right, answered yes, labelled yes, valid, 1)."""
        lowered = prediction.lower()
        valid = lowered in ("yes", "no")
        if self.variant == "official":
            yes, wanted = says_yes(prediction), all(reference != "no" for reference in references)
            right = yes == wanted
        else:
            yes, wanted = lowered == "yes", "yes" in references
            right = lowered in references
        return np.array([right, yes and wanted, yes, wanted, valid, 1.0])

    def unread(self, predictions: Sequence[str], references: Sequence[Sequence[Any]], statistics: Array) -> Flags:
        """Answers that are not ``yes`` or ``no``; under ``official`` those that are a yes for want of a no alone."""
        if self.variant == "official":
            return np.asarray([says_yes(text) and not _YES.search(text) for text in predictions], bool)
        return np.asarray(statistics[:, 4] == 0)

    def finalize(self, total: Array) -> dict[str, Array]:
        right, both, answered, labelled, valid, count = np.moveaxis(total, -1, 0)
        return {
            "accuracy": ratio(right, count),
            "precision": ratio(both, answered, empty=0.0),
            "recall": ratio(both, labelled, empty=0.0),
            "f1": ratio(2 * both, answered + labelled, empty=0.0),
            "yes_ratio": ratio(answered, count),
            "valid": ratio(valid, count),
        }


def says_yes(answer: str) -> bool:
    """Whether POPE's script takes an answer for a yes.

    >>> says_yes("No, there is not."), says_yes("NO"), says_yes("A dog. No cat."), says_yes("")
    (False, True, True, True)
    """
    words = answer.partition(".")[0].replace(",", "").split(" ")
    return _NO.isdisjoint(words)
