"""Where a model's files are, what kind of model they hold, and whether they can be used: decided without torch."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.backends.base import BackendOptions
from evalsuite.backends.tiny import MAX_RESOLUTION, PATCH, TINY_MODELS, tiny_checkpoint
from evalsuite.backends.torch_hf.options import TorchOptions
from evalsuite.errors import BackendError, UsageError

DEFAULT_MODEL = "tiny"
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
PICKLE_PATTERNS = ("*.bin", "*.pt", "*.pth", "*.ckpt")
WHOLE_FILE = 64 << 20  # files up to this size enter the fingerprint completely
EDGE = 1 << 20


@dataclass(frozen=True)
class Checkpoint:
    """A folder with a model. name: as the user gave it. family: paligemma, paligemma2 or the config's model type."""

    name: str
    folder: Path
    config: Mapping[str, Any]

    @property
    def family(self) -> str:
        kind = str(self.config.get("model_type", "unknown"))
        if kind != "paligemma":
            return kind
        return "paligemma2" if self.config.get("text_config", {}).get("model_type") == "gemma2" else "paligemma"

    @property
    def is_paligemma(self) -> bool:
        return self.config.get("model_type") == "paligemma"

    @property
    def resolution(self) -> int | None:
        """Side of the square input image in pixels, where the config states it."""
        side = self.config.get("vision_config", {}).get("image_size")
        return side if isinstance(side, int) else None


def check_model(options: BackendOptions) -> None:
    """Raise BackendError when the model can be seen to be unusable, without loading or downloading anything.

    A hub id is accepted by its form; offline, its config must be in the local hub cache.
    """
    name = options.model or DEFAULT_MODEL
    if name in TINY_MODELS:
        _tiny_resolution(options)
        _whole_number(options, "seed")
    elif _is_hub_id(name):
        _check_hub_id(name)
    else:
        checkpoint = _open_folder(name, Path(name).expanduser())
        _check_weights(checkpoint, TorchOptions.read(options.options).allow_pickle_weights)
        check_resolution(checkpoint, options)


def resolve(options: BackendOptions, torch_options: TorchOptions) -> Checkpoint:
    """The checkpoint behind ``options.model``, built (tiny) or downloaded (hub id) if need be."""
    name = options.model or DEFAULT_MODEL
    if name in TINY_MODELS:
        seed = _whole_number(options, "seed") or 0
        folder = tiny_checkpoint(TINY_MODELS[name], seed, _tiny_resolution(options))
    elif _is_hub_id(name):
        folder = _download(name, torch_options)
    else:
        folder = Path(name).expanduser()
    checkpoint = _open_folder(name, folder)
    _check_weights(checkpoint, torch_options.allow_pickle_weights)
    check_resolution(checkpoint, options)
    return checkpoint


def check_resolution(checkpoint: Checkpoint, options: BackendOptions) -> None:
    """The run's attribute ``resolution`` must be what the checkpoint was made for."""
    asked = _whole_number(options, "resolution")
    if asked is not None and checkpoint.resolution is not None and asked != checkpoint.resolution:
        raise BackendError(
            f"model {checkpoint.name}: made for {checkpoint.resolution} px images, but the run's attribute resolution "
            f"is {asked}. Choose another checkpoint or set resolution={checkpoint.resolution}."
        )


def fingerprint(folder: Path) -> str:
    """sha256 over the config and the names, sizes and contents of the weight files.

    Of files above 64 MB only the first and the last 1 MB are read.
    """
    total = hashlib.sha256((folder / "config.json").read_bytes())
    weights = [path for pattern in ("*.safetensors", *PICKLE_PATTERNS) for path in folder.glob(pattern)]
    for path in sorted(weights):
        size = path.stat().st_size
        total.update(f"{path.name}:{size}:".encode())
        with path.open("rb") as file:
            if size <= WHOLE_FILE:
                total.update(file.read())
            else:
                total.update(file.read(EDGE))
                file.seek(-EDGE, os.SEEK_END)
                total.update(file.read(EDGE))
    return total.hexdigest()


def _tiny_resolution(options: BackendOptions) -> int:
    asked = _whole_number(options, "resolution")
    resolution = 56 if asked is None else asked
    if resolution % PATCH or not PATCH <= resolution <= MAX_RESOLUTION:
        raise BackendError(
            f"model tiny: resolution {asked} is not possible. Give a multiple of {PATCH} up to {MAX_RESOLUTION}."
        )
    return resolution


def _is_hub_id(name: str) -> bool:
    """``owner/name`` or ``owner/name@revision``, unless it can only be meant as a path here."""
    path = Path(name).expanduser()
    return HUB_ID.fullmatch(name) is not None and not path.exists() and not Path(path.parts[0]).exists()


def _check_hub_id(name: str) -> None:
    if os.environ.get("HF_HUB_OFFLINE", "").lower() not in ("1", "true", "yes", "on"):
        return
    from huggingface_hub import try_to_load_from_cache

    repository, _, revision = name.partition("@")
    if not isinstance(try_to_load_from_cache(repository, "config.json", revision=revision or None), str):
        raise BackendError(f"model {name}: not in the local hub cache, and HF_HUB_OFFLINE is set. Download it first.")


def _download(name: str, options: TorchOptions) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    repository, _, revision = name.partition("@")
    patterns = [*HUB_FILES]
    patterns += PICKLE_PATTERNS if options.allow_pickle_weights else ()
    patterns += ("*.py",) if options.trust_remote_code else ()
    try:
        return Path(snapshot_download(repository, revision=revision or None, allow_patterns=patterns))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise BackendError(
            f"model {name}: cannot be fetched from the hub ({str(error).splitlines()[0]}). Is the name right, the "
            "network there, and, for gated models, its licence accepted and a token set?"
        ) from error


def _open_folder(name: str, folder: Path) -> Checkpoint:
    if not folder.is_dir():
        raise BackendError(f"model {name}: no such folder. Give a checkpoint folder, a hub id owner/name, or tiny.")
    file = folder / "config.json"
    if not file.is_file():
        if (folder / "adapter_config.json").is_file():
            raise BackendError(f"model {name}: is an adapter, not a whole model. Merge it into its base model first.")
        raise BackendError(f"model {name}: is no checkpoint, it has no config.json.")
    try:
        config = json.loads(file.read_text("utf-8"))
    except ValueError as error:
        raise BackendError(f"model {name}: config.json is damaged ({error}). Copy the checkpoint again.") from error
    if not isinstance(config, dict):
        raise BackendError(f"model {name}: config.json is damaged (no object). Copy the checkpoint again.")
    return Checkpoint(name, folder, config)


def _check_weights(checkpoint: Checkpoint, allow_pickle: bool) -> None:
    index = checkpoint.folder / "model.safetensors.index.json"
    if index.is_file():
        missing = [shard for shard in _shards(index, checkpoint) if not (checkpoint.folder / shard).is_file()]
        if missing:
            raise BackendError(f"model {checkpoint.name}: {missing[0]} and perhaps more is missing. Copy it again.")
        return
    if any(checkpoint.folder.glob("*.safetensors")):
        return
    pickled = [path.name for pattern in PICKLE_PATTERNS for path in sorted(checkpoint.folder.glob(pattern))]
    if pickled and allow_pickle:
        return
    if pickled:
        raise BackendError(
            f"model {checkpoint.name}: has only pickle weights ({pickled[0]}), which can run code when read. Convert "
            "them to safetensors, or set the option allow_pickle_weights=true if you trust them."
        )
    raise BackendError(f"model {checkpoint.name}: has no weights (*.safetensors).")


def _shards(index: Path, checkpoint: Checkpoint) -> list[str]:
    try:
        return sorted(set(json.loads(index.read_text("utf-8"))["weight_map"].values()))
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise BackendError(f"model {checkpoint.name}: {index.name} is damaged. Copy the checkpoint again.") from error


def _whole_number(options: BackendOptions, name: str) -> int | None:
    """A run attribute as a number. Raises UsageError when it is none."""
    value = options.attributes.get(name)
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        raise UsageError(f"attribute {name}={value!r} is not a whole number.") from None
