"""Sentences as numbers: every different piece of text is kept and looked at once, the rest is arrays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import count, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

_BLOCK = 4096  # sentences that are split together: their pieces fit into the processor's cache


class Pieces(NamedTuple):
    """Sentences in pieces, such as words.

    texts: the pieces. numbers: places in ``texts``, one sentence after the other, shape (pieces,). lengths: pieces of
    every sentence.
    """

    texts: list[str]
    numbers: Integers
    lengths: Integers

    @property
    def first(self) -> Integers:
        """The place of every sentence's first piece in ``numbers``."""
        return np.cumsum(self.lengths) - self.lengths

    def split_at_spaces(self) -> Pieces:
        """Pieces split at single spaces: different texts only, in the order in which they first occur."""
        sizes = [text.count(" ") + 1 for text in self.texts]
        return self._split(" ".join(self.texts).split(" "), sizes)

    def split_at_white_space(self) -> Pieces:
        """:meth:`split_at_spaces` once more at any white space, after which a sentence can have no piece."""
        words = " ".join(self.texts).split()
        return self if words == self.texts else self._split(words, [len(text.split()) for text in self.texts])

    def _split(self, parts: Sequence[str], sizes: Sequence[int]) -> Pieces:
        """Every text in parts, of which ``sizes[k]`` belong to text k."""
        known: defaultdict[str, int] = defaultdict(count().__next__)
        table = np.fromiter(map(known.__getitem__, parts), np.int64, len(parts))
        size = np.array(sizes, dtype=np.int64)
        here = size[self.numbers]  # parts of every piece
        ends = np.concatenate([[0], np.cumsum(here)])
        # The parts of a piece follow each other in the table as in the sentence, so many places further.
        shift = (np.cumsum(size) - size)[self.numbers] - ends[:-1]
        numbers = table[np.arange(ends[-1]) + np.repeat(shift, here)]
        first = self.first
        return _in_order(Pieces(list(known), numbers, ends[first + self.lengths] - ends[first]))

    def sentences(self) -> list[str]:
        """The sentences, their pieces joined by one space."""
        texts = map(self.texts.__getitem__, self.numbers.tolist())
        return [" ".join(islice(texts, length)) for length in self.lengths.tolist()]

    def sentences_with(self, chosen: Sequence[bool]) -> list[int]:
        """The sentences that have a piece among the chosen of ``texts``."""
        sentence = np.repeat(np.arange(len(self.lengths)), self.lengths)
        found: list[int] = np.unique(sentence[np.array(chosen, dtype=bool)[self.numbers]]).tolist()
        return found

    def rewritten(self, texts: list[str], whole: Mapping[int, str]) -> Pieces:
        """Other texts for the pieces, and for some sentences, each of which becomes one piece.

        Pieces without text are left out where the sentence has others.
        """
        if not len(self.lengths):
            return self
        texts = [*texts, *whole.values()]
        numbers, first = self.numbers.copy(), self.first
        kept = np.ones(len(numbers), dtype=bool)
        for number, sentence in enumerate(whole, len(self.texts)):
            start = first[sentence]
            numbers[start] = number
            kept[start + 1 : start + self.lengths[sentence]] = False
        kept &= np.array([text != "" for text in texts], dtype=bool)[numbers]
        kept[first] |= ~np.logical_or.reduceat(kept, first)
        return Pieces(texts, numbers[kept], np.add.reduceat(kept, first, dtype=np.int64))


def _in_order(pieces: Pieces) -> Pieces:
    """The same with texts in the order in which they first occur."""
    numbers, total = pieces.numbers, len(pieces.numbers)
    first = np.full(len(pieces.texts), total, dtype=np.int64)
    first[numbers[::-1]] = np.arange(total - 1, -1, -1)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return Pieces([pieces.texts[place] for place in order.tolist()], rank[numbers], pieces.lengths)


def pieces_between_spaces(sentences: Sequence[str]) -> Pieces:
    """Sentences split at single spaces, at least one piece each."""
    known: defaultdict[str, int] = defaultdict(count().__next__)
    lengths = np.array([sentence.count(" ") + 1 for sentence in sentences], dtype=np.int64)
    blocks = [
        np.fromiter(map(known.__getitem__, " ".join(sentences[start : start + _BLOCK]).split(" ")), np.int64)
        for start in range(0, len(sentences), _BLOCK)
    ]
    return Pieces(list(known), np.concatenate([np.empty(0, dtype=np.int64), *blocks]), lengths)


def joined(first: Pieces, second: Pieces) -> Pieces:
    """The sentences of both."""
    return Pieces(
        first.texts + second.texts,
        np.concatenate([first.numbers, second.numbers + len(first.texts)]),
        np.concatenate([first.lengths, second.lengths]),
    )
