"""ROUGE-L of image captions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, count, islice
from typing import ClassVar

import numpy as np
from rapidfuzz.distance import LCSseq

from evalsuite.metrics.base import Array, Value, ratio
from evalsuite.metrics.caption_corpus import CaptionCorpus, CaptionMetric

BETA = 1.2


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
        spelled = spell([*corpus.predictions, *corpus.references])
        predictions, references = spelled[: len(corpus.predictions)], spelled[len(corpus.predictions) :]
        common = np.array(
            [LCSseq.similarity(predictions[image], text) for image, text in zip(corpus.image, references, strict=True)],
            dtype=np.float64,
        )
        precision, recall = np.zeros(len(predictions)), np.zeros(len(predictions))
        lengths = np.array([len(text) for text in predictions], dtype=np.int64)[corpus.image]
        np.maximum.at(precision, corpus.image, common / np.maximum(lengths, 1))
        np.maximum.at(recall, corpus.image, common / np.array([len(text) for text in references], dtype=np.float64))
        scores = ratio((1 + BETA**2) * precision * recall, recall + BETA**2 * precision, empty=0.0)
        return np.column_stack([scores, np.ones_like(scores)])

    def finalize(self, total: Array) -> dict[str, Array]:
        return {"rouge_l": ratio(total[..., 0], total[..., 1])}


def spell(sentences: Sequence[str]) -> list[str]:
    """Sentences as strings with one character for every different word, words being split at single spaces."""
    letters: defaultdict[str, str] = defaultdict(map(chr, count()).__next__)
    split = [sentence.split(" ") for sentence in sentences]
    spelled = iter("".join(map(letters.__getitem__, chain.from_iterable(split))))
    return ["".join(islice(spelled, len(words))) for words in split]
