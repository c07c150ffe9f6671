"""The cpu backend: requests to prepared inputs, batches of them to answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import openvino as ov

from evalsuite.backends.base import BackendOptions, BatchLimits, Prepared
from evalsuite.backends.checkpoints.fingerprints import fingerprint
from evalsuite.backends.checkpoints.inputs import (
    PrefixInputs,
    forbidden_ids,
    prepared_prefix,
    prompt_tokens,
    reference_pixels,
)
from evalsuite.backends.checkpoints.prompt import PromptTokenizer
from evalsuite.backends.checkpoints.resolve import Checkpoint, resolve
from evalsuite.backends.endings import decoded
from evalsuite.backends.openvino_cpu.beam import beam_search
from evalsuite.backends.openvino_cpu.decoder import PrefixDecoder
from evalsuite.backends.openvino_cpu.greedy import Answer, greedy
from evalsuite.backends.openvino_cpu.model import CompiledModel
from evalsuite.backends.openvino_cpu.options import CpuOptions
from evalsuite.backends.openvino_cpu.phases import CpuPhases
from evalsuite.backends.openvino_cpu.prepared import prepared_model
from evalsuite.backends.openvino_cpu.shape import model_shape
from evalsuite.errors import BackendError, BackendOutOfMemory
from evalsuite.types import Generation, JsonValue, Request

SIGNS = ("bad_alloc", "allocate", "out of memory")


class CpuBackend:
    """A :class:`~evalsuite.backends.base.Backend` over openvino. ``prepare`` is thread-safe."""

    def __init__(self, checkpoint: Checkpoint, options: CpuOptions) -> None:
        """Raises BackendError when the checkpoint cannot be used."""
        shape = model_shape(checkpoint)
        self.tokenizer = PromptTokenizer.load(checkpoint.folder, shape.text.vocabulary, shape.image_token)
        self._checkpoint, self._options, self._shape = checkpoint, options, shape
        self._model: CompiledModel | None = CompiledModel(
            prepared_model(checkpoint, shape, options.precision), shape, options
        )
        self._facts = self._describe()

    @classmethod
    def load(cls, options: BackendOptions) -> CpuBackend:
        return cls(resolve(options), CpuOptions.read(options.options))

    @property
    def limits(self) -> BatchLimits:
        return BatchLimits(self._options.batch_size, self._options.max_batch_cost)

    @property
    def model(self) -> CompiledModel:
        """Raises BackendError after ``close``."""
        if self._model is None:
            raise BackendError(f"model {self._checkpoint.name}: the backend is closed.")
        return self._model

    def describe(self) -> Mapping[str, JsonValue]:
        return dict(self._facts)

    def prepare(self, request: Request) -> Prepared:
        """Pixels and prompt tokens. Raises ExampleError when an image cannot be opened."""
        tokens = prompt_tokens(request, self.tokenizer)
        inputs = PrefixInputs(tokens, reference_pixels(request, self._shape.vision.resolution))
        return prepared_prefix(request, inputs, self._shape.vision.tokens, group=request.decoding)

    def generate(self, batch: Sequence[Prepared]) -> list[Generation]:
        """``seconds`` of a generation is the batch's time divided by its size."""
        if not batch:
            return []
        started = time.perf_counter()
        answers = _catch_out_of_memory(lambda: self._answers(batch))
        seconds = (time.perf_counter() - started) / len(batch)
        return [self._generation(item, answer, seconds) for item, answer in zip(batch, answers, strict=True)]

    def phases(self) -> CpuPhases:
        """The parts of an answer one at a time, for ``evalsuite bench``."""
        return CpuPhases(self.model)

    def close(self) -> None:
        self._model = None

    def _answers(self, batch: Sequence[Prepared]) -> list[Answer]:
        decoding, end = batch[0].request.decoding, self.tokenizer.eos
        decoder = PrefixDecoder(self.model, [item.payload for item in batch])
        if decoding.beam_size > 1:
            return beam_search(decoder, decoding.beam_size, decoding.max_new_tokens, end)
        return greedy(
            decoder,
            decoding.max_new_tokens,
            end,
            log_probabilities=decoding.log_probabilities,
            forbidden=forbidden_ids(decoding.forbidden, self.tokenizer),
        )

    def _generation(self, item: Prepared, answer: Answer, seconds: float) -> Generation:
        return decoded(
            item.request.key,
            self.tokenizer.text(answer.token_ids),
            answer.token_ids,
            answer.log_probabilities if item.request.decoding.log_probabilities else None,
            ended=answer.ended,
            finite=answer.finite,
            computed_in=self._options.activations,
            seconds=seconds,
        )

    def _describe(self) -> dict[str, JsonValue]:
        return {
            "backend": "cpu",
            "model": self._checkpoint.name,
            "fingerprint": fingerprint(self._checkpoint.folder),
            "family": self._checkpoint.family,
            "device": "cpu",
            "precision": self._options.precision,
            "activations": self._options.activations,
            "image_pipeline": "reference",
            "resolution": self._shape.vision.resolution,
            "tokens_per_frame": self._shape.vision.tokens,
            "versions": {"openvino": ov.__version__},
            **({"notes": list(self._checkpoint.notes)} if self._checkpoint.notes else {}),
        }


def _catch_out_of_memory(work: Callable[[], Any]) -> Any:
    """Raises BackendOutOfMemory where the plugin or numpy found no memory."""
    try:
        return work()
    except MemoryError as error:
        raise BackendOutOfMemory("the batch did not fit into memory") from error
    except RuntimeError as error:
        if not any(sign in str(error).lower() for sign in SIGNS):
            raise
        raise BackendOutOfMemory(f"the batch did not fit into memory: {str(error).splitlines()[0]}") from error
