"""How long answers are: characters, words, sentences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from evalsuite.metrics.base import Array, Flags, Metric, Value, ratio

# End marks with closing quotes and brackets before white space; full-width marks anywhere; an empty line. The
# look-behind and the possessive repeats keep long runs of marks linear.
_END = re.compile(r"(?<![.!?…])[.!?…]++[\"'”’»)\]]*+(?=\s|\Z)|[。！？]++[”’」』）]*+|\n[^\S\n]*+\n")
_NEVER_LAST = frozenset(["mr", "mrs", "ms", "dr", "prof", "st", "mt", "e.g", "i.e", "cf", "vs", "approx", "fig", "vol"])
_MAY_BE_LAST = frozenset(["etc", "sr", "jr", "no", "inc", "ltd", "co", "corp", "dept", "est", "ave", "blvd", "ft"])


def split_sentences(text: str) -> list[str]:
    """Sentences of a text, stripped, in order.

    A sentence ends at a run of ``.!?…`` (with closing quotes or brackets) before white space or the end, at a run of
    full-width ``。！？`` and at an empty line. The period of a title or abbreviation such as ``Dr.`` or ``e.g.`` and of
    a single capital letter ends none; after those that may stand last, such as ``etc.``, a capital letter must follow.
    What has no letter or digit is no sentence; a text without an end mark is one.

    >>> split_sentences("Dr. A. Bell holds 2.5 kg, e.g. apples etc. in a bag. Who? He said \\"yes.\\"")
    ['Dr. A. Bell holds 2.5 kg, e.g. apples etc. in a bag.', 'Who?', 'He said "yes."']
    """
    sentences, start = [], 0
    for match in _END.finditer(text):
        if match.group() == "." and _is_inside(text, start, match.start()):
            continue
        sentences.append(text[start : match.end()].strip())
        start = match.end()
    sentences.append(text[start:].strip())
    return [sentence for sentence in sentences if any(map(str.isalnum, sentence))]


@dataclass(frozen=True)
class CaptionLength(Metric):
    """Mean length of the answers. References are not used.

    - ``characters``: code points, white space at both ends left out.
    - ``words``: what stands between white space.
    - ``sentences``: as :func:`split_sentences` cuts them.
    - ``empty``: share of answers without a sentence, in [0, 1], printed in percent. They count with their length.

    PaliGemma 2 (https://arxiv.org/abs/2412.03555, Table 6) reports characters and sentences of long captions on DOCCI;
    its sentence splitter is not published. No length is better than another as such.

    >>> CaptionLength().score(["A dog runs. It barks."], [[]])
    {'characters': 21.0, 'words': 5.0, 'sentences': 2.0, 'empty': 0.0}
    """

    name: ClassVar[str] = "caption_length"
    values: ClassVar[tuple[Value, ...]] = (
        Value("characters", unit="characters", scale=1.0, bounds=(0.0, None)),
        Value("words", unit="words", scale=1.0, bounds=(0.0, None)),
        Value("sentences", unit="sentences", scale=1.0, bounds=(0.0, None)),
        Value("empty", higher_is_better=False),
    )
    source: ClassVar[str] = "https://arxiv.org/abs/2412.03555"

    def statistics(self, prediction: str, references: Sequence[Any] = ()) -> Array:
        """(characters, words, sentences, empty, 1)."""
        sentences = len(split_sentences(prediction))
        return np.array([len(prediction.strip()), len(prediction.split()), sentences, sentences == 0, 1.0])

    def unread(self, predictions: Sequence[str], references: Sequence[Sequence[Any]], statistics: Array) -> Flags:
        """Answers without a sentence."""
        return np.asarray(statistics[:, 3], bool)

    def finalize(self, total: Array) -> dict[str, Array]:
        return {value.name: ratio(total[..., k], total[..., 4]) for k, value in enumerate(self.values)}


def _is_inside(text: str, start: int, period: int) -> bool:
    """Whether a lone period belongs to the word before it."""
    before = text[max(start, period - 10) : period]
    word = re.split(r"[\s(\[\"'“‘]", before)[-1]
    if len(word) == 1 and word.isupper() and word != "I":
        return True
    if word.lower() in _NEVER_LAST:
        return True
    following = text[period + 1 : period + 50].lstrip()[:1]
    return word.lower() in _MAY_BE_LAST and following != "" and not following.isupper()
