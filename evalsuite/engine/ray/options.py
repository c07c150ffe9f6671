"""Settings of the ray engine, read before anything starts."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from evalsuite.backends.settings import Settings
from evalsuite.errors import MissingDependency, UsageError
from evalsuite.settings.run import RunConfig

DEFAULT_CPUS = 0.5
"""Processors that a worker reserves. A whole one each would leave none on a small machine for anything else."""


@dataclass(frozen=True, slots=True)
class RayOptions:
    """workers: None for one per GPU, or two without GPUs. gpus, cpus: per worker, may be fractions. piece: examples."""

    workers: int | None = None
    gpus: float = 0.0
    cpus: float = DEFAULT_CPUS
    piece: int = 64
    address: str | None = None

    @classmethod
    def read(cls, values: Mapping[str, str], address: str | None) -> RayOptions:
        """From the command line. Raises UsageError or UnknownName."""
        settings = Settings("ray", values, "engine")
        workers = settings.integer("workers", None)
        gpus, cpus = (_share(name, settings.text(name, default)) for name, default in (("gpus", "0"), ("cpus", "0.5")))
        piece = settings.integer("piece", 64)
        settings.finish()
        return cls(workers, gpus, cpus, piece or 64, address)


def _share(name: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e6:
        raise UsageError(f"--engine-option {name}={text}: give a number, such as 1 or 0.5")
    return value


def check(config: RunConfig) -> RayOptions:
    """The options of a run, before anything starts. Raises MissingDependency, UsageError or UnknownName."""
    if sys.modules.get("ray", True) is None or importlib.util.find_spec("ray") is None:
        raise MissingDependency("--engine ray", needs="ray", extra="ray")
    return RayOptions.read(config.engine_options, config.ray_address)
