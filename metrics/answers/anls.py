"""Average normalised Levenshtein similarity (ANLS) of DocVQA, InfographicVQA and ST-VQA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import Levenshtein
from rapidfuzz.process import cpdist

from evalsuite.errors import UnknownName
from evalsuite.metrics.base import Array, MeanMetric, Value


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
        if self.variant not in _FORMS:
            raise UnknownName("variant of metric anls", self.variant, _FORMS)
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold is a similarity from 0 to 1, not {self.threshold}")

    def example(self, prediction: str, references: Sequence[str]) -> float:
        return float(self.batch_statistics([prediction], [references])[0, 0])

    def batch_statistics(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Array:
        scores = np.zeros(len(predictions))
        counts = np.array([len(group) for group in references], dtype=np.int64)
        if counts.any():
            # Every reference beside its prediction: the edit distances of a whole batch are one call.
            similarity = self._similarities(
                [text for group in references for text in group],
                list(predictions),
                np.repeat(np.arange(len(counts)), counts),
            )
            scores[counts > 0] = np.maximum.reduceat(similarity, (np.cumsum(counts) - counts)[counts > 0])
        kept = scores > self.threshold if self.variant == "big_vision" else scores >= self.threshold
        return np.column_stack([np.where(kept, scores, 0.0), np.ones(len(scores))])

    def _similarities(self, references: list[str], predictions: list[str], owner: NDArray[np.intp]) -> Array:
        """1 - edits / length of each reference and the prediction at its place ``owner``."""
        form, measured = _FORMS[self.variant]
        wanted, given = [form(text) for text in references], [form(text) for text in predictions]
        lengths, given_lengths = (
            np.array([len(measured(text)) for text in texts], dtype=np.int64) for texts in (references, predictions)
        )
        longer = np.maximum(lengths, given_lengths[owner])
        edits = cpdist(wanted, [given[place] for place in owner], scorer=Levenshtein.distance, dtype=np.int64)
        similarity = 1 - edits / np.maximum(longer, 1)
        if self.variant == "mmf":
            return np.where(longer == 0, 0.0, similarity)
        if self.variant == "big_vision":
            return np.where(lengths == 0, given_lengths[owner] == 0, similarity)
        return similarity


def _collapsed(text: str) -> str:
    return " ".join(text.lower().split())


def _lower_stripped(text: str) -> str:
    return text.lower().strip()


_FORMS: dict[str, tuple[Callable[[str], str], Callable[[str], str]]] = {
    "big_vision": (str.lower, str.lower),
    "rrc": (_collapsed, str.upper),
    "mmf": (_lower_stripped, _lower_stripped),
}
"""Variant -> the form that is compared, and the form whose length counts."""
