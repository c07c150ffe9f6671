"""Random choices that are the same on every machine and Python version."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class SeededRandom:
    """Choices drawn from a key, such as ``("v1", 0, "captions", "test", 17)``.

    Only ``random.Random.random`` is used below: it alone is promised to give the same numbers for the same seed in
    every Python version; ``choice`` and ``shuffle`` are not. The seed is a digest of the key, so that neighbouring
    indices and splits are unrelated.
    """

    def __init__(self, *key: str | int) -> None:
        self._key = key
        digest = hashlib.blake2b(json.dumps(key).encode(), digest_size=16).digest()
        self._random = random.Random(int.from_bytes(digest, "big")).random

    def sibling(self, index: int) -> SeededRandom:
        """Choices, from their beginning, with the same key but for its last part: those of another record."""
        return SeededRandom(*self._key[:-1], index)

    def uniform(self, low: float, high: float) -> float:
        """A number of [low, high)."""
        return low + (high - low) * self._random()

    def integer(self, low: int, high: int) -> int:
        """A whole number of low..high, both included."""
        return low + int(self._random() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        return self._random() < probability

    def choice(self, items: Sequence[T]) -> T:
        return items[int(self._random() * len(items))]

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """A copy in random order (Fisher-Yates)."""
        result = list(items)
        for last in range(len(result) - 1, 0, -1):
            other = int(self._random() * (last + 1))
            result[last], result[other] = result[other], result[last]
        return result

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """``count`` different places of ``items``, in random order."""
        return self.shuffled(items)[:count]
