"""VQA accuracy: agreement with ten human answers, after the normalisation of the official VQA evaluation.

Rules: https://github.com/GT-Vision-Lab/VQA (VQA v2), https://github.com/facebookresearch/mmf (TextVQA, "m4c"),
big_vision ``evaluators/proj/paligemma/transfers/vqav2.py``. Their quirks are kept, because published numbers have them.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any, ClassVar

from evalsuite.errors import UnknownName
from evalsuite.metrics.base import MeanMetric, Value

PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
OFFICIAL_PERIODS = 32
"""The official script passes ``re.UNICODE``, which is 32, where ``re.sub`` takes the largest number of replacements."""

_LONGEST_CACHED = 200
_PUNCTUATION = re.compile(f"[{re.escape(PUNCTUATION)}]")
_DELETE_ALL = str.maketrans("", "", PUNCTUATION)
_DIGIT_COMMA = re.compile(r"\d,\d")
# The official look-behind for a digit has a typo and never holds back a match; only the look-ahead works.
_PERIOD = re.compile(r"\.(?!\d)")
_ARTICLES = frozenset({"a", "an", "the"})
_NUMBERS = {"none": "0"} | {
    word: str(n)
    for n, word in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"])
}


def normalize_answer(text: str, *, max_periods: int = OFFICIAL_PERIODS, table: str = "vqa_contractions") -> str:
    """An answer as the VQA v2 evaluation compares it; with table ``vizwiz_contractions`` as the VizWiz one does.

    Punctuation next to a space is deleted, other punctuation becomes a space; one number such as ``1,000`` anywhere
    makes all of it be deleted. Periods not followed by a digit go (the first ``max_periods``; 0 means all). Then lower
    case, number words up to ten to digits, articles dropped, apostrophes of contractions restored.

    >>> normalize_answer("The T-shirt costs 1,000 dollars, dont ask!")
    "tshirt costs 1000 dollars don't ask"
    """
    return _normal(text, max_periods, table)


@lru_cache(maxsize=1 << 16)
def _normalize(text: str, max_periods: int, table: str = "vqa_contractions") -> str:
    text = _PERIOD.sub("", _without_punctuation(text), count=max_periods)
    words = (_NUMBERS.get(word, word) for word in text.lower().split())
    contractions = _contractions(table)
    return " ".join(contractions.get(word, word) for word in words if word not in _ARTICLES)


def _without_punctuation(text: str) -> str:
    marks = set(_PUNCTUATION.findall(text))
    if not marks:
        return text
    if _DIGIT_COMMA.search(text):
        return text.translate(_DELETE_ALL)
    # Whether a mark touches a space is asked of the text as it came in, so the order of the marks does not matter.
    return text.translate({ord(m): "" if f"{m} " in text or f" {m}" in text else " " for m in marks})


@cache
def _contractions(table: str) -> dict[str, str]:
    """Words without their apostrophe -> with it, from an official table (lower-case keys; others never match)."""
    contractions: dict[str, str] = json.loads(
        (resources.files("evalsuite.metrics") / "answers" / "lexicons" / f"{table}.json").read_text(encoding="utf-8")
    )
    return contractions


def _normal(text: str, max_periods: int, table: str = "vqa_contractions") -> str:
    """Common answers are looked up; long texts would only fill the memory."""
    return (_normalize if len(text) <= _LONGEST_CACHED else _normalize.__wrapped__)(text, max_periods, table)


def _stripped(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()


def normalize_textvqa(text: str) -> str:
    """An answer as the TextVQA evaluation compares it.

    >>> normalize_textvqa("The dog's"), normalize_textvqa("1,000?")
    ("dog 's", '1000')
    """
    text = text.lower().replace(",", "").replace("?", "").replace("'s", " 's")
    return normalize_answer(text.strip().replace("\n", " ").replace("\t", " "))


def leave_one_out(matches: int, left_out: int, left_out_matches: int) -> float:
    """Mean of min(1, matches among the others / 3) over ``left_out`` answers, of which ``left_out_matches`` match."""
    with_match_gone = left_out_matches * min(1.0, (matches - 1) / 3)
    return (with_match_gone + (left_out - left_out_matches) * min(1.0, matches / 3)) / left_out


@dataclass(frozen=True)
class VqaV2(MeanMetric):
    """VQA accuracy of Antol et al. 2015 as the VQA v2 evaluation computes it. In [0, 1]; printed in percent.

    Answer and references are normalised only when the references differ from each other; otherwise they are compared
    as typed. The score is the mean over the references of min(1, equal answers among the other references / 3).

    References: the human answers, as text, or as the annotation's dicts (``answer``, ``answer_id``,
    ``answer_confidence``), of which the official script leaves out all that are equal together.

    variant: ``official`` drops at most 32 periods from an answer and takes any number of references. ``big_vision``
    (PaliGemma's numbers) drops all periods and leaves out each of the first ten references; where it breaks, with
    fewer than ten references, the score is 0.

    Source: https://github.com/GT-Vision-Lab/VQA, big_vision ``transfers/vqav2.py``.

    >>> VqaV2().example("T-shirt", ["t shirt"] * 3 + ["shirt"] * 7)
    0.9
    """

    name: ClassVar[str] = "vqa_v2"
    values: ClassVar[tuple[Value, ...]] = (Value("vqa_accuracy"),)
    source: ClassVar[str] = "https://github.com/GT-Vision-Lab/VQA"

    variant: str = "big_vision"

    def __post_init__(self) -> None:
        if self.variant not in ("big_vision", "official"):
            raise UnknownName(f"variant of metric {self.name}", self.variant, ["big_vision", "official"])

    def example(self, prediction: str, references: Sequence[str | Mapping[str, Any]]) -> float:
        answers = [r if isinstance(r, str) else str(r["answer"]) for r in references]
        if not answers or (self.variant == "big_vision" and len(answers) < 10):
            return 0.0
        answer, forms = _stripped(prediction), {text: _stripped(text) for text in set(answers)}
        if len(set(forms.values())) > 1:
            periods = OFFICIAL_PERIODS if self.variant == "official" else 0
            answer, forms = _normal(answer, periods), {text: _normal(form, periods) for text, form in forms.items()}
        equal = [text for text, form in forms.items() if form == answer]
        matches = sum(map(answers.count, equal))
        if self.variant == "big_vision":
            return leave_one_out(matches, 10, sum(map(answers[:10].count, equal)))
        if isinstance(references[0], str):
            return leave_one_out(matches, len(answers), matches)
        return _leave_equal_out(answer, [forms[text] for text in answers], references, matches)


def _leave_equal_out(answer: str, answers: Sequence[str], annotations: Sequence[Any], matches: int) -> float:
    """As ``leave_one_out`` over all annotations, but one equal in answer, id and confidence leaves together."""
    keys = [(a, r.get("answer_id"), r.get("answer_confidence")) for a, r in zip(answers, annotations, strict=True)]
    equal = Counter(keys)
    others = (matches - (equal[key] if key[0] == answer else 0) for key in keys)
    return sum(min(1.0, n / 3) for n in others) / len(keys)


@dataclass(frozen=True)
class TextVqa(MeanMetric):
    """VQA accuracy as the TextVQA evaluation (mmf, "m4c") computes it. In [0, 1]; printed in percent.

    Answer and references are always normalised, commas and question marks deleted and ``'s`` split off first. There
    must be ten references; the official script stops otherwise, here the example scores 0. PaliGemma's TextVQA numbers
    use ``vqa_v2`` instead, which is stricter where all ten references agree.

    Source: https://github.com/facebookresearch/mmf ``mmf/utils/m4c_evaluators.py``.

    >>> TextVqa().example("Dog.", ["dog"] * 10)
    1.0
    """

    name: ClassVar[str] = "textvqa"
    values: ClassVar[tuple[Value, ...]] = (Value("textvqa_accuracy"),)
    source: ClassVar[str] = "https://github.com/facebookresearch/mmf"

    def example(self, prediction: str, references: Sequence[str]) -> float:
        if len(references) != 10:
            return 0.0
        answer = normalize_textvqa(prediction)
        matches = sum(references.count(text) for text in set(references) if normalize_textvqa(text) == answer)
        return leave_one_out(matches, 10, matches)
