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
from evalsuite.backends.openvino_cpu.embeddings import table_files, write_table
from evalsuite.backends.openvino_cpu.graphs import image_encoder, language_model
from evalsuite.backends.openvino_cpu.layers import WEIGHTS
from evalsuite.backends.openvino_cpu.shape import ModelShape
from evalsuite.backends.openvino_cpu.tensors import CheckpointTensors
from evalsuite.backends.tiny.checkpoint import cache_folder
from evalsuite.files.folders import KeptFolder

RECIPE = 2  # raise when graphs or rounding change
OUTER = {"int4": "int8"}  # precision of embeddings and image tower where it is not that of the layers


@dataclass(frozen=True)
class PreparedModel:
    """A complete folder. tied: the embedding table is the output layer too, which the language model holds."""

    folder: Path
    tied: bool

    @property
    def image_encoder(self) -> Path:
        return self.folder / "image_encoder.xml"

    @property
    def language_model(self) -> Path:
        return self.folder / "language_model.xml"

    @property
    def weight_bytes(self) -> int:
        """Bytes of all weights; a tied embedding table counts once, as the output layer."""
        files = [path.with_suffix(".bin") for path in (self.image_encoder, self.language_model)]
        return sum(path.stat().st_size for path in (*files, *(() if self.tied else table_files(self.folder))))


def prepared_model(checkpoint: Checkpoint, shape: ModelShape, precision: str) -> PreparedModel:
    """From the cache, or made now. Raises BackendError when the checkpoint's weights do not fit its config."""
    tensors = CheckpointTensors(checkpoint)
    identity = json.dumps([RECIPE, precision, fingerprint(checkpoint.folder)])
    folder = cache_folder() / f"openvino-{hashlib.sha256(identity.encode()).hexdigest()[:16]}"

    def write(work: Path) -> None:
        _write(tensors, shape, precision, PreparedModel(work, tensors.ends.tied))

    return PreparedModel(KeptFolder(folder, "fingerprints.json", digest).made(write), tensors.ends.tied)


def _write(tensors: CheckpointTensors, shape: ModelShape, precision: str, made: PreparedModel) -> None:
    """An output layer of its own is kept in the precision of the embeddings."""
    weight, outer = WEIGHTS[precision], OUTER.get(precision, precision)

    def save(graph: ov.Model, place: Path) -> None:
        """openvino's compression makes other numbers of infinity, NaN and what float16 does not hold."""
        ov.save_model(graph, place, compress_to_fp16=precision == "bf16" and tensors.fit_half)

    save(image_encoder(shape, tensors, WEIGHTS[outer]), made.image_encoder)
    ends, size = tensors.ends, (shape.text.vocabulary, shape.text.width)
    table = tensors.read(ends.embeddings, *size)
    write_table(table, outer, made.folder)
    output = WEIGHTS[outer](table if ends.tied else tensors.read(ends.output, *size))
    save(language_model(shape.text, tensors, weight, output), made.language_model)
