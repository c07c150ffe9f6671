"""ScienceQA: the letter in "The answer is B." """

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from evalsuite.errors import ScoringError, UnknownName
from evalsuite.metrics.base import Array, Flags, Metric, Value, ratio

VARIANTS = ("big_vision", "official")
_START = re.compile(r"the answer is ([a-z])\.")
# The official pattern does not escape its full stop, which is any character but a line break.
_ANYWHERE = re.compile(r"The answer is ([A-Z]).")


@dataclass(frozen=True)
class ScienceQA(Metric):
    """Share of answers with the right letter, and of those without one. In [0, 1]; printed in percent.

    Lu et al. 2022, https://arxiv.org/abs/2209.09513. References: the answer as a sentence ("The answer is B."), or a
    dict with ``answer``, its place from 0, and for the official rule ``choices``, the choices or their number.

    variant:

    - ``big_vision`` (PaliGemma's numbers): the answer begins with "the answer is x." in any case. A reference sentence
      is read in the same way, so that one without a letter is matched by an answer without a letter.
    - ``official``: "The answer is X" and one more character, capitals as here, occur exactly once, anywhere. Where they
      do not, or X is beyond the choices, the official script answers with a random choice, so that its number changes
      from run to run; here such an answer is wrong.

    ``invalid`` counts the answers without a letter, under ``official`` also those beyond the choices.

    Source: https://github.com/lupantech/ScienceQA ``models/run_gpt3.py``, big_vision ``transfers/science_qa.py``.

    >>> ScienceQA().score(["The answer is B.", "B"], [["The answer is B."], [{"answer": 1}]])
    {'accuracy': 0.5, 'invalid': 0.5}
    """

    name: ClassVar[str] = "science_qa"
    values: ClassVar[tuple[Value, ...]] = (Value("accuracy"), Value("invalid", higher_is_better=False))
    source: ClassVar[str] = "https://arxiv.org/abs/2209.09513"

    variant: str = "big_vision"

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise UnknownName("variant of metric science_qa", self.variant, VARIANTS)

    def statistics(self, prediction: str, references: Sequence[str | Mapping[str, Any]]) -> Array:
        """(right, invalid, 1)."""
        if self.variant == "big_vision":
            letter = letter_at_start(prediction)
            right = any(letter == _gold_letter(reference) for reference in references)
            return np.array([right, letter is None, 1.0])
        letter = only_letter(prediction)
        place = None if letter is None else ord(letter) - ord("A")
        valid = place is not None and any(place < _number_of_choices(reference) for reference in references)
        right = valid and any(place == _gold_place(reference) for reference in references)
        return np.array([right, not valid, 1.0])

    def unread(self, predictions: Sequence[str], references: Sequence[Sequence[Any]], statistics: Array) -> Flags:
        """Answers without a letter, or under ``official`` with one beyond the choices."""
        return np.asarray(statistics[:, 1], bool)

    def finalize(self, total: Array) -> dict[str, Array]:
        right, invalid, count = np.moveaxis(total, -1, 0)
        return {"accuracy": ratio(right, count), "invalid": ratio(invalid, count)}


def letter_at_start(text: str) -> str | None:
    """The letter that big_vision reads, in lower case.

    >>> letter_at_start("THE ANSWER IS B. Because"), letter_at_start("So the answer is B.")
    ('b', None)
    """
    match = _START.match(text.lower())
    return match[1] if match else None


def only_letter(text: str) -> str | None:
    """The letter that the official script reads.

    >>> only_letter("So The answer is B."), only_letter("The answer is B"), only_letter("The answer is b.")
    ('B', None, None)
    """
    letters = _ANYWHERE.findall(text.strip())
    return letters[0] if len(letters) == 1 else None


def _gold_letter(reference: str | Mapping[str, Any]) -> str | None:
    return letter_at_start(reference) if isinstance(reference, str) else chr(ord("a") + _gold_place(reference))


def _gold_place(reference: str | Mapping[str, Any]) -> int:
    if isinstance(reference, str):
        letter = letter_at_start(reference)
        return ord(letter) - ord("a") if letter else -1
    if "answer" not in reference:
        raise ScoringError(f"science_qa: a reference must be a text or have 'answer', not {sorted(reference)}")
    return int(reference["answer"])


def _number_of_choices(reference: str | Mapping[str, Any]) -> int:
    choices = 26 if isinstance(reference, str) else reference.get("choices", 26)
    return choices if isinstance(choices, int) else len(choices)
