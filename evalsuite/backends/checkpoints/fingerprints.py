"""What the files of a checkpoint hold: a digest of every byte of each file that can change an answer.

A digest is kept with the file's path, size, times and inode, so that files that did not change are read once. Training
writes weights of the same name and size again and again; a change of a few bytes anywhere counts.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from evalsuite.backends.checkpoints.weights import PICKLE_PATTERNS
from evalsuite.backends.tiny.checkpoint import cache_folder
from evalsuite.errors import BackendError

WEIGHTS = ("*.safetensors", "*.npz", "*.gguf", "*.sbs")
KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("adapter", ("adapter_config.json", "adapter_model.*")),
    ("weights", (*WEIGHTS, *PICKLE_PATTERNS, "*.index.json")),
    (
        "tokenizer",
        (
            *("tokenizer*", "*.model", "*.tiktoken", "vocab.*", "merges.txt"),
            *("added_tokens.json", "special_tokens_map.json"),
        ),
    ),
    ("chat template", ("chat_template*", "*.jinja")),
    ("image processor", ("*processor_config.json", "preprocessor_config.json")),
    ("generation config", ("generation_config.json",)),
    ("quantization config", ("quant*config.json",)),
    ("config", ("config.json",)),
    ("code", ("*.py",)),
)
"""Kind of file, as messages name it -> names. The first kind that fits a name counts; other files change no answer."""
OF_TRAINING = ("optimizer*", "scheduler*", "rng_state*", "training_args.bin", "scaler.pt")
"""What a trainer leaves beside the weights: as large as these, and of no use for an answer."""
SETTLED_NS = 2_000_000_000
"""A file that changed more recently may change again within one tick of its clock; its digest is not kept."""
READERS = 4


def kind_of(name: str) -> str:
    """What a file of a checkpoint is, by its name; "" where it changes no answer.

    >>> kind_of("model-00001-of-00002.safetensors"), kind_of("trainer_state.json"), kind_of("adapter_config.json")
    ('weights', '', 'adapter')
    """
    path = Path(name)
    if any(path.match(pattern) for pattern in OF_TRAINING):
        return ""
    return next((kind for kind, patterns in KINDS if any(path.match(pattern) for pattern in patterns)), "")


def checkpoint_files(folder: Path, *, pickles: bool = False, code: bool = False) -> dict[str, Path]:
    """Name -> path of the files in a folder that can change an answer.

    pickles: weights in them are read where there are no others. code: Python files are run.
    """
    found = {path.name: path for path in sorted(folder.iterdir()) if path.is_file() and kind_of(path.name)}
    whole = {name: path for name, path in found.items() if kind_of(name) != "adapter"}
    has_safe_weights = any(Path(name).match("*.safetensors") for name in whole)
    return {
        name: path
        for name, path in found.items()
        if (code or kind_of(name) != "code")
        and not (kind_of(name) == "weights" and _is_pickle(name) and (has_safe_weights or not pickles))
    }


def digests(files: Mapping[str, Path]) -> dict[str, str]:
    """sha256 of every file, by its name. Raises BackendError for one that cannot be read."""
    with ThreadPoolExecutor(READERS) as readers:
        return dict(zip(files, readers.map(digest, files.values()), strict=True))


def digest(path: Path) -> str:
    """sha256 of a file; the one that is kept, where path, size, times and inode are those of when it was taken.

    Raises BackendError for a file that cannot be read, or that changes while it is read.
    """
    note = cache_folder() / "fingerprints" / f"{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:32]}.json"
    try:
        before = _state(path)
        kept = _kept(note, before)
        if kept is not None:
            return kept
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if _state(path) != before:
            raise BackendError(f"{path}: changed while it was read; wait until it is written, then begin again")
    except OSError as error:
        raise BackendError(f"{path}: cannot be read ({error.strerror or error})") from error
    _keep(note, before, found)
    return found


def fingerprint(folder: Path) -> str:
    """One digest over names and contents of all files of a checkpoint that can change an answer."""
    return joined(digests(checkpoint_files(folder, pickles=True, code=True)))


def joined(facts: Mapping[str, str]) -> str:
    """64 hexadecimal digits of names and digests, in whatever order they come."""
    return hashlib.sha256(json.dumps(sorted(facts.items())).encode()).hexdigest()


def _is_pickle(name: str) -> bool:
    return any(Path(name).match(pattern) for pattern in PICKLE_PATTERNS)


def _state(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev]


def _kept(note: Path, state: Iterable[int]) -> str | None:
    try:
        held = json.loads(note.read_text("utf-8"))
        return str(held["sha256"]) if held["state"] == list(state) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _keep(note: Path, state: list[int], found: str) -> None:
    """A cache that cannot be written costs time, nothing else."""
    if time.time_ns() - max(state[1], state[2]) < SETTLED_NS:
        return
    with contextlib.suppress(OSError):
        note.parent.mkdir(parents=True, exist_ok=True)
        new = note.with_name(f".{note.name}.{os.getpid()}")
        new.write_text(json.dumps({"state": state, "sha256": found}), "utf-8")
        os.replace(new, note)
