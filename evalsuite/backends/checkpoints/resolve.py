"""Where a model's files are, what kind of model they hold, and whether they can be used."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from evalsuite.backends.base import BackendOptions
from evalsuite.backends.checkpoints.contents import Quantizations, check_contents, refuse_adapters
from evalsuite.backends.checkpoints.weights import PICKLE_PATTERNS, check_weights
from evalsuite.backends.miniature import MINIATURE, miniature_checkpoint
from evalsuite.backends.tiny.checkpoint import mid_checkpoint, tiny_checkpoint
from evalsuite.backends.tiny.shapes import MAX_RESOLUTION, MID, PATCH, RECIPE, TINY_MODELS
from evalsuite.errors import UNREADABLE, BackendError, UsageError

DEFAULT_MODEL = MINIATURE
RANDOM_MODELS = {**dict.fromkeys(TINY_MODELS, 56), MID: 224}
"""Names of the random models that are built on first use, and the resolution of each unless the run sets one."""
HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*(@[\w./-]+)?")
HUB_FILES = ("*.json", "*.safetensors", "*.model", "*.txt", "*.jinja")
DEFAULT_SIDE = 224  # what a SigLIP config means that does not state its image size, as PaliGemma's at 224 px


@dataclass(frozen=True)
class Trust:
    """What a checkpoint may run of its own: code in pickled weights, and Python files. Nothing unless asked for."""

    pickle_weights: bool = False
    remote_code: bool = False


NO_TRUST = Trust()
PLAIN_NUMBERS: Quantizations = {}


@dataclass(frozen=True)
class Checkpoint:
    """A folder with a model. name: as the user gave it. family: paligemma, paligemma2 or the config's model type.

    notes: what a user should know about its files.
    """

    name: str
    folder: Path
    config: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def family(self) -> str:
        kind = str(self.config.get("model_type", "unknown"))
        if kind != "paligemma":
            return kind
        return "paligemma2" if _part(self.config, "text_config").get("model_type") == "gemma2" else "paligemma"

    @property
    def is_paligemma(self) -> bool:
        return self.config.get("model_type") == "paligemma"

    @property
    def resolution(self) -> int | None:
        """Side of the square input image in pixels, where the config tells it."""
        side = _part(self.config, "vision_config").get("image_size", DEFAULT_SIDE if self.is_paligemma else None)
        return side if isinstance(side, int) else None


def _part(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = config.get(name)
    return part if isinstance(part, Mapping) else {}


def check_model(
    options: BackendOptions, trust: Trust = NO_TRUST, quantizations: Quantizations = PLAIN_NUMBERS
) -> Checkpoint | None:
    """Raise BackendError when the model can be seen to be unusable, without loading or downloading anything.

    A hub id is accepted by its form; offline, the whole model must be in the local hub cache. Returns the checkpoint
    where its files were looked at.
    """
    name = options.model or DEFAULT_MODEL
    if name in RANDOM_MODELS:
        _random_resolution(name, options)
        _whole_number(options, "seed")
    elif name == MINIATURE:
        miniature_checkpoint(options.attributes)
    elif not _is_hub_id(name):
        return _open(name, Path(name).expanduser(), options, trust, quantizations)
    elif read_offline():
        return _open(name, _download(name, trust), options, trust, quantizations)
    return None


def resolve(
    options: BackendOptions, trust: Trust = NO_TRUST, quantizations: Quantizations = PLAIN_NUMBERS
) -> Checkpoint:
    """The checkpoint behind ``options.model``: shipped (miniature), built (tiny), downloaded (hub id) or a folder.

    quantizations: what the backend reads besides plain numbers. Raises BackendError for what it cannot use.
    """
    name = options.model or DEFAULT_MODEL
    if name in RANDOM_MODELS:
        seed, resolution = _whole_number(options, "seed") or 0, _random_resolution(name, options)
        folder = (
            mid_checkpoint(seed, resolution) if name == MID else tiny_checkpoint(TINY_MODELS[name], seed, resolution)
        )
    elif name == MINIATURE:
        folder = miniature_checkpoint(options.attributes)
    elif _is_hub_id(name):
        folder = _download(name, trust)
    else:
        folder = Path(name).expanduser()
    return _open(name, folder, options, trust, quantizations)


def random_model(options: BackendOptions) -> str | None:
    """What a random model is made from, in words; None for a model with files."""
    name = options.model or DEFAULT_MODEL
    if name not in RANDOM_MODELS:
        return None
    seed = _whole_number(options, "seed") or 0
    return f"{name}, recipe {RECIPE}, seed {seed}, {_random_resolution(name, options)} px"


def local_folder(options: BackendOptions) -> Path | None:
    """The folder of a model that is here by itself; None for one on the hub. Not for random models."""
    name = options.model or DEFAULT_MODEL
    if name == MINIATURE:
        return miniature_checkpoint(options.attributes)
    return None if _is_hub_id(name) else Path(name).expanduser()


def check_resolution(checkpoint: Checkpoint, options: BackendOptions) -> None:
    """The run's attribute ``resolution`` must be what the checkpoint was made for."""
    asked = _whole_number(options, "resolution")
    if asked is not None and checkpoint.resolution is not None and asked != checkpoint.resolution:
        raise BackendError(
            f"model {checkpoint.name}: made for {checkpoint.resolution} px images, but the run's attribute resolution "
            f"is {asked}. Choose another checkpoint or set resolution={checkpoint.resolution}."
        )


def _random_resolution(name: str, options: BackendOptions) -> int:
    asked = _whole_number(options, "resolution")
    resolution = RANDOM_MODELS[name] if asked is None else asked
    if resolution % PATCH or not PATCH <= resolution <= MAX_RESOLUTION:
        raise BackendError(
            f"model {name}: resolution {asked} is not possible. Give a multiple of {PATCH} up to {MAX_RESOLUTION}."
        )
    return resolution


def _is_hub_id(name: str) -> bool:
    """``owner/name`` or ``owner/name@revision``, unless it can only be meant as a path here."""
    path = Path(name).expanduser()
    return HUB_ID.fullmatch(name) is not None and not path.exists() and not Path(path.parts[0]).exists()


def read_offline() -> bool:
    """Whether hub libraries may not use the network; read here so that planning need not import them."""
    chosen = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return chosen.upper() in ("1", "ON", "YES", "TRUE")


def _download(name: str, trust: Trust) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    repository, _, revision = name.partition("@")
    patterns = [*HUB_FILES]
    patterns += PICKLE_PATTERNS if trust.pickle_weights else ()
    patterns += ("*.py",) if trust.remote_code else ()
    settings: dict[str, Any] = {"revision": revision or None, "local_files_only": read_offline()}
    try:
        return Path(snapshot_download(repository, allow_patterns=patterns, **settings))
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        if read_offline():
            reason = "not in the local hub cache, and HF_HUB_OFFLINE is set"
            raise BackendError(f"model {name}: {reason}. {_nearest(name)}Download it first.") from None
        raise BackendError(
            f"model {name}: cannot be fetched from the hub ({str(error).splitlines()[0]}). {_nearest(name)}Is the name "
            "right, the network there, and, for gated models, its licence accepted and a token set?"
        ) from error


def _open(name: str, folder: Path, options: BackendOptions, trust: Trust, quantizations: Quantizations) -> Checkpoint:
    """The checkpoint in ``folder``, looked at as far as that needs no framework."""
    checkpoint = _open_folder(name, folder)
    check_weights(name, folder, trust.pickle_weights)
    check_resolution(checkpoint, options)
    return replace(checkpoint, notes=check_contents(name, folder, checkpoint.config, quantizations))


def _nearest(name: str) -> str:
    """``Did you mean 'x'? `` for a model of ours or a folder whose path differs from ``name`` in one part, else ""."""
    place, path = Path(), Path(name).expanduser()
    for depth, part in enumerate(path.parts):
        if (place / part).is_dir():
            place /= part
            continue
        rest = path.parts[depth + 1 :]
        try:
            words = [entry.name for entry in os.scandir(place) if place.joinpath(entry.name, *rest).is_dir()]
        except OSError:
            return ""
        words += [] if "/" in name else (MINIATURE, *RANDOM_MODELS)
        known = {word.lower(): word for word in words}
        near = difflib.get_close_matches(part.lower(), known, n=1)
        return f"Did you mean {str(place.joinpath(known[near[0]], *rest))!r}? " if near else ""
    return ""


def _open_folder(name: str, folder: Path) -> Checkpoint:
    if not folder.is_dir():
        way_out = f"{_nearest(name)}Give a checkpoint folder, a hub id owner/name, or miniature."
        raise BackendError(f"model {name}: no such folder. {way_out}")
    refuse_adapters(name, folder)
    file = folder / "config.json"
    if not file.is_file():
        raise BackendError(f"model {name}: is no checkpoint, it has no config.json.")
    try:
        config = json.loads(file.read_text("utf-8"))
    except UNREADABLE as error:
        raise BackendError(f"model {name}: config.json is damaged ({error}). Copy the checkpoint again.") from error
    if not isinstance(config, dict):
        raise BackendError(f"model {name}: config.json is damaged (no object). Copy the checkpoint again.")
    return Checkpoint(name, folder, config)


def _whole_number(options: BackendOptions, name: str) -> int | None:
    """A run attribute as a number. Raises UsageError when it is none."""
    value = options.attributes.get(name)
    try:
        return None if value is None else int(value)
    except (TypeError, ValueError):
        raise UsageError(f"attribute {name}={value!r} is not a whole number.").about(f"set.{name}") from None
