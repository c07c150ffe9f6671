"""ROUGE-L of image captions."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from rapidfuzz.distance import LCSseq

from evalsuite.metrics.base import Array, Value, ratio
from evalsuite.metrics.captions.corpus import CaptionCorpus, CaptionMetric
from evalsuite.metrics.captions.pieces import Pieces

BETA = 1.2
_CHARACTERS = sys.maxunicode


@dataclass(frozen=True)
class RougeL(CaptionMetric):
    """F-measure (beta 1.2) of the longest common subsequence of words, mean over images. In [0, 1]; in percent.

    Lin 2004, https://aclanthology.org/W04-1013, as computed by coco-caption (``pycocoevalcap.rouge``): precision and
    recall are the best over the references each, not necessarily of the same one. Words are split at single spaces, so
    that an empty caption is one empty word and matches another. An example without references scores 0.
    Statistics are (score, 1).
    """

    name: ClassVar[str] = "rouge_l"
    values: ClassVar[tuple[Value, ...]] = (Value("rouge_l"),)
    source: ClassVar[str] = "https://aclanthology.org/W04-1013"

    def corpus_statistics(self, corpus: CaptionCorpus) -> Array:
        count, image = len(corpus.image), corpus.image
        sentences, lengths = spelled(corpus.words_between_spaces), corpus.words_between_spaces.lengths
        predictions = map(sentences[count:].__getitem__, image.tolist())
        common = np.array(list(map(LCSseq.similarity, predictions, sentences[:count])), dtype=np.float64)
        precision, recall = np.zeros(corpus.images), np.zeros(corpus.images)
        np.maximum.at(precision, image, common / lengths[count:][image])
        np.maximum.at(recall, image, common / lengths[:count])
        scores = ratio((1 + BETA**2) * precision * recall, recall + BETA**2 * precision, empty=0.0)
        return np.column_stack([scores, np.ones_like(scores)])

    def finalize(self, total: Array) -> dict[str, Array]:
        return {"rouge_l": ratio(total[..., 0], total[..., 1])}


def spelled(words: Pieces) -> list[str] | list[list[int]]:
    """Sentences as strings with one character for every different word; as numbers where there are too many words."""
    ends = np.cumsum(words.lengths)
    few = len(words.texts) <= _CHARACTERS
    text = words.numbers.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass") if few else words.numbers.tolist()
    return [text[start:end] for start, end in zip((ends - words.lengths).tolist(), ends.tolist(), strict=True)]
