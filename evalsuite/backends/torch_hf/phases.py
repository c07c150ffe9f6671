"""PaliGemma in torch, one part of an answer at a time: :class:`~evalsuite.backends.base.Phases`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from evalsuite.backends.checkpoints.inputs import PrefixInputs
from evalsuite.backends.torch_hf.decoder import PrefixDecoder, encode_frames
from evalsuite.backends.torch_hf.paligemma import PaliGemma
from evalsuite.media.preparation import to_unit_range


class PaliGemmaPhases:
    """Over a loaded checkpoint. Waits for the device at the end of each part."""

    def __init__(self, loaded: PaliGemma) -> None:
        self._model: Any = loaded.model
        self._decoder: PrefixDecoder | None = None
        self.resolution, self.tokens_per_image = loaded.resolution, loaded.tokens_per_frame
        self.vocabulary_size = int(self._model.config.text_config.vocab_size)
        tensors = {t.data_ptr(): t for t in (*self._model.parameters(), *self._model.buffers())}
        self.weight_bytes = sum(_nbytes(tensor) for tensor in tensors.values())
        self.threads = torch.get_num_threads() if self._model.device.type == "cpu" else None

    @torch.inference_mode()
    def encode_images(self, pixels: NDArray[np.uint8]) -> Tensor:
        frames = torch.from_numpy(to_unit_range(pixels)).permute(0, 3, 1, 2)
        dtype = self._model.model.language_model.embed_tokens.weight.dtype
        features = encode_frames(self._model, frames.to(self._model.device, dtype))
        self._wait()
        return features

    @torch.inference_mode()
    def prefill(self, features: Tensor, token_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        side = self.resolution
        blank = np.zeros((1, side, side, 3), np.uint8)  # only counted: the features are there
        inputs = [PrefixInputs(tuple(row), blank) for row in token_ids.tolist()]
        self._decoder = PrefixDecoder(self._model, self.tokens_per_image, inputs, features)
        return _array(self._decoder.start())

    @torch.inference_mode()
    def extend(self, token_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        if self._decoder is None:
            raise ValueError("extend comes after prefill")
        return _array(self._decoder.step(torch.from_numpy(token_ids).to(self._model.device)))

    def _wait(self) -> None:
        if self._model.device.type == "cuda":
            torch.cuda.synchronize()


def _array(logits: Tensor) -> NDArray[np.float32]:
    values: NDArray[np.float32] = logits.cpu().numpy()
    return values


def _nbytes(tensor: Tensor) -> int:
    """Memory of a tensor; a quantized one is a wrapper around its levels and scales."""
    if hasattr(tensor, "__tensor_flatten__"):
        names, _ = tensor.__tensor_flatten__()
        return sum(_nbytes(getattr(tensor, name)) for name in names)
    return tensor.numel() * tensor.element_size()
