"""Relaxed accuracy of ChartQA: numbers within five percent, other answers word for word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evalsuite.errors import UnknownName
from evalsuite.metrics.base import Array, Flags, MeanMetric, Value

VARIANTS = ("big_vision", "pix2struct", "case_sensitive")


@dataclass(frozen=True)
class RelaxedAccuracy(MeanMetric):
    """Share of answers within ``tolerance`` of the number asked for, or equal to the text. In [0, 1], in percent.

    Methani et al. 2020, https://arxiv.org/abs/1909.00997. A number is what Python's ``float`` reads, a trailing ``%``
    divides by 100 (``50%`` is 0.5, not 50; ``1,000`` is no number). Where the answer is a number and the reference is
    one other than 0, their relative difference decides; everything else must be the same text.

    variant: ``big_vision`` lower-cases answer and reference first, ``pix2struct`` when it compares text: the values are
    the same, the name says which protocol is meant. ``case_sensitive`` is big_vision's evaluator without lower-casing.

    Source: https://github.com/google-research/pix2struct ``metrics.py``, big_vision ``transfers/chartqa.py``.

    >>> RelaxedAccuracy().score(["104", "Yes", "50"], [["100"], ["yes"], ["50%"]])["relaxed_accuracy"]
    0.6666666666666666
    """

    name: ClassVar[str] = "relaxed_accuracy"
    values: ClassVar[tuple[Value, ...]] = (Value("relaxed_accuracy"),)
    source: ClassVar[str] = "https://arxiv.org/abs/1909.00997"

    tolerance: float = 0.05
    variant: str = "big_vision"

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise UnknownName("variant of metric relaxed_accuracy", self.variant, VARIANTS)
        if not self.tolerance >= 0:
            raise ValueError(f"tolerance is a share of the number asked for, 0 or more, not {self.tolerance}")

    def example(self, prediction: str, references: Sequence[str]) -> float:
        return float(any(self._correct(prediction, reference) for reference in references))

    def unread(self, predictions: Sequence[str], references: Sequence[Sequence[str]], statistics: Array) -> Flags:
        """Answers that are no number where one is asked for."""
        pairs = zip(predictions, references, strict=True)
        return np.asarray([to_number(text) is None and _is_numeric(group) for text, group in pairs], bool)

    def _correct(self, prediction: str, reference: str) -> bool:
        number, target = to_number(prediction), to_number(reference)
        if number is not None and target:
            return abs(number - target) / abs(target) <= self.tolerance
        if self.variant == "case_sensitive":
            return prediction == reference
        return prediction.lower() == reference.lower()


def to_number(text: str) -> float | None:
    """The number that a text is as a whole, ``None`` if it is none.

    >>> to_number("5%"), to_number("1e3"), to_number("1,000")
    (0.05, 1000.0, None)
    """
    try:
        return float(text.rstrip("%")) / 100 if text.endswith("%") else float(text)
    except ValueError:
        return None


def _is_numeric(references: Sequence[str]) -> bool:
    return bool(references) and all(to_number(reference) is not None for reference in references)
