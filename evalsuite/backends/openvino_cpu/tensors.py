"""Reading the weights of a checkpoint one tensor at a time, without a framework, under one set of names.

Names are those of the released checkpoints. transformers 5 writes ``vision_tower.*`` without ``vision_model``, and
its modules are called ``model.language_model.*``; all three mean the same tensors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evalsuite.backends.checkpoints.weights import weight_files
from evalsuite.backends.openvino_cpu.quantize import Array, from_bfloat16
from evalsuite.errors import BackendError

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
LARGEST_HEADER = 100 << 20  # the limit of the format's own reader


@dataclass(frozen=True)
class _Place:
    file: Path
    dtype: str
    shape: tuple[int, ...]
    offset: int


class CheckpointTensors:
    """The tensors of a folder's safetensors files, read when asked for.

    Raises BackendError, naming model and tensor, for damaged files and for tensors that are missing, of another
    shape or of another type than a float.
    """

    def __init__(self, name: str, folder: Path) -> None:
        self._name = name
        self._places: dict[str, _Place] = {}
        for file in weight_files(folder):
            for key, place in self._header(file).items():
                self._places[released_name(key)] = place

    def read(self, name: str, *shape: int) -> Array:
        """Tensor ``name`` as float32, which must have ``shape``."""
        place = self._places.get(name)
        if place is None:
            raise BackendError(f"model {self._name}: the weights lack {name}. The files do not fit config.json.")
        if place.shape != shape:
            raise BackendError(
                f"model {self._name}: {name} has shape {place.shape}, but config.json asks for {shape}. "
                "The files do not fit config.json; copy the checkpoint again."
            )
        if place.dtype not in DTYPES:
            raise BackendError(f"model {self._name}: {name} is of type {place.dtype}; give a float checkpoint.")
        values = np.memmap(place.file, DTYPES[place.dtype], "r", place.offset, shape)
        if place.dtype == "BF16":
            return from_bfloat16(values)
        return np.array(values, np.float32)

    def _header(self, file: Path) -> dict[str, _Place]:
        """https://huggingface.co/docs/safetensors: length of the header, the header as JSON, then the tensors."""
        size = file.stat().st_size
        try:
            with file.open("rb") as handle:
                length = int.from_bytes(handle.read(8), "little")
                if length > min(size, LARGEST_HEADER):
                    raise ValueError("the header is longer than the file")
                header: Mapping[str, Any] = json.loads(handle.read(length))
            places = {}
            for key, value in header.items():
                if key == "__metadata__":
                    continue
                start, end = value["data_offsets"]
                if 8 + length + end > size:
                    raise ValueError(f"it ends before {key} does")
                places[key] = _Place(file, value["dtype"], tuple(value["shape"]), 8 + length + start)
            return places
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BackendError(
                f"model {self._name}: {file.name} is damaged ({error}). Copy the checkpoint again."
            ) from error


def released_name(name: str) -> str:
    """The released checkpoints' name of a tensor.

    >>> released_name("model.vision_tower.post_layernorm.bias")
    'vision_tower.vision_model.post_layernorm.bias'
    >>> released_name("model.language_model.norm.weight")
    'language_model.model.norm.weight'
    """
    name = name.removeprefix("model.")
    name = re.sub(r"^language_model\.(?!model\.|lm_head\.)", "language_model.model.", name)
    return re.sub(r"^vision_tower\.(?!vision_model\.)", "vision_tower.vision_model.", name)
