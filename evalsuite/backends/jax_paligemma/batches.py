"""Batches padded to few shapes, so that few programs have to be compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evalsuite.backends.checkpoints.inputs import PrefixInputs

ROW_STEP = 4  # batches have 1, 4, 16, 64, ... rows per device
FIRST_TEXT = 32  # prompts have 32, 64, 128, ... places, and images 0, 1, 2, 4, ... frames


class HostBatch(NamedTuple):
    """Arrays of one batch, in the order and shapes of :class:`~evalsuite.backends.jax_paligemma.decoding.Inputs`."""

    pixels: NDArray[Any]
    frame_counts: NDArray[np.int32]
    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]
    is_real: NDArray[np.bool_]


def padded_rows(examples: int, devices: int, affordable: int) -> int:
    """Rows for so many examples, a multiple of ``devices``: the next of few sizes where that many are affordable."""
    coarse = _next(examples, devices, ROW_STEP)
    return coarse if coarse <= affordable else _next(examples, devices, 2)


def padded_text(tokens: int) -> int:
    """Places for a prompt of so many tokens."""
    return _next(tokens, FIRST_TEXT, 2)


def padded_frames(frames: int) -> int:
    """Places for so many images or frames."""
    return _next(frames, 1, 2) if frames else 0


def pad(inputs: Sequence[PrefixInputs], rows: int, side: int) -> HostBatch:
    """Prompts start at the first place; rows, places and frames that do not count are 0.

    All frames are uint8, or float32 when those of any prompt are.
    """
    text = padded_text(max(len(item.token_ids) for item in inputs))
    ids, is_real = np.zeros((rows, text), np.int32), np.arange(rows) < len(inputs)
    arrays = [item.pixels for item in inputs if item.pixels is not None]
    dtype = np.result_type(*arrays) if arrays else np.dtype(np.uint8)
    frame_counts, lengths = np.zeros(rows, np.int32), np.zeros(rows, np.int32)
    frames = padded_frames(max(item.frame_count for item in inputs))
    pixels = np.zeros((rows, frames, side, side, 3), dtype)
    for row, item in enumerate(inputs):
        ids[row, : len(item.token_ids)] = item.token_ids
        lengths[row], frame_counts[row] = len(item.token_ids), item.frame_count
        if item.pixels is not None:
            pixels[row, : item.frame_count] = item.pixels
    return HostBatch(pixels, frame_counts, ids, lengths, is_real)


def _next(number: int, first: int, factor: int) -> int:
    size = first
    while size < number:
        size *= factor
    return size
