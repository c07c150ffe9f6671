"""What the caption metrics share: a corpus tokenized as the official wrapper would, and statistics looked up in it."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import chain
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evalsuite.errors import ScoringError
from evalsuite.metrics.base import Array, Metric
from evalsuite.metrics.captions.ngrams import NgramCounts, ngram_counts
from evalsuite.metrics.captions.pieces import Integers, Pieces, joined, pieces_between_spaces
from evalsuite.metrics.captions.ptb_tokenizer import token_pieces

HIGHEST_ORDER = 4

Predictions = tuple[str, ...]
References = tuple[tuple[str, ...], ...]
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

    images: their number. image: the image of every reference. references_per_image: their number for every image.
    """

    def __init__(self, predictions: Predictions, references: References, tokenize: bool) -> None:
        self._given = predictions, references
        self._tokenize = tokenize
        self.images = len(predictions)
        self.references_per_image = np.array([len(group) for group in references], dtype=np.int64)
        self.image = np.repeat(np.arange(self.images, dtype=np.int64), self.references_per_image)

    @cached_property
    def _pieces(self) -> Pieces:
        predictions, references = self._given
        # Two calls of the official tokenizer: what stands at the end of one line depends on the next line.
        cut = token_pieces if self._tokenize else pieces_between_spaces
        return joined(cut(list(chain.from_iterable(references))), cut(predictions))

    @cached_property
    def _sentences(self) -> list[str]:
        return self._pieces.sentences()

    @property
    def references(self) -> list[str]:
        """Tokens of every reference joined by spaces, image after image."""
        return self._sentences[: len(self.image)]

    @property
    def predictions(self) -> list[str]:
        """Tokens of every prediction joined by spaces."""
        return self._sentences[len(self.image) :]

    @cached_property
    def words_between_spaces(self) -> Pieces:
        """Words of every reference, then of every prediction, split at single spaces."""
        return self._pieces.split_at_spaces()

    @cached_property
    def words(self) -> Pieces:
        """The same, split at any white space."""
        return self.words_between_spaces.split_at_white_space()

    @property
    def reference_words(self) -> Integers:
        """How many words every reference has."""
        return self.words.lengths[: len(self.image)]

    @property
    def prediction_words(self) -> Integers:
        """How many words every prediction has."""
        return self.words.lengths[len(self.image) :]

    @cached_property
    def matches(self) -> list[Matches]:
        """n-grams of orders 1 to 4."""
        return [_match(counts, self.image) for counts in ngram_counts(self.words, HIGHEST_ORDER)]

    @cached_property
    def _places(self) -> dict[_Example, list[int]]:
        places: dict[_Example, list[int]] = {}
        for place, example in enumerate(zip(*self._given, strict=True)):
            places.setdefault(example, []).append(place)
        return places

    def find(self, predictions: Predictions, references: References) -> NDArray[np.intp]:
        """Places of examples in the corpus; equal examples are told apart by their neighbours.

        Raises ScoringError for an example that is not in the corpus.
        """
        if (predictions, references) == self._given:
            return np.arange(len(predictions))
        examples = list(zip(predictions, references, strict=True))
        missing = next((example for example in examples if example not in self._places), None)
        if missing is not None:
            raise ScoringError(
                f"no example with the prediction {missing[0]!r} and these references was in the corpus that the metric "
                "was prepared for: prepare it again with the whole corpus"
            )
        for first in self._places[examples[0]] if examples else []:
            part = slice(first, first + len(examples))
            if (self._given[0][part], self._given[1][part]) == (predictions, references):
                return np.arange(first, first + len(examples))
        return np.array([self._places[example][0] for example in examples], dtype=np.intp)


def _match(counts: NgramCounts, image: Integers) -> Matches:
    reference_count = len(image)
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
def caption_corpus(predictions: Predictions, references: References, tokenize: bool) -> CaptionCorpus:
    """The corpus of these examples; metrics that score the same one share it."""
    return CaptionCorpus(predictions, references, tokenize)


@dataclass(frozen=True)
class CaptionMetric(Metric):
    """A metric over captions. Statistics of the whole corpus are computed when the first of them are asked for.

    tokenize: apply the official tokenizer; False: take the texts as they are, split at spaces.
    """

    needs_corpus: ClassVar[bool] = True

    tokenize: bool = True
    _corpus: CaptionCorpus | None = field(default=None, repr=False, compare=False)

    @abstractmethod
    def corpus_statistics(self, corpus: CaptionCorpus) -> Array:
        """Statistics of all examples of a corpus. Shape (images, k)."""

    def prepare(self, predictions: Sequence[str], references: Sequence[Sequence[Any]]) -> CaptionMetric:
        corpus = caption_corpus(*_examples(predictions, references), self.tokenize)
        return dataclasses.replace(self, _corpus=corpus)

    def statistics(self, prediction: str, references: Sequence[Any]) -> Array:
        row: Array = self.batch_statistics([prediction], [references])[0]
        return row

    def batch_statistics(self, predictions: Sequence[str], references: Sequence[Sequence[Any]]) -> Array:
        corpus, table = self._prepared
        rows: Array = table[corpus.find(*_examples(predictions, references))]
        return rows

    @cached_property
    def _prepared(self) -> tuple[CaptionCorpus, Array]:
        """The corpus and the statistics of all its examples."""
        if self._corpus is None:
            raise ScoringError(f"metric {self.name} depends on the whole corpus: call prepare or score first")
        return self._corpus, self.corpus_statistics(self._corpus)


def _examples(predictions: Sequence[str], references: Sequence[Sequence[Any]]) -> tuple[Predictions, References]:
    return tuple(predictions), tuple(map(tuple, references))
