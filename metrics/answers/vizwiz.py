"""VQA accuracy of the VizWiz challenge, whose evaluation normalises the answer but not what people said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from evalsuite.errors import UnknownName
from evalsuite.metrics.answers.vqa import leave_one_out, normalize_answer
from evalsuite.metrics.base import MeanMetric, Value

VARIANTS = ("big_vision", "official")


@dataclass(frozen=True)
class VizWiz(MeanMetric):
    """Agreement of an answer with those of ten people who saw the picture. In [0, 1]; printed in percent.

    Gurari et al. 2018, https://arxiv.org/abs/1802.08218. References: the answers of the people, as text.

    variant:

    - ``big_vision`` (PaliGemma's numbers): min(1, n / 3) for the n references equal to the answer as typed.
    - ``official``, the challenge's API: the mean over the references of min(1, equal ones among the others / 3). The
      answer is normalised as in VQA v2, with other contractions (``dont`` becomes ``don’t``, with U+2019); the
      references are compared as typed, so that ``two`` can never match, because the answer ``two`` becomes ``2``.

    An example without references scores 0.

    >>> references = ["dog"] * 3 + ["a dog"] * 7
    >>> VizWiz().example("Dog", references), VizWiz(variant="official").example("Dog", references)
    (0.0, 0.9)
    """

    name: ClassVar[str] = "vizwiz"
    values: ClassVar[tuple[Value, ...]] = (Value("vqa_accuracy"),)
    source: ClassVar[str] = "https://arxiv.org/abs/1802.08218"

    variant: str = "big_vision"

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise UnknownName("variant of metric vizwiz", self.variant, VARIANTS)

    def example(self, prediction: str, references: Sequence[str]) -> float:
        if not references:
            return 0.0
        if self.variant == "big_vision":
            return min(1.0, references.count(prediction) / 3)
        matches = references.count(normalize_vizwiz(prediction))
        return leave_one_out(matches, len(references), matches)


def normalize_vizwiz(text: str) -> str:
    """An answer as the VizWiz evaluation compares it with the references.

    >>> normalize_vizwiz("I dont know."), normalize_vizwiz("Two cants")
    ('i don’t know', '2 cants')
    """
    return normalize_answer(text.replace("\n", " ").replace("\t", " ").strip(), table="vizwiz_contractions")
