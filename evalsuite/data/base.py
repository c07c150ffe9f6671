"""What a source of examples is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from evalsuite.types import JsonValue, Record


class Source(Protocol):
    """Records of one task, in the data set's own columns. Streams: memory does not grow with the data."""

    def count(self, split: str) -> int | None:
        """Records in the split (before ``explode``); None when only reading it to the end would tell."""
        ...

    def records(self, split: str) -> Iterator[Record]:
        """All records of the split, always in the same order. Images stay undecoded (path, bytes or a Visual).

        Raises DataError when the split, a file or a column is missing.
        """
        ...

    def fingerprint(self, split: str) -> Mapping[str, JsonValue]:
        """What the data is (revision, file digests, seed and generator version): equal means equal records."""
        ...
