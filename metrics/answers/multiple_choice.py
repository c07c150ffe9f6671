"""Accuracy of multiple choice: A-OKVQA, AI2D, NExT-QA and others that offer texts to choose from."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from evalsuite.errors import ScoringError, UnknownName
from evalsuite.metrics.base import Array, Flags, Metric, Value, ratio

ACCEPTED = ("text", "letter", "either")
_LETTER = re.compile(r"\(?([a-z])\)?[.:)]?", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True)
class MultipleChoice(Metric):
    """Share of answers that name the right choice, and of those that name none. In [0, 1]; printed in percent.

    References: one dict with ``choices``, a list of texts, and ``answer``, the index of the right one or its text.

    accept: ``text``, the choice word for word; ``letter``, its letter alone (``B``, ``b``, ``(B)``, ``B.``);
    ``either``, the text or else the letter. ignore_case, strip: forgiven in texts.

    The default is the official evaluation of A-OKVQA with ``strict=False``, and big_vision's. With ``strict=True`` the
    official script stops at an answer that is no choice; its number exists only where ``invalid`` is 0, and is then the
    same. Invalid answers are wrong.

    Source: https://github.com/allenai/aokvqa ``evaluation/eval_predictions.py``, big_vision
    ``evaluators/proj/paligemma/transfers/vqa.py``.

    >>> reference = {"choices": ["bus", "train"], "answer": 1}
    >>> MultipleChoice(accept="either").score(["train", "(b)", "a car"], [[reference]] * 3)
    {'accuracy': 0.6666666666666666, 'invalid': 0.3333333333333333}
    """

    name: ClassVar[str] = "multiple_choice"
    values: ClassVar[tuple[Value, ...]] = (Value("accuracy"), Value("invalid", higher_is_better=False))
    source: ClassVar[str] = "https://github.com/allenai/aokvqa"

    accept: str = "text"
    ignore_case: bool = False
    strip: bool = False

    def __post_init__(self) -> None:
        if self.accept not in ACCEPTED:
            raise UnknownName("form of answers to metric multiple_choice", self.accept, ACCEPTED)

    def statistics(self, prediction: str, references: Sequence[Mapping[str, Any]]) -> Array:
        """(right, invalid, 1). Raises ScoringError for a reference that is not as described above."""
        choices, right = _choices(references)
        named = self._named(prediction, choices)
        return np.array([right in named, not named, 1.0])

    def unread(self, predictions: Sequence[str], references: Sequence[Sequence[Any]], statistics: Array) -> Flags:
        """Answers that name no choice."""
        return np.asarray(statistics[:, 1], bool)

    def finalize(self, total: Array) -> dict[str, Array]:
        right, invalid, count = np.moveaxis(total, -1, 0)
        return {"accuracy": ratio(right, count), "invalid": ratio(invalid, count)}

    def _named(self, prediction: str, choices: Sequence[str]) -> set[int]:
        """Places of the choices that an answer names: several where two have the same text."""
        named = set()
        if self.accept != "letter":
            answer = self._form(prediction)
            named = {place for place, choice in enumerate(choices) if self._form(choice) == answer}
        if not named and self.accept != "text":
            letter = _LETTER.fullmatch(prediction.strip())
            place = ord(letter[1].lower()) - ord("a") if letter else len(choices)
            named = {place} if place < len(choices) else set()
        return named

    def _form(self, text: str) -> str:
        if self.strip:
            text = text.strip()
        return text.lower() if self.ignore_case else text


def _choices(references: Sequence[Mapping[str, Any]]) -> tuple[Sequence[str], int]:
    """The choices and the place of the right one."""
    match references:
        case [{"choices": [*choices], "answer": int(place)}] if 0 <= place < len(choices):
            return choices, place
        case [{"choices": [*choices], "answer": str(text)}] if text in choices:
            return choices, choices.index(text)
        case [{"choices": [*choices], "answer": str(digits)}] if digits.isdecimal() and int(digits) < len(choices):
            return choices, int(digits)
    raise ScoringError(
        "multiple_choice needs one reference with 'choices', a list, and 'answer', one of them or its place, "
        f"not {str(list(references))[:200]}"
    )
