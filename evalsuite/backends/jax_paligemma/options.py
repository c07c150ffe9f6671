"""The settings of the jax backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evalsuite.backends.settings import Settings

DTYPES = ("auto", "float32", "bfloat16")
DEVICES = ("auto", "cpu", "gpu", "tpu")
NO_CACHE = "none"


@dataclass(frozen=True)
class JaxOptions:
    """What ``--option name=value`` may set.

    dtype: auto is float32 on the CPU and bfloat16 elsewhere. device: auto is what jax prefers. devices: how many local
    ones share a batch; None is all. batch_size: most examples at once; None is 16 per CPU device and 32 per other one.
    max_batch_cost: most padded tokens at once; None depends on the memory. tokenizer: file or folder, needed by a
    ``.npz`` checkpoint. compilation_cache: folder of compiled programs, None for the default one, ``none`` for none.
    """

    dtype: str = "auto"
    device: str = "auto"
    devices: int | None = None
    batch_size: int | None = None
    max_batch_cost: int | None = None
    tokenizer: Path | None = None
    compilation_cache: str | None = None

    @classmethod
    def read(cls, values: Mapping[str, str]) -> JaxOptions:
        """From text values. Raises UsageError, with a suggestion, for an unknown name or a wrong value."""
        settings = Settings("jax", values)
        tokenizer = settings.text("tokenizer", "")
        settings.choice("image_pipeline", ("reference",), "reference")
        options = cls(
            dtype=settings.choice("dtype", DTYPES, "auto"),
            device=settings.choice("device", DEVICES, "auto"),
            devices=settings.integer("devices", None),
            batch_size=settings.integer("batch_size", None),
            max_batch_cost=settings.integer("max_batch_cost", None),
            tokenizer=Path(tokenizer).expanduser() if tokenizer else None,
            compilation_cache=settings.text("compilation_cache", "") or None,
        )
        settings.finish()
        return options
