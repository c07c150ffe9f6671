"""Accuracy of pairs that count only when both answers are right: MMVP. Also groups of any size (NLVR2 consistency)."""

from __future__ import annotations

import dataclasses
import re
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

import numpy as np

from evalsuite.errors import ScoringError, UnknownName
from evalsuite.metrics.answers.shared_verdicts import content, shares
from evalsuite.metrics.base import Array, Flags, Metric, Value, ratio


class _Group(NamedTuple):
    complete: bool
    right: bool


@dataclass(frozen=True)
class PairedAccuracy(Metric):
    """Share of pairs whose answers are all right. In [0, 1]; printed in percent.

    Tong et al. 2024 (MMVP), https://arxiv.org/abs/2401.06209. References: one dict with ``answer``, a text or a list of
    texts that are right, and ``pair``, the same for both questions of a pair; or ``index``, the number of the question
    from 1, where questions 1 and 2, 3 and 4, ... are pairs.

    ``accuracy`` is over single questions. ``incomplete`` is the share of questions in groups of another size than
    ``group_size``; these count in no pair, as the official script drops a last odd line.

    match: how an answer is judged; the matching behind PaliGemma's number is not published.

    - ``text``: equal to a right answer, but for case and white space around it.
    - ``letter``: the first a or b that looks like a choice (``(b)``, ``answer is B``, ``option b``, ``B, not A`` is A),
      as lmms-eval reads it; right answers are letters, bare or in parentheses.
    - ``judged``: answers are the replies of a judge, as in the official script, and ``yes`` of any case is right.

    group_size: 2; 0 takes groups of any size, which makes this the consistency of NLVR2.

    The first question of a pair in data set order carries the pair's verdict, so that the bootstrap resamples pairs (a
    question drawn without its partner still stands for both). A stratum has the pairs whose first question is in it.
    Statistics: (pair right, pair, right, incomplete, 1).

    >>> references = [[{"answer": "Left", "pair": 1}], [{"answer": "Right", "pair": 1}]]
    >>> PairedAccuracy().score(["left", "left"], references)
    {'pair_accuracy': 0.0, 'accuracy': 0.5, 'incomplete': 0.0}
    """

    name: ClassVar[str] = "paired_accuracy"
    values: ClassVar[tuple[Value, ...]] = (
        Value("pair_accuracy"),
        Value("accuracy"),
        Value("incomplete", higher_is_better=False),
    )
    needs_corpus: ClassVar[bool] = True
    source: ClassVar[str] = "https://arxiv.org/abs/2401.06209"

    match: str = "text"
    group_size: int = 2
    _groups: Mapping[Hashable, _Group] = field(default_factory=dict, compare=False, repr=False)
    _shares: Mapping[tuple[Hashable, Hashable], float] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.match not in _MATCHES:
            raise UnknownName("match of metric paired_accuracy", self.match, _MATCHES)
        if self.group_size < 0:
            raise ValueError(f"group_size is a number of questions, or 0 for any, not {self.group_size}")

    def prepare(self, predictions: Sequence[str], references: Sequence[Sequence[Any]]) -> PairedAccuracy:
        verdicts: dict[Hashable, list[bool]] = defaultdict(list)
        for prediction, group in zip(predictions, references, strict=True):
            reference = _reference(group)
            verdicts[_pair(reference)].append(self._right(prediction, reference))
        groups = {
            pair: _Group(complete=not self.group_size or len(all_of) == self.group_size, right=all(all_of))
            for pair, all_of in verdicts.items()
        }
        members = ((_pair(reference), content(reference)) for reference in map(_reference, references))
        return dataclasses.replace(self, _groups=groups, _shares=shares(members))

    def statistics(self, prediction: str, references: Sequence[Any]) -> Array:
        reference = _reference(references)
        pair = _pair(reference)
        group = self._groups.get(pair)
        if group is None:
            raise ScoringError(f"paired_accuracy has not seen pair {pair!r}: prepare it with the whole corpus first")
        share = self._shares.get((pair, content(reference)), 0.0) * group.complete
        return np.array([share * group.right, share, self._right(prediction, reference), not group.complete, 1.0])

    def unread(
        self, predictions: Sequence[str], references: Sequence[Sequence[Any]], statistics: Array
    ) -> Flags | None:
        """Under ``letter`` answers without an a or b, under ``judged`` replies other than yes and no."""
        if self.match == "text":
            return None
        if self.match == "judged":
            return np.asarray([text.lower() not in ("yes", "no") for text in predictions], bool)
        return np.asarray([choice_letter(text) is None for text in predictions], bool)

    def finalize(self, total: Array) -> dict[str, Array]:
        pairs_right, pairs, right, incomplete, count = np.moveaxis(total, -1, 0)
        return {
            "pair_accuracy": ratio(pairs_right, pairs, empty=0.0),
            "accuracy": ratio(right, count),
            "incomplete": ratio(incomplete, count),
        }

    def _right(self, prediction: str, reference: Mapping[str, Any]) -> bool:
        answers = reference["answer"]
        accepted = [answers] if isinstance(answers, str) else list(answers)
        return any(_MATCHES[self.match](prediction, answer) for answer in accepted)


def choice_letter(text: str) -> str | None:
    """The choice, a or b, that an answer names, by the first of five patterns that is found, or by its first character.

    >>> choice_letter("(b) Closed"), choice_letter("I think it is A"), choice_letter("Because"), choice_letter("open")
    ('b', 'a', 'b', None)
    """
    text = text.strip().lower()
    for pattern in _LETTERS:
        if match := pattern.search(text):
            return match[1]
    return text[0] if text[:1] in ("a", "b") else None


_CHOICE = r"\(?([ab])\)?"
_LETTERS = [
    re.compile(pattern)
    for pattern in (
        rf"^{_CHOICE}\.?$",
        rf"^{_CHOICE}[.\s]",
        rf"answer\s+is\s+{_CHOICE}",
        rf"option\s+{_CHOICE}",
        rf"{_CHOICE}(?:\s|$)",  # even the last letter of a word
    )
]


def _same_text(prediction: str, answer: str) -> bool:
    return prediction.strip().lower() == answer.strip().lower()


def _same_letter(prediction: str, answer: str) -> bool:
    wanted = answer.strip().lower()
    letter = next((letter for letter in "ab" if wanted == letter or f"({letter})" in wanted), wanted)
    return choice_letter(prediction) == letter


def _judged_right(prediction: str, answer: str) -> bool:
    return prediction.lower() == "yes"


_MATCHES = {"text": _same_text, "letter": _same_letter, "judged": _judged_right}


def _reference(references: Sequence[Any]) -> Mapping[str, Any]:
    if len(references) == 1 and isinstance(references[0], Mapping):
        reference: Mapping[str, Any] = references[0]
        if "answer" in reference and ("pair" in reference or "index" in reference):
            return reference
    raise ScoringError(
        f"paired_accuracy needs one reference with 'answer' and 'pair' (or 'index'), not {str(list(references))[:200]}"
    )


def _pair(reference: Mapping[str, Any]) -> Hashable:
    if "pair" in reference:
        return str(reference["pair"])
    return (int(reference["index"]) - 1) // 2
