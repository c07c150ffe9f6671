"""The synthetic world as a source of records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.records import generators
from evalsuite.errors import UnknownName
from evalsuite.types import JsonValue, Record

GENERATOR_VERSION = 1
"""Part of every seed. Raise it when a change makes any generator's records or pictures different."""


class SyntheticSource:
    """``size`` records per split from one generator; every split name is valid and has its own records.

    Raises UnknownName for an unknown generator or parameter, UsageError for a parameter out of range.
    """

    def __init__(self, generator: str, parameters: Mapping[str, Any], size: int, seed: int = 0) -> None:
        if generator not in generators():
            raise UnknownName("synthetic generator", generator, generators())
        self.generator, self.size, self.seed = generator, size, seed
        self.parameters = generators()[generator].complete(parameters)

    def count(self, split: str) -> int:
        return self.size

    def records(self, split: str) -> Iterator[Record]:
        """Records 0 .. size - 1. Each depends on its index alone: a smaller size gives the first of a larger one."""
        return self.records_from(split, 0)

    def records_from(self, split: str, start: int) -> Iterator[Record]:
        """Records ``start`` .. size - 1."""
        make = generators()[self.generator].make
        for index in range(start, self.size):
            rng = SeededRandom(GENERATOR_VERSION, self.seed, self.generator, split, index)
            yield make(rng, index, {**self.parameters, "split": split})

    def fingerprint(self, split: str) -> Mapping[str, JsonValue]:
        return {
            "kind": "synthetic",
            "generator": self.generator,
            "version": GENERATOR_VERSION,
            "seed": self.seed,
            "split": split,
            "size": self.size,
            "parameters": dict(self.parameters),
        }
