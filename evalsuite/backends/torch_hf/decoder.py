"""One batch of PaliGemma prompts on its way through the model: prefill, then one token per row and step.

The prefix (images and prompt) is attended in both directions and the answer causally. Since the prompts are padded
on the left, every query of the prefix may see exactly the valid prefix tokens, and every later token sees those and
all generated ones: one mask per row, (batch, 1, 1, tokens), serves all queries. Padding takes no position.
big_vision ``models/proj/paligemma/paligemma.py``; Gemma 2's sliding window is off, as there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from evalsuite.backends.checkpoints.inputs import PrefixInputs
from evalsuite.backends.torch_hf.cache import GrowingCache, grown

FRAMES_TOKENS = {"cpu": 8192, "cuda": 65536}  # image tokens per pass of the vision tower


class Decoder(Protocol):
    """What a decoding rule needs of a model.

    Logits are float32, (rows, vocabulary), in the order of the probabilities; only ``log_softmax`` gives their values.
    """

    def start(self) -> Tensor:
        """Logits of the first new token of every row."""
        ...

    def step(self, tokens: Tensor) -> Tensor:
        """Logits after ``tokens``, (rows,), one more token per row."""
        ...

    def keep(self, rows: Tensor) -> None:
        """From now on row i continues what was row ``rows[i]``; rows may be dropped, reordered and repeated."""
        ...

    def log_softmax(self, logits: Tensor) -> Tensor:
        """Log-probabilities, of the same shape."""
        ...


class PrefixDecoder:
    """A :class:`Decoder` over a batch of prompts, for a transformers PaliGemma model."""

    def __init__(
        self, model: Any, tokens_per_frame: int, inputs: Sequence[PrefixInputs], features: Tensor | None = None
    ) -> None:
        """features: of all frames, as ``encode_frames`` gives them, where they are known already."""
        self._features = features
        self._model, self._text, self._inputs = model, model.model.language_model, inputs
        self._tokens_per_frame = tokens_per_frame
        self._device, self._dtype = model.device, self._text.embed_tokens.weight.dtype
        self._cap: float | None = getattr(model.config.text_config, "final_logit_softcapping", None)
        self._cache = GrowingCache()
        lengths = [item.frame_count * tokens_per_frame + len(item.token_ids) for item in inputs]
        self._length = max(lengths)
        self._positions = torch.tensor(lengths, device=self._device)
        padding = self._length - self._positions
        self._mask = self._prefix_mask(padding)
        self._padding = padding

    def start(self) -> Tensor:
        embeddings = self._prefix_embeddings()
        places = torch.arange(self._length, device=self._device) - self._padding[:, None]
        return self._forward(embeddings, places.clamp(min=0))

    def step(self, tokens: Tensor) -> Tensor:
        self._length += 1
        if self._mask.shape[-1] < self._length:
            self._mask = torch.nn.functional.pad(self._mask, (0, grown(self._length) - self._mask.shape[-1]))
        logits = self._forward(self._text.embed_tokens(tokens[:, None]), self._positions[:, None])
        self._positions = self._positions + 1
        return logits

    def keep(self, rows: Tensor) -> None:
        self._cache.select(rows)
        self._mask, self._positions = self._mask[rows], self._positions[rows]

    def log_softmax(self, logits: Tensor) -> Tensor:
        """With Gemma 2's soft cap, which squeezes the logits and keeps their order."""
        if self._cap is not None:
            logits = torch.tanh(logits / self._cap) * self._cap
        return logits.log_softmax(dim=-1)

    def _forward(self, embeddings: Tensor, positions: Tensor) -> Tensor:
        hidden = self._text(
            inputs_embeds=embeddings,
            attention_mask=self._mask[..., : self._length],
            position_ids=positions,
            past_key_values=self._cache,
            use_cache=True,
        ).last_hidden_state[:, -1]
        logits: Tensor = self._model.lm_head(hidden).float()
        return logits

    def _prefix_mask(self, padding: Tensor) -> Tensor:
        """0 where a token may be seen and the least number where it is padding, (batch, 1, 1, tokens)."""
        places = torch.arange(self._length, device=self._device)
        hidden = places < padding[:, None]
        mask = torch.zeros(hidden.shape, dtype=self._dtype, device=self._device)
        return mask.masked_fill_(hidden, torch.finfo(self._dtype).min)[:, None, None]

    def _prefix_embeddings(self) -> Tensor:
        """Left-padded [image tokens] [BOS] [prefix] [newline], (batch, tokens, width)."""
        ids = np.zeros((len(self._inputs), self._length), np.int64)
        is_image = np.zeros(ids.shape, bool)
        for row, item in enumerate(self._inputs):
            start = self._length - len(item.token_ids)
            ids[row, start:] = item.token_ids
            is_image[row, start - item.frame_count * self._tokens_per_frame : start] = True
        embeddings: Tensor = self._text.embed_tokens(torch.from_numpy(ids).to(self._device))
        if is_image.any():
            places = torch.from_numpy(is_image).to(self._device)
            features = self._image_features() if self._features is None else self._features.flatten(0, 1)
            embeddings[places] = features.to(embeddings.dtype)
        return embeddings

    def _image_features(self) -> Tensor:
        """Projected features of all frames of the batch in order, (frames * tokens per frame, width)."""
        frames = self._pixel_values()
        at_once = max(1, FRAMES_TOKENS.get(self._device.type, 8192) // self._tokens_per_frame)
        parts = torch.split(frames.to(self._dtype), at_once)
        return torch.cat([encode_frames(self._model, part) for part in parts]).flatten(0, 1)

    def _pixel_values(self) -> Tensor:
        """All frames, (frames, 3, side, side), float32 in [-1, 1]: evalsuite.media.preparation.to_unit_range."""
        with_images = [item for item in self._inputs if item.pixels is not None]
        arrays = [item.pixels for item in with_images if item.pixels is not None]
        pixels = torch.from_numpy(np.concatenate(arrays)).to(self._device)
        if with_images[0].normalised:  # the same for all requests of a backend
            return pixels.float()
        return pixels.permute(0, 3, 1, 2).float().div_(255).mul_(2).sub_(1)


def encode_frames(model: Any, frames: Tensor) -> Tensor:
    """Projected features, (frames, tokens, width). frames: (frames, 3, side, side) in [-1, 1], of the model's type."""
    encoded = model.model.vision_tower(frames).last_hidden_state
    features: Tensor = model.model.multi_modal_projector(encoded)
    return features
