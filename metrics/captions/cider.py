"""CIDEr-D, the consensus score of image captions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evalsuite.metrics.base import Array, Value, ratio
from evalsuite.metrics.captions.corpus import HIGHEST_ORDER, CaptionCorpus, CaptionMetric, Matches
from evalsuite.metrics.captions.ngrams import NgramCounts
from evalsuite.metrics.captions.pieces import Integers

LENGTH_SIGMA = 6.0


@dataclass(frozen=True)
class Cider(CaptionMetric):
    """Similarity of tf-idf weighted n-grams (n = 1 to 4), averaged over references. In [0, 10]; printed times 100.

    Vedantam et al. 2015, https://arxiv.org/abs/1411.5726, in the form CIDEr-D of coco-caption
    (``pycocoevalcap.cider``): weights of a prediction are clipped to those of the reference, and differing lengths are
    punished by a Gaussian.
    Document frequencies count the images of this corpus that have the n-gram in a reference, so a score belongs to its
    corpus: one image alone scores 0, and a part of a corpus scores otherwise than within the whole.

    A caption of less than four words cannot reach 10. An empty prediction, or an example without references, scores 0.
    Statistics are (score, 1).

    >>> score = Cider().score(["a red car", "two dogs run"], [["a red car parked"], ["two dogs run", "dogs"]])
    >>> round(100 * score["cider"], 2)
    516.22
    """

    name: ClassVar[str] = "cider"
    values: ClassVar[tuple[Value, ...]] = (Value("cider", unit="x100", scale=100.0, bounds=(0.0, 10.0)),)
    source: ClassVar[str] = "https://arxiv.org/abs/1411.5726"

    def corpus_statistics(self, corpus: CaptionCorpus) -> Array:
        similarity = np.zeros(len(corpus.image))
        for matches in corpus.matches:
            similarity += _similarities(matches, corpus)
        # Officially lengths are numbers of bigrams; that differs for empty sentences only, which score 0 anyway.
        difference = corpus.prediction_words[corpus.image] - corpus.reference_words
        similarity *= np.exp(-(difference**2) / (2 * LENGTH_SIGMA**2)) / HIGHEST_ORDER
        total = np.bincount(corpus.image, weights=similarity, minlength=corpus.images)
        scores = 10 * ratio(total, corpus.references_per_image, empty=0.0)
        return np.column_stack([scores, np.ones_like(scores)])

    def finalize(self, total: Array) -> dict[str, Array]:
        return {"cider": ratio(total[..., 0], total[..., 1])}


def _similarities(matches: Matches, corpus: CaptionCorpus) -> Array:
    """Clipped cosine of every reference with the prediction for its image, for one order. Shape (references,)."""
    references, predictions, meets = matches
    idf = _inverse_document_frequency(references, corpus.image, corpus.images)
    ours = predictions.counts * idf[predictions.ngram]
    theirs = references.counts * idf[references.ngram]
    met = meets >= 0
    products = np.minimum(ours[meets[met]], theirs[met]) * theirs[met]
    dot = np.bincount(references.sentence[met], weights=products, minlength=len(corpus.image))
    reference_norm = _norms(references, theirs, len(corpus.image))
    prediction_norm = _norms(predictions, ours, corpus.images)[corpus.image]
    norms = reference_norm * prediction_norm
    cosines: Array = dot / np.where(norms == 0, 1.0, norms)
    return cosines


def _inverse_document_frequency(references: NgramCounts, image: Integers, images: int) -> Array:
    """ln(images / images that have the n-gram in a reference), ln(images) for n-grams of no reference."""
    keys = np.sort(references.keys(image))
    in_image = keys[np.diff(keys, prepend=-1) > 0] % references.vocabulary
    frequency = np.bincount(in_image, minlength=references.vocabulary)
    idf: Array = np.log(images) - np.log(np.maximum(frequency, 1))
    return idf


def _norms(counts: NgramCounts, weights: Array, sentences: int) -> Array:
    norms: Array = np.sqrt(np.bincount(counts.sentence, weights=weights**2, minlength=sentences))
    return norms
