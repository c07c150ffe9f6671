"""PaliGemma and PaliGemma 2, as the papers evaluated them: own prompt layout, own pixels, own decoding."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.backends.base import Prepared
from evalsuite.backends.checkpoints.inputs import (
    PrefixInputs,
    forbidden_ids,
    prepared_prefix,
    prompt_tokens,
    reference_pixels,
)
from evalsuite.backends.checkpoints.prompt import PromptTokenizer
from evalsuite.backends.checkpoints.resolve import Checkpoint
from evalsuite.backends.endings import decoded, not_finite
from evalsuite.backends.torch_hf.beam import beam_search
from evalsuite.backends.torch_hf.decoder import PrefixDecoder
from evalsuite.backends.torch_hf.given import score_given
from evalsuite.backends.torch_hf.greedy import Answer, greedy
from evalsuite.backends.torch_hf.loading import ATTENTION_NAMES, Placement, guarded, load_paligemma
from evalsuite.backends.torch_hf.options import TorchOptions
from evalsuite.errors import ExampleError
from evalsuite.media.preparation import request_frames
from evalsuite.types import Generation, JsonValue, Request

CHECK_EVERY = {"cpu": 1}  # elsewhere looking at the device every step would make it wait
OTHER_CHECK_EVERY = 4


class PaliGemma:
    """A loaded checkpoint. ``prepare`` is thread-safe, ``generate`` belongs to one thread."""

    def __init__(self, checkpoint: Checkpoint, options: TorchOptions, where: Placement) -> None:
        loaded = load_paligemma(checkpoint, options, where)
        self.model, self.notes = loaded.model, loaded.notes
        config = self.model.config
        self.tokenizer = PromptTokenizer.load(
            checkpoint.folder, config.text_config.vocab_size, config.image_token_id, options.trust_remote_code
        )
        self.resolution = int(config.vision_config.image_size)
        self.tokens_per_frame = (self.resolution // int(config.vision_config.patch_size)) ** 2
        self._positions = int(config.text_config.max_position_embeddings)
        self._check_every = CHECK_EVERY.get(where.device.type, OTHER_CHECK_EVERY)
        self._computed_in = where.dtype_name
        self._image_processor: Any = None
        if options.image_pipeline == "processor":
            self._image_processor = guarded(checkpoint, lambda: _load_image_processor(checkpoint))

    def facts(self) -> Mapping[str, JsonValue]:
        name = self.model.config.text_config._attn_implementation
        attention = next((ours for ours, theirs in ATTENTION_NAMES.items() if theirs == name), name)
        return {
            "image_pipeline": "processor" if self._image_processor else "reference",
            "attention": attention,
            "resolution": self.resolution,
            "tokens_per_frame": self.tokens_per_frame,
        }

    def prepare(self, request: Request) -> Prepared:
        """Pixels and prompt tokens. Raises ExampleError when an image cannot be opened or the prompt is too long."""
        prompt = prompt_tokens(request, self.tokenizer, self._positions)
        pixels, normalised = self._pixels(request)
        inputs = PrefixInputs(prompt, pixels, normalised)
        return prepared_prefix(request, inputs, self.tokens_per_frame, group=request.decoding)

    def generate(self, batch: Sequence[Prepared]) -> list[Generation]:
        decoding = batch[0].request.decoding
        decoder = PrefixDecoder(self.model, self.tokens_per_frame, [item.payload for item in batch])
        if decoding.beam_size > 1:
            answers = beam_search(
                decoder,
                decoding.beam_size,
                decoding.max_new_tokens,
                self.tokenizer.eos,
                log_probabilities=decoding.log_probabilities,
            )
        else:
            answers = greedy(
                decoder,
                decoding.max_new_tokens,
                self.tokenizer.eos,
                log_probabilities=decoding.log_probabilities,
                check_every=self._check_every,
                forbidden=forbidden_ids(decoding.forbidden, self.tokenizer),
            )
        return [self._generation(item, answer) for item, answer in zip(batch, answers, strict=True)]

    def score_answers(
        self, batch: Sequence[Prepared], answers: Sequence[Sequence[str]]
    ) -> list[list[tuple[float, ...]]]:
        """Raises ExampleError that names the first example whose logits are not finite."""
        decoder = PrefixDecoder(self.model, self.tokens_per_frame, [item.payload for item in batch])
        scored = score_given(decoder, [[self.tokenizer.answer(text) for text in given] for given in answers])
        for item, given in zip(batch, scored, strict=True):
            if any(math.isnan(value) for values in given for value in values):
                raise ExampleError(f"{item.request.key}: {not_finite(self._computed_in)}")
        return scored

    def _generation(self, item: Prepared, answer: Answer) -> Generation:
        return decoded(
            item.request.key,
            self.tokenizer.text(answer.token_ids),
            answer.token_ids,
            answer.log_probabilities,
            ended=answer.ended,
            finite=answer.finite,
            computed_in=self._computed_in,
        )

    def _pixels(self, request: Request) -> tuple[NDArray[Any] | None, bool]:
        """Pixels of all frames of all visuals in order, and whether they are normalised already."""
        if self._image_processor is None or not request.visuals:
            return reference_pixels(request, self.resolution), False
        frames = request_frames(request)
        values = self._image_processor(images=frames, return_tensors="np")["pixel_values"]
        return np.asarray(values, np.float32), True


def _load_image_processor(checkpoint: Checkpoint) -> Any:
    from transformers import AutoImageProcessor

    loader: Any = AutoImageProcessor
    return loader.from_pretrained(checkpoint.folder)
