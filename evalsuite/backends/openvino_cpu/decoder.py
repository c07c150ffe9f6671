"""One batch of prompts on its way through the compiled model: prefill, then one token per row and step.

Prompts are padded on the left; padding takes no position and is hidden by the mask. See ``graphs``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from evalsuite.backends.checkpoints.inputs import PrefixInputs
from evalsuite.backends.openvino_cpu.layers import MASKED
from evalsuite.backends.openvino_cpu.model import KEPT, CompiledModel
from evalsuite.backends.openvino_cpu.quantize import Array

Integers = NDArray[np.int64]


class PrefixDecoder:
    """A batch of prompts. Logits are float32, (rows, vocabulary), uncapped; only ``log_softmax`` gives their values."""

    def __init__(self, model: CompiledModel, inputs: Sequence[PrefixInputs], features: Array | None = None) -> None:
        """features: of all frames of ``inputs``, (frames, tokens, width), where they are known already."""
        self._model, self._inputs, self._features = model, inputs, features
        self._text = model.shape.text
        per_frame = model.shape.vision.tokens
        lengths = [item.frame_count * per_frame + len(item.token_ids) for item in inputs]
        self._prefix_length = max(lengths)
        self._positions = np.array(lengths, np.int64)
        self._padding = self._prefix_length - self._positions
        self._requests = model.language_requests()
        self._prefix: list[Array] = []
        self._answer: list[Any] = []  # tensors of openvino, or arrays
        self._answer_length = 0

    def start(self) -> Array:
        """Logits of the first new token of every row."""
        places = np.arange(self._prefix_length) - self._padding[:, None]
        nothing = self._nothing(len(self._inputs))
        self._set("prefix", [nothing] * self._kept, self._requests[:1])
        self._set("answer", [nothing] * self._kept, self._requests[:1])
        logits = self._infer(self._requests[0], self._prefix_embeddings(), np.maximum(places, 0))
        self._keep_prefix([np.array(tensor.data) for tensor in self._returned(self._requests[0])])
        self._answer = [nothing] * self._kept
        return logits

    def step(self, tokens: Integers) -> Array:
        """Logits after ``tokens``, (rows,), one more token per row."""
        self._requests = self._requests[::-1]
        request = self._requests[0]
        self._set("answer", self._answer, (request,))
        self._answer_length += 1
        logits = self._infer(request, self._model.embed(tokens[:, None]), self._positions[:, None])
        self._answer = self._returned(request)
        self._positions = self._positions + 1
        return logits

    def keep(self, rows: Integers) -> None:
        """From now on row i continues what was row ``rows[i]``; rows may be dropped, reordered and repeated."""
        self._answer = [np.asarray(_data(part))[rows] for part in self._answer]
        self._positions, self._padding = self._positions[rows], self._padding[rows]
        self._keep_prefix([part[rows] for part in self._prefix])

    def log_softmax(self, logits: Array) -> Array:
        """Log-probabilities, of the same shape, with Gemma 2's soft cap, which keeps the order."""
        cap = self._text.output_cap
        if cap is not None:
            logits = np.tanh(logits / np.float32(cap)) * np.float32(cap)
        with np.errstate(invalid="ignore"):  # of logits that are not finite, which greedy and beam report
            shifted = logits - logits.max(axis=-1, keepdims=True)
            values: Array = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        return values

    @property
    def _kept(self) -> int:
        """Keys and values of all layers."""
        return len(KEPT) * self._text.layers

    def _infer(self, request: Any, embeddings: Array, positions: Integers) -> Array:
        """embeddings: (rows, tokens, width). positions: (rows, tokens)."""
        half = self._text.head_size // 2
        angles = positions[:, None, :, None] / self._text.rope_base ** (np.arange(half) / half)
        request.set_tensor("embeddings", ov.Tensor(np.ascontiguousarray(embeddings, np.float32)))
        request.set_tensor("cosine", ov.Tensor(np.cos(angles).astype(np.float32)))
        request.set_tensor("sine", ov.Tensor(np.sin(angles).astype(np.float32)))
        request.set_tensor("mask", ov.Tensor(self._mask()))
        request.infer()
        return np.array(request.get_tensor("logits").data)

    def _mask(self) -> Array:
        places = np.arange(self._prefix_length + self._answer_length)
        hidden = places < self._padding[:, None]
        return np.where(hidden, np.float32(MASKED), np.float32(0))[:, None, None]

    def _nothing(self, rows: int) -> Array:
        return np.zeros((rows, self._text.groups, 0, self._text.head_size), np.float32)

    def _keep_prefix(self, parts: list[Array]) -> None:
        self._prefix = parts
        self._set("prefix", parts, self._requests)

    def _set(self, which: str, parts: Sequence[Any], requests: Sequence[Any]) -> None:
        for index, part in enumerate(parts):
            tensor = ov.Tensor(part, shared_memory=part.size > 0) if isinstance(part, np.ndarray) else part
            for request in requests:
                request.set_tensor(f"{which}_{KEPT[index % 2]}.{index // 2}", tensor)

    def _returned(self, request: Any) -> list[Any]:
        return [request.get_tensor(f"new_answer_{KEPT[i % 2]}.{i // 2}") for i in range(self._kept)]

    def _prefix_embeddings(self) -> Array:
        """Left-padded [image tokens] [BOS] [prefix] [newline], (rows, tokens, width)."""
        embeddings = np.zeros((len(self._inputs), self._prefix_length, self._text.width), np.float32)
        pixels = [item.pixels for item in self._inputs if item.pixels is not None and len(item.pixels)]
        features = self._model.encode(pixels) if self._features is None and pixels else self._features
        first = 0
        for row, item in enumerate(self._inputs):
            start = self._prefix_length - len(item.token_ids)
            embeddings[row, start:] = self._model.embed(np.array(item.token_ids, np.int64))
            if item.frame_count and features is not None:
                own = features[first : first + item.frame_count].reshape(-1, self._text.width)
                embeddings[row, start - len(own) : start] = own
                first += item.frame_count
        return embeddings


def _data(part: Any) -> Any:
    return part if isinstance(part, np.ndarray) else part.data
