"""Seeded random inputs: pictures of coloured tiles and tokens that are neither special nor location marks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

TILES = 8  # coarse: finer noise looks the same to a model whatever its seed
BEGINNING = 2  # id of BOS
FIRST_TOKEN = 300
PROMPT_TOKENS = 4
EXTEND_STEPS = 11
LONGEST_PROMPT = 24


@dataclass(frozen=True)
class Inputs:
    """One batch. pixels: (rows, side, side, 3) uint8; prompt: (rows, tokens), BOS first; answer: (steps, rows)."""

    pixels: NDArray[np.uint8]
    prompt: NDArray[np.int64]
    answer: NDArray[np.int64]


def timing_inputs(rows: int, resolution: int, vocabulary_size: int) -> Inputs:
    return _inputs(np.random.default_rng(0), rows, resolution, vocabulary_size, PROMPT_TOKENS)


def comparison_inputs(prompts: int, rows: int, resolution: int, vocabulary_size: int) -> Iterator[Inputs]:
    """``prompts`` prompts, ``rows`` at a time; the prompts of a batch have one length, from 4 to 24 tokens."""
    generator = np.random.default_rng(1)
    for start in range(0, prompts, rows):
        length = int(generator.integers(PROMPT_TOKENS, LONGEST_PROMPT + 1))
        yield _inputs(generator, min(rows, prompts - start), resolution, vocabulary_size, length)


def _inputs(generator: np.random.Generator, rows: int, resolution: int, vocabulary_size: int, length: int) -> Inputs:
    places = np.arange(resolution) * TILES // resolution
    tiles = generator.integers(0, 256, (rows, TILES, TILES, 3), dtype=np.uint8)
    pixels = np.ascontiguousarray(tiles[:, places][:, :, places])
    prompt = generator.integers(FIRST_TOKEN, vocabulary_size, (rows, length))
    prompt[:, 0] = BEGINNING
    answer = generator.integers(FIRST_TOKEN, vocabulary_size, (EXTEND_STEPS, rows))
    return Inputs(pixels, prompt, answer)
