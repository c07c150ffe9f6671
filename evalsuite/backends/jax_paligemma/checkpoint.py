"""The two kinds of checkpoint that the jax backend runs: a Hugging Face folder, and a ``.npz`` file of big_vision."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from evalsuite.backends.base import BackendOptions, Facts
from evalsuite.backends.checkpoints.contents import unused_note
from evalsuite.backends.checkpoints.fingerprints import checkpoint_files, digest, fingerprint
from evalsuite.backends.checkpoints.identity import checkpoint_identity, file_facts
from evalsuite.backends.checkpoints.prompt import PromptTokenizer
from evalsuite.backends.checkpoints.resolve import Checkpoint, check_model, check_resolution, resolve
from evalsuite.backends.jax_paligemma.architecture import Architecture, as_config, from_config
from evalsuite.backends.jax_paligemma.big_vision_weights import BigVisionWeights, read_arrays
from evalsuite.backends.jax_paligemma.hub_weights import HubWeights, Place
from evalsuite.backends.jax_paligemma.options import JaxOptions
from evalsuite.errors import BackendError, UsageError
from evalsuite.types import JsonValue

NPZ = ".npz"
IMAGE_ID = 256000  # what transformers takes where a config does not say it
SENTENCEPIECE, TOKENIZER_JSON = "tokenizer.model", "tokenizer.json"


class WeightReader(Protocol):
    """A source of weights."""

    def parameters(self, place: Place) -> dict[str, Any]: ...


@dataclass(frozen=True)
class JaxCheckpoint:
    """What is needed to load a model. tokenizer_path: file or folder, None for the one in the checkpoint's folder."""

    checkpoint: Checkpoint
    sizes: Architecture
    tokenizer_path: Path | None

    @classmethod
    def open(cls, options: BackendOptions, settings: JaxOptions) -> JaxCheckpoint:
        """Built (tiny) or downloaded (hub id) if need be. Raises BackendError when it cannot be used."""
        return _open_npz(options, settings) if is_npz(options.model) else _open_hub(resolve(options), settings)

    @property
    def name(self) -> str:
        return self.checkpoint.name

    def weights(self) -> WeightReader:
        """Raises BackendError when arrays are missing or of a wrong shape; none is read yet."""
        if is_npz(self.name):
            return BigVisionWeights(self.name, self.checkpoint.folder, self.sizes)
        return HubWeights(self.checkpoint, self.sizes)

    def facts(self) -> dict[str, JsonValue]:
        """Fingerprints and family, for the manifest."""
        weights = digest if is_npz(self.name) else fingerprint
        facts: dict[str, JsonValue] = {
            "fingerprint": weights(self.checkpoint.folder),
            "family": self.checkpoint.family,
            **({"notes": list(self.checkpoint.notes)} if self.checkpoint.notes else {}),
        }
        if self.tokenizer_path is not None:
            path = self.tokenizer_path
            facts["tokenizer"] = fingerprint(path) if path.is_dir() else digest(path)
        return facts

    def tokenizer(self) -> PromptTokenizer:
        """Raises BackendError when it does not fit the model.

        big_vision has no image token: location and segmentation tokens are the last rows of its embedding.
        """
        rows = self.sizes.vocabulary
        config = self.checkpoint.config
        image_id = (
            rows if is_npz(self.name) else config.get("image_token_id", config.get("image_token_index", IMAGE_ID))
        )
        path = self.tokenizer_path or self.checkpoint.folder
        if path.is_dir():
            return PromptTokenizer.load(path, rows, image_id)
        if path.name == TOKENIZER_JSON:
            return PromptTokenizer.load(path.parent, rows, image_id)
        with tempfile.TemporaryDirectory() as folder:  # transformers finds a SentencePiece file by its name
            shutil.copy(path, Path(folder, SENTENCEPIECE))
            Path(folder, "config.json").write_text(json.dumps(as_config(self.sizes)), "utf-8")
            return PromptTokenizer.load(Path(folder), rows, image_id)


def check_checkpoint(options: BackendOptions, settings: JaxOptions) -> None:
    """Raise what opening would raise, without downloading or building anything."""
    if is_npz(options.model):
        _open_npz(options, settings)
        return
    check_model(options)
    _check_tokenizer(settings.tokenizer)
    if options.model and Path(options.model).expanduser().is_dir():
        _open_hub(resolve(options), settings).weights()


def identity_of(options: BackendOptions, settings: JaxOptions) -> Facts:
    """Which model it is. Nothing is downloaded. Raises BackendError for files that cannot be read."""
    if is_npz(options.model):
        path = Path(str(options.model)).expanduser()
        facts = dict(file_facts({path.name: path}))
    else:
        facts = dict(checkpoint_identity(options))
    if settings.tokenizer is not None:
        place = settings.tokenizer
        files = checkpoint_files(place) if place.is_dir() else {place.name: place}
        facts |= file_facts(files, "tokenizer given as an option,")
    return facts


def is_npz(model: str | None) -> bool:
    return model is not None and model.endswith(NPZ)


def _open_hub(checkpoint: Checkpoint, settings: JaxOptions) -> JaxCheckpoint:
    if not checkpoint.is_paligemma:
        raise BackendError(
            f"model {checkpoint.name}: is a {checkpoint.family} model, and backend jax runs PaliGemma only. "
            "Use --backend torch."
        )
    _check_tokenizer(settings.tokenizer)
    return JaxCheckpoint(checkpoint, from_config(checkpoint), settings.tokenizer)


def _open_npz(options: BackendOptions, settings: JaxOptions) -> JaxCheckpoint:
    name = str(options.model)
    path = Path(name).expanduser()
    if not path.is_file():
        raise BackendError(
            f"model {name}: there is no such file. Give a .npz file of big_vision or a checkpoint folder."
        )
    if settings.tokenizer is None:
        raise UsageError(
            f"model {name}: a .npz file holds no tokenizer. Give --option tokenizer=PATH, the SentencePiece file "
            "(paligemma_tokenizer.model) or a folder with tokenizer.json"
        )
    _check_tokenizer(settings.tokenizer)
    sizes, unused = read_arrays(name, path)
    checkpoint = Checkpoint(name, path, as_config(sizes), tuple(filter(None, [unused_note(name, unused)])))
    check_resolution(checkpoint, options)
    return JaxCheckpoint(checkpoint, sizes, settings.tokenizer)


def _check_tokenizer(path: Path | None) -> None:
    if path is None:
        return
    if not path.exists():
        raise BackendError(f"option tokenizer={path}: there is no such file or folder")
    if path.is_dir() and not any((path / name).is_file() for name in (SENTENCEPIECE, TOKENIZER_JSON)):
        raise BackendError(f"option tokenizer={path}: the folder has neither {TOKENIZER_JSON} nor {SENTENCEPIECE}")
