"""The tensors in a checkpoint's safetensors files: names, types and shapes from their headers, numbers on demand.

No framework is needed. PaliGemma's tensors have one plain name each: released checkpoints, transformers 5 and its
modules call them differently (``language_model.model.*``, ``vision_tower.vision_model.*``, ``model.*``).
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.errors import UNREADABLE, BackendError

FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
"""Types of plain numbers, as a header names them, and how numpy reads their bytes."""
LARGEST_HEADER = 100 << 20  # the limit of the format's own reader
COMPARED_AT_ONCE = 1 << 22  # numbers


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor lies. name: as the file has it. dtype: as the header has it. offset: of its first byte."""

    file: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int

    def values(self) -> NDArray[np.float32]:
        """All numbers as float32, in the tensor's shape. Only for types in ``FLOATS``."""
        return self._floats(self._mapped())

    def equals(self, other: StoredTensor) -> bool:
        """Whether shape and every number, as float32, are the same. Only for types in ``FLOATS``."""
        if self.shape != other.shape:
            return False
        mine, theirs = self._mapped().reshape(-1), other._mapped().reshape(-1)
        for start in range(0, len(mine), COMPARED_AT_ONCE):
            piece = slice(start, start + COMPARED_AT_ONCE)
            if not np.array_equal(self._floats(mine[piece]), other._floats(theirs[piece]), equal_nan=True):
                return False
        return True

    def _mapped(self) -> NDArray[Any]:
        kind = FLOATS[self.dtype]
        if 0 in self.shape:
            return np.zeros(self.shape, kind)  # nothing to map
        mapped: NDArray[Any] = np.memmap(self.file, kind, "r", self.offset, self.shape)
        return mapped

    def _floats(self, numbers: NDArray[Any]) -> NDArray[np.float32]:
        return from_bfloat16(numbers) if self.dtype == "BF16" else np.array(numbers, np.float32)


def from_bfloat16(bits: NDArray[np.uint16]) -> NDArray[np.float32]:
    values: NDArray[np.float32] = (bits.astype(np.uint32) << 16).view(np.float32)
    return values


def plain_name(name: str) -> str:
    """PaliGemma's one name for a tensor that checkpoints call differently.

    >>> plain_name("model.vision_tower.post_layernorm.bias"), plain_name("language_model.lm_head.weight")
    ('vision_tower.post_layernorm.bias', 'lm_head.weight')
    >>> plain_name("language_model.model.norm.weight")
    'language_model.norm.weight'
    """
    name = re.sub(r"^model\.(?=language_model|vision_tower|multi_modal_projector)", "", name)
    name = re.sub(r"^language_model\.model\.", "language_model.", name)
    name = re.sub(r"^language_model\.lm_head\.", "lm_head.", name)
    return re.sub(r"^vision_tower\.vision_model\.", "vision_tower.", name)


def stored_tensors(model: str, files: Iterable[Path]) -> list[StoredTensor]:
    """All tensors of the files, in their order. Raises BackendError, naming ``model`` and the file that is damaged."""
    return [tensor for file in files for tensor in _header(model, file)]


def by_plain_name(model: str, tensors: Iterable[StoredTensor]) -> dict[str, StoredTensor]:
    """PaliGemma's tensors. Raises BackendError when one is there twice: which of the two counts cannot be told."""
    named: dict[str, StoredTensor] = {}
    for tensor in tensors:
        other = named.setdefault(plain_name(tensor.name), tensor)
        if other is not tensor:
            raise BackendError(
                f"model {model}: the files hold one tensor twice, as {other.name} in {other.file.name} and as "
                f"{tensor.name} in {tensor.file.name}. Remove the one that is not meant."
            )
    return named


def _header(model: str, file: Path) -> list[StoredTensor]:
    """https://huggingface.co/docs/safetensors: length of the header, the header as JSON, then the tensors."""
    try:
        size = file.stat().st_size
        with file.open("rb") as handle:
            length = int.from_bytes(handle.read(8), "little")
            if length > min(size, LARGEST_HEADER):
                raise ValueError("the header is longer than the file")
            header: Mapping[str, Any] = json.loads(handle.read(length))
        return [
            _placed(file, name, entry, 8 + length, size) for name, entry in header.items() if name != "__metadata__"
        ]
    except (*UNREADABLE, KeyError, TypeError, AttributeError) as error:
        raise BackendError(
            f"model {model}: its weights cannot be read: {file.name} is damaged ({error}). Copy the checkpoint again."
        ) from error


def _placed(file: Path, name: str, entry: Mapping[str, Any], first: int, size: int) -> StoredTensor:
    start, end = entry["data_offsets"]
    dtype, shape = str(entry["dtype"]), tuple(map(int, entry["shape"]))
    if not 0 <= start <= end or first + end > size:
        raise ValueError(f"it ends before {name} does")
    if dtype in FLOATS and end - start != math.prod(shape) * np.dtype(FLOATS[dtype]).itemsize:
        raise ValueError(f"{name} has not as many numbers as its shape")
    return StoredTensor(file, name, dtype, shape, first + start)
