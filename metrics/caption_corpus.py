"""What the caption metrics share: a corpus tokenized as the official wrapper would, and statistics looked up in it."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evalsuite.errors import ScoringError
from evalsuite.metrics.base import Array, Metric
from evalsuite.metrics.ngrams import Integers, NgramCounts, ngram_counts
from evalsuite.metrics.ptb_tokenizer import tokenize_corpus

HIGHEST_ORDER = 4

_Example = tuple[str, tuple[str, ...]]


class Matches(NamedTuple):
    """n-grams of one order in references and predictions, and which of them meet.

    meets: for every entry of ``references`` the place of the same n-gram in the prediction for the same image, or -1.
    """

    references: NgramCounts
    predictions: NgramCounts
    meets: Integers


class CaptionCorpus:
    """Captions of a whole data set, in its order.

    predictions: tokens of one caption per image, joined by spaces. references: tokens of every reference, image after
    image. image: the image of every reference.
    """

    def __init__(self, examples: tuple[_Example, ...], tokenize: bool) -> None:
        self.examples = examples
        raw = [reference for _, references in examples for reference in references]
        answers = [prediction for prediction, _ in examples]
        # Two calls of the official tokenizer: what stands at the end of one line depends on the next line.
        self.references = tokenize_corpus(raw) if tokenize else raw
        self.predictions = tokenize_corpus(answers) if tokenize else answers
        self.references_per_image = np.array([len(references) for _, references in examples], dtype=np.int64)
        self.image = np.repeat(np.arange(len(examples), dtype=np.int64), self.references_per_image)

    @cached_property
    def _words(self) -> list[list[str]]:
        """Words of every reference, then of every prediction, split at any white space."""
        return [sentence.split() for sentence in [*self.references, *self.predictions]]

    @cached_property
    def prediction_words(self) -> Integers:
        """Words of every prediction."""
        return self._lengths[len(self.references) :]

    @cached_property
    def reference_words(self) -> Integers:
        """Words of every reference."""
        return self._lengths[: len(self.references)]

    @cached_property
    def _lengths(self) -> Integers:
        return np.array([len(words) for words in self._words], dtype=np.int64)

    @cached_property
    def matches(self) -> list[Matches]:
        """n-grams of orders 1 to 4."""
        sentences = len(self.references)
        return [_match(counts, sentences, self.image) for counts in self._ngrams()]

    def _ngrams(self) -> list[NgramCounts]:
        return list(ngram_counts(self._words, HIGHEST_ORDER))

    @cached_property
    def _places(self) -> dict[_Example, list[int]]:
        places: dict[_Example, list[int]] = {}
        for place, example in enumerate(self.examples):
            places.setdefault(example, []).append(place)
        return places

    def find(self, examples: tuple[_Example, ...]) -> NDArray[np.intp]:
        """Places of examples in the corpus; equal examples are told apart by their neighbours.

        Raises ScoringError for an example that is not in the corpus.
        """
        if examples == self.examples:
            return np.arange(len(examples))
        missing = next((example for example in examples if example not in self._places), None)
        if missing is not None:
            raise ScoringError(
                f"no example with the prediction {missing[0]!r} and these references was in the corpus that the metric "
                "was prepared for: prepare it again with the whole corpus"
            )
        for first in self._places[examples[0]] if examples else []:
            if self.examples[first : first + len(examples)] == examples:
                return np.arange(first, first + len(examples))
        return np.array([self._places[example][0] for example in examples], dtype=np.intp)


def _match(counts: NgramCounts, reference_count: int, image: Integers) -> Matches:
    cut = int(np.searchsorted(counts.sentence, reference_count))
    references = NgramCounts(counts.sentence[:cut], counts.ngram[:cut], counts.counts[:cut], counts.vocabulary)
    predictions = NgramCounts(
        counts.sentence[cut:] - reference_count, counts.ngram[cut:], counts.counts[cut:], counts.vocabulary
    )
    if not len(predictions.ngram):
        return Matches(references, predictions, np.full(cut, -1, dtype=np.int64))
    wanted = references.keys(image)
    present = predictions.sentence * counts.vocabulary + predictions.ngram
    place = np.minimum(np.searchsorted(present, wanted), len(present) - 1)
    return Matches(references, predictions, np.where(present[place] == wanted, place, -1))


@lru_cache(maxsize=2)
def caption_corpus(examples: tuple[_Example, ...], tokenize: bool) -> CaptionCorpus:
    """The corpus of these examples; metrics that score the same one share it."""
    return CaptionCorpus(examples, tokenize)


@dataclass(frozen=True)
class CaptionMetric(Metric):
    """A metric over captions. ``prepare`` computes the statistics of the whole corpus, the rest looks them up.

    tokenize: apply the official tokenizer; False: take the texts as they are, split at spaces.
    """

    needs_corpus: ClassVar[bool] = True

    tokenize: bool = True
    _corpus: CaptionCorpus | None = field(default=None, repr=False, compare=False)
    _rows: Array | None = field(default=None, repr=False, compare=False)

    @abstractmethod
    def corpus_statistics(self, corpus: CaptionCorpus) -> Array:
        """Statistics of all examples of a corpus. Shape (images, k)."""

    def prepare(self, predictions: Sequence[str], references: Sequence[Sequence[Any]]) -> CaptionMetric:
        corpus = caption_corpus(_examples(predictions, references), self.tokenize)
        return dataclasses.replace(self, _corpus=corpus, _rows=self.corpus_statistics(corpus))

    def statistics(self, prediction: str, references: Sequence[Any]) -> Array:
        row: Array = self.batch_statistics([prediction], [references])[0]
        return row

    def batch_statistics(self, predictions: Sequence[str], references: Sequence[Sequence[Any]]) -> Array:
        if self._corpus is None or self._rows is None:
            raise ScoringError(f"metric {self.name} depends on the whole corpus: call prepare or score first")
        rows: Array = self._rows[self._corpus.find(_examples(predictions, references))]
        return rows


def _examples(predictions: Sequence[str], references: Sequence[Sequence[Any]]) -> tuple[_Example, ...]:
    return tuple(zip(predictions, map(tuple, references), strict=True))
