"""The weights of a checkpoint as the graphs take them: one tensor at a time, by its plain name, as float32."""

from __future__ import annotations

import numpy as np

from evalsuite.backends.checkpoints.heads import VocabularyEnds, vocabulary_ends
from evalsuite.backends.checkpoints.resolve import Checkpoint
from evalsuite.backends.checkpoints.tensors import FLOATS, by_plain_name, stored_tensors
from evalsuite.backends.checkpoints.weights import weight_files
from evalsuite.backends.openvino_cpu.quantize import Array
from evalsuite.errors import BackendError

LARGEST_HALF = 65504.0  # of float16


class CheckpointTensors:
    """The tensors of a folder's safetensors files, read when asked for.

    ends: the tensors that embed tokens and make logits. fit_half: whether float16 holds every number read so far.
    Raises BackendError, naming model and tensor, for damaged files and for tensors that are missing, of another
    shape or of another type than a float.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._name = checkpoint.name
        self._places = by_plain_name(self._name, stored_tensors(self._name, weight_files(checkpoint.folder)))
        self.ends: VocabularyEnds = vocabulary_ends(self._name, checkpoint.config, self._places)
        self.fit_half = True

    def read(self, name: str, *shape: int) -> Array:
        """Tensor ``name`` as float32, which must have ``shape``."""
        place = self._places.get(name)
        if place is None:
            raise BackendError(f"model {self._name}: the weights lack {name}. The files do not fit config.json.")
        if place.shape != shape:
            raise BackendError(
                f"model {self._name}: {name} has shape {place.shape}, but config.json asks for {shape}. "
                "The files do not fit config.json; copy the checkpoint again."
            )
        if place.dtype not in FLOATS:
            raise BackendError(f"model {self._name}: {name} is of type {place.dtype}; give a float checkpoint.")
        values = place.values()
        self.fit_half &= bool(np.abs(values).max(initial=0) <= LARGEST_HALF)  # not so for NaN
        return values
