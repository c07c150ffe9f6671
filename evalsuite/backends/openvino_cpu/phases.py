"""The compiled model, one part of an answer at a time: :class:`~evalsuite.backends.base.Phases`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evalsuite.backends.checkpoints.inputs import PrefixInputs
from evalsuite.backends.openvino_cpu.decoder import PrefixDecoder
from evalsuite.backends.openvino_cpu.model import CompiledModel
from evalsuite.backends.openvino_cpu.quantize import Array


class CpuPhases:
    """Over a compiled model."""

    def __init__(self, model: CompiledModel) -> None:
        self._model = model
        self._decoder: PrefixDecoder | None = None
        self.resolution, self.tokens_per_image = model.shape.vision.resolution, model.shape.vision.tokens
        self.vocabulary_size, self.weight_bytes = model.shape.text.vocabulary, model.weight_bytes
        self.threads: int | None = model.threads

    def encode_images(self, pixels: NDArray[np.uint8]) -> Array:
        return self._model.encode([pixels])

    def prefill(self, features: Array, token_ids: NDArray[np.int64]) -> Array:
        side = self.resolution
        blank = np.zeros((1, side, side, 3), np.uint8)  # only counted: the features are there
        inputs = [PrefixInputs(tuple(row), blank) for row in token_ids.tolist()]
        self._decoder = PrefixDecoder(self._model, inputs, features)
        return self._decoder.start()

    def extend(self, token_ids: NDArray[np.int64]) -> Array:
        if self._decoder is None:
            raise ValueError("extend comes after prefill")
        return self._decoder.step(token_ids)
