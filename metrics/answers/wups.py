"""WUPS: how close the words of two answers are in WordNet. Open-ended NExT-QA."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from evalsuite.errors import UsageError
from evalsuite.metrics.answers.wordnet import find_wordnet, load_wordnet, word_similarity
from evalsuite.metrics.base import Array, Metric, Value, ratio

THRESHOLDS = (0.0, 0.9)
BELOW_THRESHOLD = 0.1
EXACT_TYPES = frozenset({"DB", "DC"})
"""Question types of NExT-QA whose answers must be equal: yes or no (DB) and counts (DC)."""

_WORD = re.compile(r"\w+(?:['’.-]\w+)*")
_LONGEST_WORD = 100  # WordNet's longest entry has 71 letters
_FUNCTION_WORDS = (
    "a an the and or but of to in on at by for from with into onto over under up down out off as than then that this "
    "these those there here it its he she him her his hers they them their we us our you your i me my who which what "
    "is are was were be been being am do does did has have had will would can could shall should may might must so "
    "because while when where"
)


@dataclass(frozen=True)
class Wups(Metric):
    """Wu-Palmer similarity of answers as sets of words, without a threshold and at 0.9. In [0, 1]; printed in percent.

    Malinowski and Fritz 2014, https://arxiv.org/abs/1410.0210, as NExT-QA's official script for open-ended questions
    computes it: every word takes its most similar word of the other answer, words without any are passed over, the
    similarities are multiplied, and the smaller of both directions counts. A similarity below the threshold counts a
    tenth. Two words are as similar as their most frequent senses (``wup_similarity`` of NLTK), equal words 1, words
    that WordNet lacks 0. The best reference counts. An answer without words scores 0, unless it must be equal.

    References: texts, or dicts with ``answer`` and ``type``; answers to questions of type DB and DC must be equal.

    wordnet: folder with WordNet's database files (Debian's package wordnet-base, NLTK's corpus wordnet); empty looks in
    the usual places.
    stopwords: file of words that are dropped, one a line, such as ``stopwords.txt`` of the official repository, with
    which published numbers are made; empty takes a short list of English function words.
    lemmatize: compare base forms. The official script lets a tagger choose between a noun and a verb; here words on
    -ing and -ed are verbs where they can be, others the first of noun, verb, adjective and adverb that they can be. For
    the script's own base forms lemmatize elsewhere and switch this off.

    Source: https://github.com/doc-doc/NExT-OE ``eval_oe.py``, ``metrics.py``.
    """

    name: ClassVar[str] = "wups"
    values: ClassVar[tuple[Value, ...]] = (Value("wups_0.0"), Value("wups_0.9"))
    source: ClassVar[str] = "https://arxiv.org/abs/1410.0210"
    file_parameters: ClassVar[Mapping[str, tuple[str, ...]]] = {"wordnet": (), "stopwords": ()}

    wordnet: str = ""
    stopwords: str = ""
    lemmatize: bool = True

    def check(self) -> None:
        """Raises MissingDependency where WordNet is not found, UsageError where the list of stop words is not."""
        find_wordnet(self.wordnet)
        _stop_words(self.stopwords)

    def parameters(self) -> dict[str, Any]:
        """The folder of WordNet is no part of the signature, only that another than the usual was named."""
        shown = super().parameters()
        return {**shown, "wordnet": "given" if self.wordnet else "", "stopwords": Path(self.stopwords).name}

    def statistics(self, prediction: str, references: Sequence[str | Mapping[str, Any]]) -> Array:
        """(similarity without threshold, similarity at 0.9, 1)."""
        best = np.zeros(len(THRESHOLDS))
        folder = _folder(self.wordnet)
        ours = self._words(prediction, folder)
        for reference in references:
            kind = "" if isinstance(reference, str) else str(reference.get("type", ""))
            theirs = self._words(reference if isinstance(reference, str) else str(reference["answer"]), folder)
            if kind in EXACT_TYPES:
                scores = np.full(len(THRESHOLDS), float(ours == theirs))
            else:
                scores = np.array([_similarity(ours, theirs, folder, threshold) for threshold in THRESHOLDS])
            best = np.maximum(best, scores)
        return np.array([*best, 1.0])

    def finalize(self, total: Array) -> dict[str, Array]:
        return {value.name: ratio(total[..., i], total[..., -1]) for i, value in enumerate(self.values)}

    def _words(self, text: str, folder: Path) -> tuple[str, ...]:
        dropped = _stop_words(self.stopwords)
        words = [word[:_LONGEST_WORD] for word in _WORD.findall(text.lower()) if word not in dropped]
        if self.lemmatize:
            words = [_base_form(word, folder) for word in words]
        return tuple(word for word in words if word not in dropped)


def _similarity(one: Sequence[str], other: Sequence[str], folder: Path, threshold: float) -> float:
    return min(_one_way(one, other, folder, threshold), _one_way(other, one, folder, threshold))


def _one_way(words: Sequence[str], others: Sequence[str], folder: Path, threshold: float) -> float:
    """Product over words of the similarity to the nearest of the others, without those that have none."""
    distinct = set(others)
    product, found = 1.0, False
    for word in words:
        nearest = 1.0 if word in distinct else max((_scaled(word, o, folder, threshold) for o in distinct), default=0.0)
        if nearest:
            product, found = product * nearest, True
    return product if found else 0.0


def _scaled(one: str, other: str, folder: Path, threshold: float) -> float:
    similarity = word_similarity(folder, one, other)
    return similarity if similarity >= threshold else BELOW_THRESHOLD * similarity


@lru_cache(maxsize=1 << 16)
def _base_form(word: str, folder: Path) -> str:
    wordnet = load_wordnet(folder)
    for pos in "vnar" if word.endswith(("ing", "ed")) else "nvar":
        if forms := wordnet.base_forms(word, pos):
            # "feed" and "bring" are verbs as they stand; "dishes" is an entry, but meant as a form of "dish".
            return word if pos == "v" and word in forms else min(forms, key=len)
    return word


@cache
def _folder(wordnet: str) -> Path:
    return find_wordnet(wordnet)


@cache
def _stop_words(path: str) -> frozenset[str]:
    if not path:
        return frozenset(_FUNCTION_WORDS.split())
    try:
        return frozenset(Path(path).expanduser().read_text(encoding="utf-8").split("\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"metric wups: the list of stop words {path} cannot be read: {error}") from error
