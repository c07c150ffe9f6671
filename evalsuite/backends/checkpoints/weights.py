"""The files of a checkpoint: whether the weights are all there, and in a form that runs no code."""

from __future__ import annotations

import json
from pathlib import Path

from evalsuite.errors import UNREADABLE, BackendError

PICKLE_PATTERNS = ("*.bin", "*.pt", "*.pth", "*.ckpt")
SINGLE_FILE, INDEX = "model.safetensors", "model.safetensors.index.json"


def check_weights(name: str, folder: Path, allow_pickle: bool) -> None:
    """Raise BackendError, naming the model ``name``, when weights are missing or only there as pickles."""
    if (folder / SINGLE_FILE).is_file():  # transformers takes it before any index
        return
    if (folder / INDEX).is_file():
        missing = [shard for shard in _shards(name, folder) if not (folder / shard).is_file()]
        if missing:
            raise BackendError(f"model {name}: {missing[0]} and perhaps more is missing. Copy it again.")
        return
    if any(folder.glob("*.safetensors")):
        return
    pickled = [path.name for pattern in PICKLE_PATTERNS for path in sorted(folder.glob(pattern))]
    if pickled and allow_pickle:
        return
    if pickled:
        raise BackendError(
            f"model {name}: has only pickle weights ({pickled[0]}), which can run code when read. Convert "
            "them to safetensors, or set the option allow_pickle_weights=true if you trust them."
        )
    raise BackendError(f"model {name}: has no weights (*.safetensors).")


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files in the order in which transformers looks: one file, an index's shards, what else there is.

    Raises what reading a damaged index raises; :func:`check_weights` comes first and names it.
    """
    if (folder / SINGLE_FILE).is_file():
        return [folder / SINGLE_FILE]
    if (folder / INDEX).is_file():
        shards = json.loads((folder / INDEX).read_text("utf-8"))["weight_map"].values()
        return [folder / shard for shard in sorted(set(shards))]
    return sorted(folder.glob("*.safetensors"))


def _shards(name: str, folder: Path) -> list[str]:
    try:
        shards = sorted(set(map(str, json.loads((folder / INDEX).read_text("utf-8"))["weight_map"].values())))
    except (*UNREADABLE, KeyError, AttributeError, TypeError) as error:
        raise BackendError(f"model {name}: {INDEX} is damaged. Copy the checkpoint again.") from error
    for shard in shards:
        if Path(shard).name != shard or not shard.endswith(".safetensors"):
            raise BackendError(
                f"model {name}: {INDEX} names {shard!r:.80}, which is no safetensors file of the folder."
            )
    return shards
