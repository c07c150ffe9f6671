"""The files of a checkpoint: whether the weights are all there, and what identifies the whole."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import BinaryIO

from evalsuite.errors import UNREADABLE, BackendError

PICKLE_PATTERNS = ("*.bin", "*.pt", "*.pth", "*.ckpt")
SINGLE_FILE, INDEX = "model.safetensors", "model.safetensors.index.json"
IDENTIFYING = (
    "config.json",
    "generation_config.json",
    "*.safetensors",
    *PICKLE_PATTERNS,
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "chat_template*",
)
WHOLE_FILE = 64 << 20  # files up to this size enter the fingerprint completely
SAMPLES, SAMPLE = 64, 64 << 10  # of larger ones, so many pieces of so many bytes, evenly spread from end to end


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


def fingerprint(folder: Path) -> str:
    """sha256 over names, sizes and contents of the files that can change an answer: weights, configs, tokenizer.

    Of files above 64 MB, 64 pieces of 64 kB are read, spread over the whole file: merging an adapter, for one, leaves
    both ends of the weights as they were.
    """
    total = hashlib.sha256()
    for path in sorted({path for pattern in IDENTIFYING for path in folder.glob(pattern) if path.is_file()}):
        _add(total, path)
    return total.hexdigest()


def file_fingerprint(path: Path) -> str:
    """:func:`fingerprint` of weights that are a single file."""
    total = hashlib.sha256()
    _add(total, path)
    return total.hexdigest()


def _add(total: hashlib._Hash, path: Path) -> None:
    size = path.stat().st_size
    total.update(f"{path.name}:{size}:".encode())
    with path.open("rb") as file:
        total.update(file.read() if size <= WHOLE_FILE else _samples(file, size))


def _samples(file: BinaryIO, size: int) -> bytes:
    pieces = []
    for number in range(SAMPLES):
        file.seek((size - SAMPLE) * number // (SAMPLES - 1))
        pieces.append(file.read(SAMPLE))
    return b"".join(pieces)


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
