"""The decoder that turns 16 segmentation tokens into a mask, in numpy.

PaliGemma writes a mask as 16 of 128 codes: a 4x4 grid, row by row, of a VQ-VAE (Ning et al. 2023,
https://arxiv.org/abs/2301.02229). Its weights come with big_vision's PaliGemma release as ``vae-oid.npz`` and are not
part of this package; :func:`random_weights` stands in for them in tests and offline runs.
"""

from __future__ import annotations

import importlib
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from evalsuite.errors import UsageError
from evalsuite.metrics.shared.side_files import describe_file

Floats = NDArray[np.float32]

CODES, CODE_WIDTH, GRID, MASK_SIZE = 128, 512, 4, 64
_CODEBOOK = "_vq_vae._embedding"
_RESIDUAL_BLOCKS = ("decoder.2.net", "decoder.3.net")
_UPSAMPLING = {"decoder.4": (128, 128), "decoder.6": (128, 64), "decoder.8": (64, 32), "decoder.10": (32, 16)}
_BATCH = 8  # masks decoded at a time: what they need stays in the cache
_STAMP_ROOM = 2**18  # most products of a transposed layer at a time, for the same reason


def _layer_shapes() -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {"decoder.0": (128, CODE_WIDTH, 1, 1)}
    for block in _RESIDUAL_BLOCKS:
        shapes |= {f"{block}.0": (128, 128, 3, 3), f"{block}.2": (128, 128, 3, 3), f"{block}.4": (128, 128, 1, 1)}
    shapes |= {name: (wide, narrow, 4, 4) for name, (wide, narrow) in _UPSAMPLING.items()}
    return {**shapes, "decoder.12": (1, 16, 1, 1)}


def _width(name: str, shape: tuple[int, ...]) -> int:
    """Output channels: convolution weights are stored (out, in, h, w), transposed ones (in, out, h, w)."""
    return shape[1] if name in _UPSAMPLING else shape[0]


def expected_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of the arrays that the decoder needs, in PyTorch layout."""
    shapes: dict[str, tuple[int, ...]] = {_CODEBOOK: (CODES, CODE_WIDTH)}
    for name, shape in _layer_shapes().items():
        shapes[f"{name}.weight"] = shape
        shapes[f"{name}.bias"] = (_width(name, shape),)
    return shapes


class MaskDecoder:
    """Decodes codes to masks. ``weights`` holds the arrays of :func:`expected_shapes`; others are ignored.

    codebook: (128, 512) float32, one row per code.
    Raises UsageError when an array is missing or has another shape.
    """

    def __init__(self, weights: Mapping[str, NDArray[np.floating]]) -> None:
        _check(weights, "decoder weights")
        arrays = {name: np.asarray(weights[name], np.float32) for name in expected_shapes()}
        self.codebook: Floats = arrays[_CODEBOOK]
        self._biases = {name: arrays[f"{name}.bias"] for name in _layer_shapes()}
        # Every layer as a matrix (inputs, outputs), channels last.
        self._matrices: dict[str, Floats] = {}
        for name in _layer_shapes():
            weight = arrays[f"{name}.weight"]
            order = (0, 2, 3, 1) if name in _UPSAMPLING else (2, 3, 1, 0)
            rows = weight.shape[0] if name in _UPSAMPLING else weight[0].size
            self._matrices[name] = np.ascontiguousarray(weight.transpose(order).reshape(rows, -1))
        # The first layer sees one code at a time: its 128 possible outputs are a table.
        self._first = _relu(self._linear(self.codebook, "decoder.0"))

    def decode(self, indices: NDArray[np.integer]) -> Floats:
        """Masks of shape (n, 64, 64), foreground above 0, about [-1, 1], from codes (n, 16) in 0..127.

        Raises ValueError for another shape or a code outside the codebook.
        """
        indices = np.asarray(indices)
        if indices.ndim != 2 or indices.shape[1] != GRID * GRID:
            raise ValueError(f"codes must have shape (n, {GRID * GRID}), not {indices.shape}")
        if ((indices < 0) | (indices >= CODES)).any():
            raise ValueError(f"codes must lie in 0..{CODES - 1}")
        masks = np.empty((len(indices), MASK_SIZE, MASK_SIZE), np.float32)
        with _one_thread():
            for start in range(0, len(indices), _BATCH):
                masks[start : start + _BATCH] = self._decode(indices[start : start + _BATCH])
        return masks

    def _decode(self, indices: NDArray[np.integer]) -> Floats:
        x = self._first[indices].reshape(-1, GRID, GRID, 128)
        for block in _RESIDUAL_BLOCKS:
            y = _relu(self._linear(_neighbourhoods(x), f"{block}.0"))
            y = _relu(self._linear(_neighbourhoods(y), f"{block}.2"))
            x = x + self._linear(y, f"{block}.4")
        for name in _UPSAMPLING:
            x = _upsample(x, self._matrices[name], self._biases[name])
        return self._linear(x, "decoder.12")[..., 0]

    def _linear(self, x: Floats, name: str) -> Floats:
        return _times(x, self._matrices[name]) + self._biases[name]


def _one_thread() -> AbstractContextManager[object]:
    """Keeps the matrix library to one thread: on products this small, threads that wait cost more than they bring."""
    pools = _thread_pools()
    return nullcontext() if pools is None else pools.limit(limits=1, user_api="blas")


@cache
def _thread_pools() -> Any:
    """The thread pools of the loaded libraries; None where threadpoolctl is not installed."""
    try:
        return importlib.import_module("threadpoolctl").ThreadpoolController()
    except ImportError:
        return None


def _times(x: Floats, matrix: Floats) -> Floats:
    """Product over the last axis, as one matrix product rather than one for each row of pixels."""
    return (x.reshape(-1, len(matrix)) @ matrix).reshape(*x.shape[:-1], -1)


def _relu(x: Floats) -> Floats:
    return np.maximum(x, 0, out=x)


def _neighbourhoods(x: Floats) -> Floats:
    """(n, h, w, c) to (n, h, w, 9c): the 3x3 neighbours of each place, zeros outside."""
    height, width = x.shape[1:3]
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifts = [padded[:, dy : dy + height, dx : dx + width] for dy in range(3) for dx in range(3)]
    return np.concatenate(shifts, axis=-1)


def _upsample(x: Floats, matrix: Floats, bias: Floats) -> Floats:
    """(n, h, w, c) to (n, 2h, 2w, d): transposed convolution, kernel 4, stride 2, one pixel cut off, and ReLU."""
    n, height, width, _ = x.shape
    out = np.empty((n, 2 * height, 2 * width, len(bias)), np.float32)
    step = max(1, _STAMP_ROOM // (height * width * matrix.shape[1]))
    for start in range(0, n, step):
        part = x[start : start + step]
        stamps = _times(part, matrix).reshape(*part.shape[:3], 4, 4, len(bias))
        _stamp(stamps, bias, out[start : start + step])
    return out


@numba.njit(cache=True)
def _stamp(stamps, bias, out):  # type: ignore[no-untyped-def]
    """Add up the overlapping 4x4 stamps at stride 2: each pixel lies in up to four of them."""
    n, height, width, _, _, channels = stamps.shape
    for k in range(n):
        for row in range(2 * height):
            for column in range(2 * width):
                for c in range(channels):
                    out[k, row, column, c] = bias[c]
                for dy in range((row + 1) % 2, 4, 2):
                    y = (row + 1 - dy) // 2
                    if y < 0 or y >= height:
                        continue
                    for dx in range((column + 1) % 2, 4, 2):
                        x = (column + 1 - dx) // 2
                        if 0 <= x < width:
                            for c in range(channels):
                                out[k, row, column, c] += stamps[k, y, x, dy, dx, c]
                for c in range(channels):
                    out[k, row, column, c] = max(out[k, row, column, c], np.float32(0))


def load_weights(path: str | Path) -> dict[str, Floats]:
    """The arrays of a weights file. Raises UsageError that names the file and where the official one is published."""
    try:
        file = np.load(path, allow_pickle=False)
        if not isinstance(file, np.lib.npyio.NpzFile):
            raise ValueError("it holds a single array")
        with file:
            weights = {name: file[name] for name in expected_shapes() if name in file.files}
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file. {_WAY_OUT}") from None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise UsageError(f"{path}: not a readable .npz file of weights ({error}). {_WAY_OUT}") from None
    _check(weights, str(path))
    return {name: array.astype(np.float32) for name, array in weights.items()}


_WAY_OUT = (
    "The official weights are vae-oid.npz, published with big_vision's PaliGemma release as "
    "big_vision/paligemma/vae-oid.npz in its public bucket; weights 'random' runs without them."
)


def _check(weights: Mapping[str, NDArray[np.floating]], where: str) -> None:
    wrong = [
        f"{name} is {'missing' if name not in weights else f'of shape {weights[name].shape}, not {shape}'}"
        for name, shape in expected_shapes().items()
        if name not in weights or weights[name].shape != shape
    ]
    if wrong:
        shown = "; ".join(wrong[:3]) + (f"; and {len(wrong) - 3} more" if len(wrong) > 3 else "")
        raise UsageError(f"{where}: not the weights of the mask decoder: {shown}. {_WAY_OUT}")


def random_weights(seed: int = 0) -> dict[str, Floats]:
    """Untrained weights: normal values on a grid of 1/512, so that every machine has the same ones.

    The last bias puts the median output near 0, so that masks are neither empty nor full.
    """
    random = np.random.default_rng(seed)
    weights: dict[str, Floats] = {_CODEBOOK: _on_grid(random.standard_normal((CODES, CODE_WIDTH)))}
    for name, shape in _layer_shapes().items():
        # Inputs that reach one output: a 4x4 stamp at stride 2 covers each pixel 4 times.
        fan_in = shape[0] * 4 if name in _UPSAMPLING else int(np.prod(shape[1:]))
        weights[f"{name}.weight"] = _on_grid(random.standard_normal(shape) * np.sqrt(2 / fan_in))
        weights[f"{name}.bias"] = _on_grid(random.standard_normal(_width(name, shape)) * 0.05)
    weights["decoder.12.weight"] *= np.float32(0.5)
    weights["decoder.12.bias"] = np.zeros(1, np.float32)
    codes = random.integers(0, CODES, (8, GRID * GRID))
    centre = np.median(MaskDecoder(weights).decode(codes))
    weights["decoder.12.bias"] = np.array([-np.round(centre * 64) / 64], np.float32)
    return weights


def _on_grid(values: NDArray[np.float64]) -> Floats:
    return (np.round(values * 512) / 512).astype(np.float32)


@lru_cache(maxsize=4)
def load_decoder(weights: str) -> MaskDecoder:
    """The decoder with the weights of a file, or with :func:`random_weights` of seed 0 for ``"random"``."""
    return MaskDecoder(random_weights(0) if weights == "random" else load_weights(weights))


@lru_cache(maxsize=16)
def describe_weights(weights: str) -> str:
    """What a signature says of the weights: ``random(seed=0)``, or file name and start of its SHA-256."""
    return "random(seed=0)" if weights == "random" else describe_file(weights)
