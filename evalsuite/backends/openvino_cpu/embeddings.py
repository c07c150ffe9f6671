"""The embedding table on disk: rows are read when a token needs them, in the precision of the output layer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.backends.checkpoints.tensors import from_bfloat16
from evalsuite.backends.openvino_cpu.quantize import Array, to_bfloat16, to_int8

TABLE, SCALES = "embeddings.npy", "embedding_scales.npy"


def write_table(table: Array, precision: str, folder: Path) -> None:
    """table: (vocabulary, width). precision: int8, bf16 or float32."""
    if precision == "int8":
        quantized = to_int8(table)
        np.save(folder / TABLE, quantized.levels)
        np.save(folder / SCALES, quantized.scale)
    else:
        np.save(folder / TABLE, to_bfloat16(table) if precision == "bf16" else table)


def table_files(folder: Path) -> list[Path]:
    return [folder / name for name in (TABLE, SCALES) if (folder / name).is_file()]


class EmbeddingTable:
    """Rows as the language model takes them: times the square root of the width."""

    def __init__(self, folder: Path) -> None:
        self._rows = np.load(folder / TABLE, mmap_mode="r")
        self._scales: Any = np.load(folder / SCALES) if (folder / SCALES).is_file() else None
        self._factor = np.float32(self._rows[0].size ** 0.5)

    def __call__(self, token_ids: NDArray[np.integer[Any]]) -> Array:
        """token_ids: any shape; the result has the width as a further axis."""
        rows = np.asarray(self._rows[token_ids])
        if self._scales is not None:
            values = (rows.astype(np.float32) * self._scales[token_ids]).reshape(*token_ids.shape, -1)
        elif rows.dtype == np.uint16:
            values = from_bfloat16(rows)
        else:
            values = rows
        scaled: Array = values * self._factor
        return scaled
