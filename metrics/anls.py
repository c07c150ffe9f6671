"""Average normalised Levenshtein similarity (ANLS) of DocVQA, InfographicVQA and ST-VQA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from rapidfuzz.distance import Levenshtein

from evalsuite.errors import UnknownName
from evalsuite.metrics.base import MeanMetric, Value


@dataclass(frozen=True)
class ANLS(MeanMetric):
    """Best similarity 1 - edits / length over the references, 0 where it is too small. In [0, 1]; printed in percent.

    Biten et al. 2019, equation 1, https://arxiv.org/abs/1905.13648. Edits and lengths count code points.

    threshold: the similarity that must be reached (``rrc``, ``mmf``) or exceeded (``big_vision``).
    variant:

    - ``big_vision``, PaliGemma's numbers: lower case, nothing else; an empty reference matches an empty answer only.
    - ``rrc``, the script of the Robust Reading Competition: lower case, white space collapsed; the length is that of
      the longer of the two texts as given, in upper case.
    - ``mmf``, ST-VQA: lower case, stripped. It divides by zero where answer and reference are both empty; here that
      pair has similarity 0.

    >>> ANLS().example("Paris 2019", ["paris 2018"])
    0.9
    """

    name: ClassVar[str] = "anls"
    values: ClassVar[tuple[Value, ...]] = (Value("anls"),)
    source: ClassVar[str] = "https://arxiv.org/abs/1905.13648"

    variant: str = "big_vision"
    threshold: float = 0.5

    def __post_init__(self) -> None:
        if self.variant not in _SIMILARITY:
            raise UnknownName("variant of metric anls", self.variant, _SIMILARITY)
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold is a similarity from 0 to 1, not {self.threshold}")

    def example(self, prediction: str, references: Sequence[str]) -> float:
        similarity = _SIMILARITY[self.variant]
        best = max((similarity(prediction, reference) for reference in references), default=0.0)
        if self.variant == "big_vision":
            return best if best > self.threshold else 0.0
        return best if best >= self.threshold else 0.0


def _big_vision(prediction: str, reference: str) -> float:
    prediction, reference = prediction.lower(), reference.lower()
    if not reference:
        return float(not prediction)
    return 1 - Levenshtein.distance(prediction, reference) / max(len(prediction), len(reference))


def _rrc(prediction: str, reference: str) -> float:
    length = max(len(prediction.upper()), len(reference.upper()))
    if not length:
        return 1.0
    return 1 - Levenshtein.distance(_collapsed(prediction), _collapsed(reference)) / length


def _collapsed(text: str) -> str:
    return " ".join(text.lower().split())


def _mmf(prediction: str, reference: str) -> float:
    prediction, reference = prediction.lower().strip(), reference.lower().strip()
    length = max(len(prediction), len(reference))
    return 1 - Levenshtein.distance(prediction, reference) / length if length else 0.0


_SIMILARITY = {"big_vision": _big_vision, "rrc": _rrc, "mmf": _mmf}
