"""A prepared model, compiled for this processor: the image encoder, and one language model for all steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import openvino as ov

from evalsuite.backends.openvino_cpu.embeddings import EmbeddingTable
from evalsuite.backends.openvino_cpu.options import CpuOptions
from evalsuite.backends.openvino_cpu.prepared import PreparedModel
from evalsuite.backends.openvino_cpu.quantize import Array
from evalsuite.backends.openvino_cpu.shape import ModelShape
from evalsuite.errors import BackendError
from evalsuite.media.preparation import to_unit_range

if TYPE_CHECKING:
    from evalsuite.media.preparation import Pixels

TOKENS_AT_ONCE = 8192  # image tokens per pass of the image encoder
KEPT = ("key", "value")


class CompiledModel:
    """The two graphs and the embedding table. Belongs to one thread.

    shape: sizes of the model. weight_bytes: of all weights as they are kept.
    """

    def __init__(self, prepared: PreparedModel, shape: ModelShape, options: CpuOptions) -> None:
        """Raises BackendError when openvino cannot compile the graphs here."""
        self.shape, self.weight_bytes = shape, prepared.weight_bytes
        self.embed = EmbeddingTable(prepared.folder)
        settings = plugin_settings(options)
        try:
            core = ov.Core()
            self._encoder = core.compile_model(prepared.image_encoder, "CPU", settings).create_infer_request()
            self._language = core.compile_model(prepared.language_model, "CPU", settings)
        except RuntimeError as error:
            raise BackendError(f"openvino cannot compile the model: {str(error).splitlines()[0]}") from error
        self.threads = int(self._language.get_property("INFERENCE_NUM_THREADS"))

    def encode(self, pixels: Sequence[Pixels]) -> Array:
        """Features of all frames in order, (frames, tokens, width). pixels: (frames, side, side, 3) in [0, 255]."""
        frames = np.concatenate([to_unit_range(part) for part in pixels])
        at_once = max(1, TOKENS_AT_ONCE // self.shape.vision.tokens)
        parts = [self._encoder.infer([frames[i : i + at_once]])[0].copy() for i in range(0, len(frames), at_once)]
        return np.concatenate(parts)

    def language_requests(self) -> tuple[Any, Any]:
        """Two requests of the language model: what one returns is an input of the other, without a copy."""
        return self._language.create_infer_request(), self._language.create_infer_request()


def plugin_settings(options: CpuOptions) -> dict[str, Any]:
    """Settings of openvino's CPU plugin. Its own choices would depend on the processor, and so would answers."""
    settings: dict[str, Any] = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if options.activations == "bf16" else "f32",
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": 32 if options.activations == "int8" else 0,
        "ENABLE_CPU_PINNING": False,  # threads that prepare images share the cores
    }
    if options.threads is not None:
        settings["INFERENCE_NUM_THREADS"] = options.threads
    return settings
