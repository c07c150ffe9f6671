"""The torch backend: chooses the way a checkpoint is run and holds what both ways share."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Protocol

import torch
import transformers

from evalsuite.backends.base import BackendOptions, BatchLimits, Prepared
from evalsuite.backends.checkpoints.contents import quantization_of
from evalsuite.backends.checkpoints.fingerprints import fingerprint
from evalsuite.backends.checkpoints.offline import without_network
from evalsuite.backends.checkpoints.resolve import Checkpoint, resolve
from evalsuite.backends.torch_hf.generic import ChatModel
from evalsuite.backends.torch_hf.loading import Placement, placement
from evalsuite.backends.torch_hf.memory import batch_limits, catch_out_of_memory, release
from evalsuite.backends.torch_hf.options import STORED_QUANTIZATIONS, TorchOptions
from evalsuite.backends.torch_hf.paligemma import PaliGemma
from evalsuite.backends.torch_hf.phases import PaliGemmaPhases
from evalsuite.errors import BackendError
from evalsuite.types import Generation, JsonValue, Request


class LoadedModel(Protocol):
    """One way of running a checkpoint. notes: what a user should know about its files."""

    notes: tuple[str, ...]

    def facts(self) -> Mapping[str, JsonValue]: ...
    def prepare(self, request: Request) -> Prepared: ...
    def generate(self, batch: Sequence[Prepared]) -> list[Generation]: ...


class TorchBackend:
    """A :class:`~evalsuite.backends.base.Backend` over torch and transformers."""

    def __init__(self, model: LoadedModel, checkpoint: Checkpoint, options: TorchOptions, where: Placement) -> None:
        self._model: LoadedModel | None = model
        self._checkpoint, self._options, self._where = checkpoint, options, where
        self._limits = batch_limits(options, where.device)
        self._facts = {**self._common_facts(), **model.facts()}
        if model.notes:
            self._facts["notes"] = list(model.notes)

    @classmethod
    def load(cls, options: BackendOptions) -> TorchBackend:
        """Raises UsageError for a wrong option and BackendError when the model cannot be loaded."""
        torch_options = TorchOptions.read(options.options)
        if torch_options.threads is not None:
            torch.set_num_threads(torch_options.threads)
        where = placement(torch_options)
        checkpoint = resolve(options, torch_options.trust, STORED_QUANTIZATIONS)
        kind = PaliGemma if checkpoint.is_paligemma else ChatModel
        with nullcontext() if torch_options.trust_remote_code else without_network():
            model = catch_out_of_memory(lambda: kind(checkpoint, torch_options, where))
        return cls(model, checkpoint, torch_options, where)

    @property
    def limits(self) -> BatchLimits:
        return self._limits

    @property
    def model(self) -> LoadedModel:
        """Raises BackendError after ``close``."""
        if self._model is None:
            raise BackendError(f"model {self._checkpoint.name}: the backend is closed.")
        return self._model

    def describe(self) -> Mapping[str, JsonValue]:
        return dict(self._facts)

    def prepare(self, request: Request) -> Prepared:
        return self.model.prepare(request)

    def generate(self, batch: Sequence[Prepared]) -> list[Generation]:
        """``seconds`` of a generation is the batch's time divided by its size."""
        if not batch:
            return []
        started = time.perf_counter()
        generations = catch_out_of_memory(lambda: self._generate(batch))
        seconds = (time.perf_counter() - started) / len(batch)
        return [replace(generation, seconds=seconds) for generation in generations]

    def score_answers(
        self, batch: Sequence[Prepared], answers: Sequence[Sequence[str]]
    ) -> list[list[tuple[float, ...]]]:
        """As of :class:`~evalsuite.backends.base.AnswerScorer`. Raises BackendError for other models than PaliGemma."""
        model = self.model
        if not isinstance(model, PaliGemma):
            raise BackendError(f"model {self._checkpoint.name}: only PaliGemma scores given answers.")
        if len(batch) != len(answers):
            raise ValueError(f"{len(batch)} requests and answers to {len(answers)}")
        if not batch:
            return []
        with torch.inference_mode():
            return catch_out_of_memory(lambda: model.score_answers(batch, answers))

    def phases(self) -> PaliGemmaPhases:
        """The parts of an answer one at a time, for ``evalsuite bench``. Raises BackendError for other models."""
        if not isinstance(self.model, PaliGemma):
            raise BackendError(f"model {self._checkpoint.name}: only PaliGemma is timed in parts.")
        return PaliGemmaPhases(self.model)

    def close(self) -> None:
        self._model = None
        release()

    def _generate(self, batch: Sequence[Prepared]) -> list[Generation]:
        with torch.inference_mode():
            return self.model.generate(batch)

    @property
    def _stored_quantization(self) -> str | None:
        return quantization_of(self._checkpoint.name, self._checkpoint.config)

    def _common_facts(self) -> dict[str, JsonValue]:
        return {
            "backend": "torch",
            "model": self._checkpoint.name,
            "fingerprint": fingerprint(self._checkpoint.folder),
            "family": self._checkpoint.family,
            "dtype": self._where.dtype_name,
            "device": self._where.device.type,
            "quantization": self._stored_quantization or self._options.quantization,
            "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        }
