"""The prepared model on disk: both graphs with their weights in the precision asked for, and the embedding table.

Made once per checkpoint and precision, below the models' cache; a damaged one is made again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import openvino as ov

from evalsuite.backends.checkpoints.fingerprints import digest, fingerprint
from evalsuite.backends.checkpoints.resolve import Checkpoint
from evalsuite.backends.openvino_cpu.embeddings import write_table
from evalsuite.backends.openvino_cpu.graphs import EMBEDDINGS, image_encoder, language_model
from evalsuite.backends.openvino_cpu.layers import WEIGHTS
from evalsuite.backends.openvino_cpu.shape import ModelShape
from evalsuite.backends.openvino_cpu.tensors import CheckpointTensors
from evalsuite.backends.tiny.checkpoint import cache_folder
from evalsuite.files.folders import KeptFolder

RECIPE = 1  # raise when graphs or rounding change
OUTER = {"int4": "int8"}  # precision of embeddings and image tower where it is not that of the layers


@dataclass(frozen=True)
class PreparedModel:
    """A complete folder."""

    folder: Path

    @property
    def image_encoder(self) -> Path:
        return self.folder / "image_encoder.xml"

    @property
    def language_model(self) -> Path:
        return self.folder / "language_model.xml"

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights; the embedding table counts once, as the output layer."""
        return sum(path.with_suffix(".bin").stat().st_size for path in (self.image_encoder, self.language_model))


def prepared_model(checkpoint: Checkpoint, shape: ModelShape, precision: str) -> PreparedModel:
    """From the cache, or made now. Raises BackendError when the checkpoint's weights do not fit its config."""
    identity = json.dumps([RECIPE, precision, fingerprint(checkpoint.folder)])
    folder = cache_folder() / f"openvino-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"

    def write(work: Path) -> None:
        _write(CheckpointTensors(checkpoint.name, checkpoint.folder), shape, precision, PreparedModel(work))

    return PreparedModel(KeptFolder(folder, "fingerprints.json", digest).made(write))


def _write(tensors: CheckpointTensors, shape: ModelShape, precision: str, made: PreparedModel) -> None:
    weight, outer, half = WEIGHTS[precision], OUTER.get(precision, precision), precision == "bf16"
    ov.save_model(image_encoder(shape, tensors, WEIGHTS[outer]), made.image_encoder, compress_to_fp16=half)
    table = tensors.read(EMBEDDINGS, shape.text.vocabulary, shape.text.width)
    write_table(table, outer, made.folder)
    graph = language_model(shape.text, tensors, weight, WEIGHTS[outer](table))
    ov.save_model(graph, made.language_model, compress_to_fp16=half)
