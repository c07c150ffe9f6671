"""The jax backend: requests in, padded batches through compiled programs, generations out."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence

import jax
import numpy as np

from evalsuite.backends.base import BackendOptions, BatchLimits, Prepared
from evalsuite.backends.checkpoints.inputs import (
    PrefixInputs,
    forbidden_ids,
    prepared_prefix,
    prompt_tokens,
    reference_pixels,
)
from evalsuite.backends.endings import decoded
from evalsuite.backends.jax_paligemma.batches import pad, padded_rows
from evalsuite.backends.jax_paligemma.checkpoint import JaxCheckpoint
from evalsuite.backends.jax_paligemma.decoding import Answer, Rule
from evalsuite.backends.jax_paligemma.devices import (
    Placement,
    batch_limits,
    catch_out_of_memory,
    placement,
    use_compilation_cache,
)
from evalsuite.backends.jax_paligemma.options import JaxOptions
from evalsuite.backends.jax_paligemma.programs import Programs
from evalsuite.errors import BackendError, BackendOutOfMemory
from evalsuite.types import Generation, JsonValue, Request

log = logging.getLogger(__name__)


class JaxBackend:
    """A :class:`~evalsuite.backends.base.Backend` over PaliGemma and PaliGemma 2 in jax.

    ``prepare`` is thread-safe, ``generate`` belongs to one thread.
    """

    def __init__(self, checkpoint: JaxCheckpoint, options: JaxOptions, where: Placement) -> None:
        self._name, self._where = checkpoint.name, where
        self.sizes = checkpoint.sizes
        self.tokenizer = checkpoint.tokenizer()
        weights = catch_out_of_memory(lambda: checkpoint.weights().parameters(where.place_weights))
        self._programs: Programs | None = Programs(self.sizes, weights, where)
        self._limits = batch_limits(options, where)
        self._affordable = self._limits.max_cost or 0
        self._facts: dict[str, JsonValue] = {
            "backend": "jax",
            "model": checkpoint.name,
            **checkpoint.facts(),
            "dtype": where.dtype,
            "device": where.platform,
            "image_pipeline": "reference",
            "resolution": self.sizes.resolution,
            "tokens_per_frame": self.sizes.tokens_per_frame,
            "versions": {"jax": jax.__version__},
        }

    @classmethod
    def load(cls, options: BackendOptions) -> JaxBackend:
        """Raises UsageError for a wrong option and BackendError when the model cannot be loaded."""
        settings = JaxOptions.read(options.options)
        where = placement(settings)
        use_compilation_cache(settings, where.platform)
        return cls(JaxCheckpoint.open(options, settings), settings, where)

    @property
    def limits(self) -> BatchLimits:
        return self._limits

    @property
    def programs(self) -> Programs:
        """Raises BackendError after ``close``."""
        if self._programs is None:
            raise BackendError(f"model {self._name}: the backend is closed.")
        return self._programs

    def describe(self) -> Mapping[str, JsonValue]:
        return dict(self._facts)

    def prepare(self, request: Request) -> Prepared:
        """Pixels and prompt tokens. Raises ExampleError when an image cannot be opened.

        Examples of a group have the same number and kind of frames, so that padding does not cost whole frames.
        """
        pixels = reference_pixels(request, self.sizes.resolution)
        inputs = PrefixInputs(prompt_tokens(request, self.tokenizer), pixels)
        group = (request.decoding, inputs.frame_count, request.preparation.truncate)
        return prepared_prefix(request, inputs, self.sizes.tokens_per_frame, group)

    def generate(self, batch: Sequence[Prepared]) -> list[Generation]:
        """``seconds`` of a generation is the batch's time divided by its size."""
        if not batch:
            return []
        started = time.perf_counter()
        found = self._decode(batch)
        seconds = (time.perf_counter() - started) / len(batch)
        generations = []
        for item, answer in zip(batch, found, strict=False):  # rows of padding come last
            generation = decoded(
                item.request.key,
                self.tokenizer.text(answer.token_ids),
                answer.token_ids,
                answer.scores if item.request.decoding.log_probabilities else None,
                ended=answer.ended,
                finite=answer.finite,
                computed_in=self._where.dtype,
                seconds=seconds,
            )
            generations.append(generation)
        return generations

    def close(self) -> None:
        if self._programs is not None:
            log.info("model %s: %d programs compiled for its batches", self._name, self._programs.compiled)
        self._programs = None

    def _decode(self, batch: Sequence[Prepared]) -> list[Answer]:
        """After running out of memory, padding adds no more rows than half of what did not fit."""
        decoding = batch[0].request.decoding
        cost = max(item.cost for item in batch)
        rows = padded_rows(len(batch), len(self._where.devices), self._affordable // cost)
        forbidden = np.zeros(self.sizes.vocabulary, np.bool_)
        forbidden[forbidden_ids(decoding.forbidden, self.tokenizer)] = True
        rule = Rule(self.tokenizer.eos, decoding.beam_size)
        programs = self.programs

        def decode() -> list[Answer]:
            arrays = pad([item.payload for item in batch], rows, self.sizes.resolution)
            return programs.decode(arrays, rule, decoding.max_new_tokens, forbidden)

        try:
            return catch_out_of_memory(decode)
        except BackendOutOfMemory:
            self._affordable = min(self._affordable, rows * cost // 2)
            raise
