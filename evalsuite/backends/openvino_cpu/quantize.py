"""Weights in 16, 8 or 4 bits, each rounded to the nearest value that its format, channel or group of inputs has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

INT8_GROUP, INT4_GROUP = 128, 64  # inputs that share a scale; smaller groups of 8 bits are slow in openvino
SMALLEST_GROUP = 32


@dataclass(frozen=True)
class Levels:
    """A quantized matrix: its values are (levels - zero) * scale.

    levels: (out, groups, inputs of a group), int8, or uint8 in 0..15 for 4 bits. scale and, for 4 bits, zero have the
    same shape with 1 as the last axis.
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
    """Symmetric around zero, one scale for up to 128 inputs of an output channel. matrix: (out, in)."""
    groups = _grouped(matrix, INT8_GROUP)
    scale = np.abs(groups).max(axis=2, keepdims=True) / np.float32(127)
    scale[scale == 0] = 1
    return Levels(np.rint(groups / scale).astype(np.int8), scale.astype(np.float32))


def to_int4(matrix: Array) -> Levels:
    """Sixteen levels between least and greatest of up to 64 inputs, zero included. matrix: (out, in)."""
    groups = _grouped(matrix, INT4_GROUP)
    low = np.minimum(groups.min(axis=2, keepdims=True), 0)
    high = np.maximum(groups.max(axis=2, keepdims=True), 0)
    scale = (high - low) / np.float32(15)
    scale[scale == 0] = 1
    zero = np.rint(-low / scale)
    levels = np.clip(np.rint(groups / scale) + zero, 0, 15)
    return Levels(levels.astype(np.uint8), scale.astype(np.float32), zero.astype(np.uint8))


def _grouped(matrix: Array, size: int) -> Array:
    """(out, groups, inputs): the largest equal groups of up to ``size``, or whole rows where all would be small."""
    out, width = matrix.shape
    sizes = [number for number in range(SMALLEST_GROUP, size + 1) if width % number == 0]
    return matrix.reshape(out, -1, max(sizes, default=width))


def to_bfloat16(values: Array) -> NDArray[np.uint16]:
    """Nearest, ties to even; the bits as uint16. Any shape."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    rounded: NDArray[np.uint16] = ((bits + np.uint32(0x7FFF) + (bits >> 16 & 1)) >> 16).astype(np.uint16)
    rounded[np.isnan(values)] = 0x7FC0  # rounding may carry a NaN into a number
    return rounded
