"""n-gram counts of many sentences at once, as arrays."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from evalsuite.metrics.captions.pieces import Integers, Pieces


class NgramCounts(NamedTuple):
    """How often each n-gram of one order occurs in each sentence; sorted by sentence, then by n-gram.

    sentence, ngram, counts: shape (entries,). ``ngram`` numbers the different n-grams from 0 to ``vocabulary`` - 1.
    """

    sentence: Integers
    ngram: Integers
    counts: Integers
    vocabulary: int

    def keys(self, group: Integers) -> Integers:
        """One number per entry for (group of the sentence, n-gram)."""
        return group[self.sentence] * self.vocabulary + self.ngram


def ngram_counts(words: Pieces, highest_order: int) -> Iterator[NgramCounts]:
    """Counts of the n-grams of orders 1, 2, ... ``highest_order``."""
    numbers, lengths, vocabulary = words.numbers, words.lengths, len(words.texts)
    sentence = np.repeat(np.arange(len(lengths), dtype=np.int64), lengths)
    place = np.arange(len(numbers), dtype=np.int64) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    remaining = lengths[sentence] - place  # words from here to the end of the sentence
    ngrams = numbers
    for order in range(1, highest_order + 1):
        starts = np.flatnonzero(remaining >= order)
        if order > 1:
            # The n-gram one word shorter is numbered already: a pair of numbers tells n-grams apart.
            pairs = ngrams[starts] * max(len(words.texts), 1) + numbers[starts + order - 1]
            different, numbered = np.unique(pairs, return_inverse=True)
            ngrams = np.zeros_like(numbers)
            ngrams[starts] = numbered
            vocabulary = len(different)
        yield _count(sentence[starts], ngrams[starts], vocabulary)


def _count(sentence: Integers, ngram: Integers, vocabulary: int) -> NgramCounts:
    size = max(vocabulary, 1)
    keys, counts = np.unique(sentence * size + ngram, return_counts=True)
    return NgramCounts(keys // size, keys % size, counts.astype(np.int64), size)
