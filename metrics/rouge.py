"""ROUGE-L of image captions."""

from __future__ import annotations

from dataclasses import dataclass
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
        letters = _Letters()
        predictions = [letters.spell(prediction) for prediction in corpus.predictions]
        references = [letters.spell(reference) for reference in corpus.references]
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


class _Letters(dict[str, str]):
    """One character for every different word, so that sentences become strings."""

    def __missing__(self, word: str) -> str:
        self[word] = letter = chr(len(self))
        return letter

    def spell(self, sentence: str) -> str:
        return "".join([self[word] for word in sentence.split(" ")])
