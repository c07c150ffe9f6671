"""Soft accuracy, min(1, people who gave the answer / 3): OK-VQA and the direct answers of A-OKVQA."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from evalsuite.errors import ScoringError, UnknownName
from evalsuite.metrics.answers.vqa import VqaV2
from evalsuite.metrics.base import Array, Metric, Value, ratio

VARIANTS = ("big_vision", "aokvqa", "okvqa")


@dataclass(frozen=True)
class VqaSoft(Metric):
    """min(1, n / 3) for the n references that are the answer, averaged. In [0, 1]; printed in percent.

    References: the human answers as text, or one dict with ``answers`` and, for A-OKVQA, ``difficult_direct_answer``.

    variant:

    - ``big_vision`` (PaliGemma's numbers): the texts must be equal as they are; every question counts. ``ignore_case``
      is the evaluator's ``to_lower``, off for these benchmarks.
    - ``aokvqa``, the official script of A-OKVQA: the same, but questions marked as difficult are left out. ``skipped``
      is their share. Where nothing else is left, the script divides by zero; here the value is 0.
    - ``okvqa``, the official one of OK-VQA: the leave-one-out accuracy of ``vqa_v2`` with its normalisation.

    Source: https://github.com/allenai/aokvqa ``evaluation/eval_predictions.py``, https://okvqa.allenai.org, big_vision
    ``evaluators/proj/paligemma/transfers/vqa.py`` (``acc``).

    >>> VqaSoft().score(["dog", "Cat"], [["dog", "dog", "puppy"], ["cat"] * 10])["soft_accuracy"]
    0.3333333333333333
    """

    name: ClassVar[str] = "vqa_soft"
    values: ClassVar[tuple[Value, ...]] = (Value("soft_accuracy"), Value("skipped", higher_is_better=False))
    source: ClassVar[str] = "https://github.com/allenai/aokvqa"

    variant: str = "big_vision"
    ignore_case: bool = False

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise UnknownName("variant of metric vqa_soft", self.variant, VARIANTS)
        if self.ignore_case and self.variant != "big_vision":
            raise ValueError(f"ignore_case belongs to variant big_vision, not to {self.variant}")

    def statistics(self, prediction: str, references: Sequence[Any]) -> Array:
        """(score, scored, skipped)."""
        answers, difficult = _answers(references)
        if difficult and self.variant == "aokvqa":
            return np.array([0.0, 0.0, 1.0])
        return np.array([self._score(prediction, answers), 1.0, 0.0])

    def _score(self, prediction: str, answers: Sequence[str]) -> float:
        if self.variant == "okvqa":
            return _OKVQA.example(prediction, answers)
        if self.ignore_case:
            prediction, answers = prediction.lower(), [answer.lower() for answer in answers]
        return min(1.0, answers.count(prediction) / 3)

    def finalize(self, total: Array) -> dict[str, Array]:
        score, scored, skipped = np.moveaxis(total, -1, 0)
        return {
            "soft_accuracy": ratio(score, scored, empty=0.0),
            "skipped": ratio(skipped, scored + skipped, empty=0.0),
        }


_OKVQA = VqaV2(variant="official")


def _answers(references: Sequence[Any]) -> tuple[Sequence[str], bool]:
    if len(references) != 1 or not isinstance(references[0], Mapping):
        return references, False
    annotation = references[0]
    if "answers" not in annotation:
        raise ScoringError(f"vqa_soft: a reference must be a text or have 'answers', not {sorted(annotation)}")
    return annotation["answers"], bool(annotation.get("difficult_direct_answer", False))
