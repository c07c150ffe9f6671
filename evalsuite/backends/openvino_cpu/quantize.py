"""Weights in 16, 8 or 4 bits, each rounded to the nearest value that its format, channel or group of inputs has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

GROUP = 64  # inputs that share a scale in 4 bits


@dataclass(frozen=True)
class Levels:
    """A quantized matrix: its values are (levels - zero) * scale.

    levels: (out, in) int8, or uint8 in 0..15 for 4 bits, (out, groups, inputs of a group). scale and, for 4 bits,
    zero have the same shape with 1 as the last axis.
    """

    levels: NDArray[Any]
    scale: Array
    zero: NDArray[np.uint8] | None = None

    def values(self) -> Array:
        """What the levels stand for, (out, in)."""
        zero = np.float32(0) if self.zero is None else self.zero.astype(np.float32)
        values = (self.levels.astype(np.float32) - zero) * self.scale
        return values.reshape(len(values), -1)


def to_int8(matrix: Array) -> Levels:
    """Symmetric, one scale per output channel. matrix: (out, in)."""
    scale = np.abs(matrix).max(axis=1, keepdims=True) / np.float32(127)
    scale[scale == 0] = 1
    levels = np.rint(matrix / scale)
    return Levels(levels.astype(np.int8), scale.astype(np.float32))


def to_int4(matrix: Array) -> Levels:
    """Sixteen levels between least and greatest of each group of 64 inputs, zero included. matrix: (out, in).

    A width that 64 does not divide takes the largest divisor below; then every group has the same size.
    """
    out, width = matrix.shape
    size = next(size for size in range(min(GROUP, width), 0, -1) if width % size == 0)
    groups = matrix.reshape(out, width // size, size)
    low = np.minimum(groups.min(axis=2, keepdims=True), 0)
    high = np.maximum(groups.max(axis=2, keepdims=True), 0)
    scale = (high - low) / np.float32(15)
    scale[scale == 0] = 1
    zero = np.rint(-low / scale)
    levels = np.clip(np.rint(groups / scale) + zero, 0, 15)
    return Levels(levels.astype(np.uint8), scale.astype(np.float32), zero.astype(np.uint8))


def to_bfloat16(values: Array) -> NDArray[np.uint16]:
    """Nearest, ties to even; the bits as uint16. Any shape."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    rounded: NDArray[np.uint16] = ((bits + np.uint32(0x7FFF) + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    return rounded


def from_bfloat16(bits: NDArray[np.uint16]) -> Array:
    values: Array = (bits.astype(np.uint32) << 16).view(np.float32)
    return values
