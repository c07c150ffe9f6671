"""BLEU-1 to BLEU-4 of image captions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evalsuite.metrics.base import Array, Value
from evalsuite.metrics.captions.corpus import HIGHEST_ORDER, CaptionCorpus, CaptionMetric, Matches

# Added by the official program so that nothing is divided by zero: an exact match scores a little less than 1.
TINY, SMALL = 1e-15, 1e-9


@dataclass(frozen=True)
class Bleu(CaptionMetric):
    """Geometric mean of n-gram precisions over the corpus, punished when it is too short. In [0, 1]; in percent.

    Papineni et al. 2002, https://aclanthology.org/P02-1040, as computed by coco-caption (``pycocoevalcap.bleu``):
    counts are clipped to the largest count in one reference; the reference nearest in length counts, of two the
    shorter one.

    Statistics, shape (10,): clipped counts of orders 1 to 4, n-grams of orders 1 to 4 in the prediction, words of the
    prediction, words of the nearest reference. They add up; a corpus scores otherwise than the mean of its sentences.
    """

    name: ClassVar[str] = "bleu"
    values: ClassVar[tuple[Value, ...]] = tuple(Value(f"bleu_{order}") for order in range(1, HIGHEST_ORDER + 1))
    source: ClassVar[str] = "https://aclanthology.org/P02-1040"

    def corpus_statistics(self, corpus: CaptionCorpus) -> Array:
        words = corpus.prediction_words
        clipped = [_clipped(matches, len(words)) for matches in corpus.matches]
        guesses = [np.maximum(words - order, 0) for order in range(HIGHEST_ORDER)]
        return np.column_stack([*clipped, *guesses, words, _nearest_lengths(corpus)]).astype(np.float64)

    def finalize(self, total: Array) -> dict[str, Array]:
        correct, guesses = total[..., :HIGHEST_ORDER], total[..., HIGHEST_ORDER:-2]
        length = (total[..., -2] + TINY) / (total[..., -1] + SMALL)
        # Where the prediction is not shorter the exponent is 0; the floor keeps exp(-inf) from warning.
        brevity = np.exp(np.minimum(1 - 1 / np.maximum(length, TINY), 0.0))
        product = np.cumprod((correct + TINY) / (guesses + SMALL), axis=-1)
        values: dict[str, Array] = {}
        for order in range(1, HIGHEST_ORDER + 1):
            values[f"bleu_{order}"] = np.asarray(product[..., order - 1] ** (1 / order) * brevity, np.float64)
        return values


def _clipped(matches: Matches, images: int) -> Array:
    """n-grams of each prediction that a reference has, at most as often as it has them. Shape (images,)."""
    references, predictions, meets = matches
    most = np.zeros(len(predictions.counts), dtype=np.int64)
    met = meets >= 0
    np.maximum.at(most, meets[met], references.counts[met])
    clipped = np.minimum(most, predictions.counts)
    return np.bincount(predictions.sentence, weights=clipped, minlength=images).astype(np.float64)


def _nearest_lengths(corpus: CaptionCorpus) -> Array:
    """Words of the reference nearest in length, the shorter of two; 0 without references. Shape (images,)."""
    lengths = corpus.reference_words
    order = np.lexsort((lengths, np.abs(lengths - corpus.prediction_words[corpus.image]), corpus.image))
    images, first = np.unique(corpus.image[order], return_index=True)
    nearest = np.zeros(corpus.images)
    nearest[images] = lengths[order][first]
    return nearest
