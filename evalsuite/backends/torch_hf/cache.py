"""Keys and values of the tokens seen so far, in buffers that grow by a quarter instead of by one token."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class GrowingCache:
    """The part of the cache interface of transformers that a language model calls, for full attention in every layer.

    Buffers are (batch, heads, capacity, size), of which the first ``get_seq_length()`` places are filled.
    """

    def __init__(self) -> None:
        self._keys: list[Tensor] = []
        self._values: list[Tensor] = []
        self._lengths: list[int] = []

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return self._lengths[layer_idx] if layer_idx < len(self._lengths) else 0

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        """Append (batch, heads, new, size) to a layer and return all its keys and values so far, as views."""
        if layer_idx == len(self._lengths):  # layers come in order the first time
            self._keys.append(key_states)
            self._values.append(value_states)
            self._lengths.append(key_states.shape[2])
            return key_states, value_states
        start = self._lengths[layer_idx]
        end = start + key_states.shape[2]
        keys, values = self._reserve(layer_idx, end)
        keys[:, :, start:end] = key_states
        values[:, :, start:end] = value_states
        self._lengths[layer_idx] = end
        return keys[:, :, :end], values[:, :, :end]

    def select(self, rows: Tensor) -> None:
        """Keep, drop, reorder or repeat rows of the batch; ``rows`` holds one old row per new row."""
        self._keys = [keys.index_select(0, rows) for keys in self._keys]
        self._values = [values.index_select(0, rows) for values in self._values]

    def _reserve(self, layer: int, length: int) -> tuple[Tensor, Tensor]:
        if self._keys[layer].shape[2] < length:
            capacity = grown(length)
            self._keys[layer] = _enlarged(self._keys[layer], capacity)
            self._values[layer] = _enlarged(self._values[layer], capacity)
        return self._keys[layer], self._values[layer]


def grown(length: int) -> int:
    """Capacity to allocate when ``length`` places are needed: a quarter more, at least 64."""
    return length + max(64, length // 4)


def _enlarged(old: Tensor, capacity: int) -> Tensor:
    batch, heads, length, size = old.shape
    new = torch.empty((batch, heads, capacity, size), dtype=old.dtype, device=old.device)
    new[:, :, :length] = old
    return new
