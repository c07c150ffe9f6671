"""``--model tiny``: a small seeded random PaliGemma that loads like any local checkpoint folder.

It lets every task run anywhere, offline, in seconds. Its answers mean nothing, but they depend on the image and on
the prompt, mix words with location and segmentation tokens, and end by themselves. The files are written by hand
with numpy and safetensors, so that no framework is needed to build them and the same seed gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from evalsuite.backends.tiny.shapes import (
    FAMILIES,
    MAX_RESOLUTION,
    MID,
    MID_SHAPE,
    PATCH,
    TinyShape,
    image_processor_config,
    model_config,
)
from evalsuite.backends.tiny.tokenizer import write_tokenizer
from evalsuite.backends.tiny.weights import tiny_weights
from evalsuite.errors import UsageError, did_you_mean
from evalsuite.files.folders import KeptFolder


def tiny_checkpoint(
    family: str = "paligemma2", seed: int = 0, resolution: int = 56, sliding_window: int | None = None
) -> Path:
    """Folder of the tiny checkpoint, built on first use and kept in the user's cache.

    family: ``paligemma`` (Gemma 1 text) or ``paligemma2`` (Gemma 2 text). resolution: pixels, a multiple of 14 up to
    448. sliding_window: the window that the config of a ``paligemma2`` declares for every second layer; backends must
    ignore it, as big_vision does. Raises UsageError for anything else.
    """
    if family not in FAMILIES:
        raise UsageError(f"tiny model: unknown family {family!r}. {did_you_mean(family, FAMILIES)}")
    check_drawable(seed, resolution)
    return _checkpoint("tiny", TinyShape(family, seed, resolution, sliding_window))


def mid_checkpoint(seed: int = 0, resolution: int = 224) -> Path:
    """Folder of the checkpoint ``mid``, built like the tiny one, for measuring speed (``evalsuite bench``).

    A SigLIP-B image tower (86 million parameters) and a Gemma 2 of 6 layers, width 1024 and 32,768 tokens (128
    million). Its embedding rows differ in length, since rows of one length would make 32,768 near ties. How often a
    rounded model agrees with the exact one depends on that choice (docs/performance.md).
    resolution: pixels, a multiple of 14 up to 448. Raises UsageError
    for anything else.
    """
    check_drawable(seed, resolution)
    return _checkpoint(MID, replace(MID_SHAPE, seed=seed, resolution=resolution))


def check_drawable(seed: int, resolution: int) -> None:
    if resolution % PATCH or not PATCH <= resolution <= MAX_RESOLUTION:
        raise UsageError(f"tiny model: resolution {resolution} is not a multiple of {PATCH} up to {MAX_RESOLUTION}.")
    if seed < 0:
        raise UsageError(f"tiny model: seed {seed} is negative.")


def _checkpoint(name: str, shape: TinyShape) -> Path:
    def write(work: Path) -> None:
        from safetensors.numpy import save_file

        save_file(tiny_weights(shape), work / "model.safetensors", metadata={"format": "pt"})
        write_tokenizer(work)
        _write_json(work / "config.json", model_config(shape))
        _write_json(work / "preprocessor_config.json", image_processor_config(shape))

    return KeptFolder(cache_folder() / f"{name}-{shape.digest()}", "digests.json", _sha256).made(write)


def cache_folder() -> Path:
    """``$EVALSUITE_CACHE/models``, else ``$XDG_CACHE_HOME/evalsuite/models``, else ``~/.cache/evalsuite/models``."""
    own = os.environ.get("EVALSUITE_CACHE")
    if own:
        return Path(own) / "models"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "evalsuite" / "models"


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", "utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
