"""Accuracy by string equality: GQA, AI2D, OCR-VQA, NLVR2, the video question sets and others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from evalsuite.metrics.base import MeanMetric, Value

_ARTICLES = frozenset({"a", "an", "the"})


@dataclass(frozen=True)
class ExactMatch(MeanMetric):
    """Share of answers equal to one of the references. In [0, 1]; printed in percent.

    ignore_case: compare in lower case. strip: compare without surrounding white space. ignore_articles: compare without
    the words a, an and the (of any case) and with white space collapsed; a text of nothing but articles keeps them, so
    that the option ``A`` is neither ``The`` nor an empty answer. All are off in the official GQA evaluation and in
    big_vision, which lower-cases for some tasks.

    Source: https://github.com/dorarad/gqa, big_vision ``evaluators/proj/paligemma/transfers/vqa.py`` (``acc_any``).

    >>> ExactMatch().example("Yes", ["yes"]), ExactMatch(ignore_case=True).example("Yes", ["yes"])
    (0.0, 1.0)
    """

    name: ClassVar[str] = "exact_match"
    values: ClassVar[tuple[Value, ...]] = (Value("accuracy"),)
    source: ClassVar[str] = "https://github.com/google-research/big_vision"

    ignore_case: bool = False
    strip: bool = False
    ignore_articles: bool = False

    def example(self, prediction: str, references: Sequence[str]) -> float:
        answer = self._form(prediction)
        return float(any(self._form(reference) == answer for reference in references))

    def signature(self) -> str:
        """With ignore_articles the rule is at version 2: at first, a text of nothing but articles was empty."""
        signature = super().signature()
        return signature.replace("|v1|", "|v2|", 1) if self.ignore_articles else signature

    def _form(self, text: str) -> str:
        if self.strip:
            text = text.strip()
        if self.ignore_articles:
            words = text.split()
            text = " ".join([word for word in words if word.lower() not in _ARTICLES] or words)
        return text.lower() if self.ignore_case else text
