"""Devices, number formats and the cache of compiled programs."""

from __future__ import annotations

import gc
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from numpy.typing import NDArray

from evalsuite.backends.base import BatchLimits
from evalsuite.backends.jax_paligemma.options import NO_CACHE, JaxOptions
from evalsuite.backends.tiny.checkpoint import cache_folder
from evalsuite.errors import BackendOutOfMemory, UsageError

Result = TypeVar("Result")

ROWS = "rows"  # the one mesh axis: rows of a batch are spread over it
SIGNS = ("resource_exhausted", "out of memory", "failed to allocate", "allocation failure")
CPU_EXAMPLES, OTHER_EXAMPLES = 16, 32  # per device
CPU_COST = 65536
LEAST_COMPILE_SECONDS = 0.5  # of a program worth keeping
TOKENS_PER_GIB = 2048  # key/value cache and activations of a 3B model, with room to spare


@dataclass(frozen=True)
class Placement:
    """Where and in which number format a model runs; weights are copied to every device."""

    devices: tuple[Any, ...]
    dtype: str

    @property
    def platform(self) -> str:
        name: str = self.devices[0].platform
        return name

    @property
    def everywhere(self) -> NamedSharding:
        return self._sharding()

    @property
    def by_row(self) -> NamedSharding:
        return self._sharding(ROWS)

    def _sharding(self, *axes: str) -> NamedSharding:
        specification: Any = PartitionSpec
        return NamedSharding(Mesh(np.array(self.devices), (ROWS,)), specification(*axes))

    def place_weights(self, array: NDArray[Any]) -> jax.Array:
        placed: jax.Array = jax.device_put(np.ascontiguousarray(array, jax.numpy.dtype(self.dtype)), self.everywhere)
        return placed


def placement(options: JaxOptions) -> Placement:
    """Raises UsageError when the devices are not there."""
    devices = local_devices(options)
    dtype = options.dtype
    if dtype == "auto":
        dtype = "float32" if devices[0].platform == "cpu" else "bfloat16"
    return Placement(devices, dtype)


def local_devices(options: JaxOptions) -> tuple[Any, ...]:
    """Raises UsageError when they are not there."""
    try:
        found = jax.local_devices(backend=None if options.device == "auto" else options.device)
    except RuntimeError as error:
        seen = sorted({device.platform for device in jax.local_devices()})
        raise UsageError(f"device {options.device}: jax sees only {', '.join(seen)}. Use device=auto.") from error
    wanted = options.devices or len(found)
    if wanted > len(found):
        raise UsageError(f"backend 'jax': option devices={wanted}, but jax sees {len(found)} here.")
    return tuple(found[:wanted])


def batch_limits(options: JaxOptions, where: Placement) -> BatchLimits:
    """The user's limits, else by device: 32 examples each, 16 on the CPU, and tokens by the memory there is."""
    count, on_cpu = len(where.devices), where.platform == "cpu"
    cost = options.max_batch_cost or CPU_COST
    if not on_cpu and options.max_batch_cost is None:
        memory = (where.devices[0].memory_stats() or {}).get("bytes_limit", 0)
        cost = TOKENS_PER_GIB * max(8, memory >> 30) * count
    return BatchLimits(options.batch_size or (CPU_EXAMPLES if on_cpu else OTHER_EXAMPLES) * count, cost)


def use_compilation_cache(options: JaxOptions, platform: str) -> None:
    """Keep compiled programs in a folder: the one asked for, else one that jax was told by its own setting, else ours.

    Programs for the CPU depend on its instruction set, so that each kind of CPU has a folder of its own.
    """
    settings: Any = jax.config
    settings.update("jax_enable_compilation_cache", options.compilation_cache != NO_CACHE)
    if options.compilation_cache == NO_CACHE:
        return
    folder = options.compilation_cache or settings.jax_compilation_cache_dir
    if folder is None:
        kind = _cpu_kind() if platform == "cpu" else platform
        folder = cache_folder().parent / "jax" / kind
    settings.update("jax_compilation_cache_dir", str(Path(folder).expanduser()))
    settings.update("jax_persistent_cache_min_compile_time_secs", LEAST_COMPILE_SECONDS)


def _cpu_kind() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text("utf-8").splitlines() if information.is_file() else []
    flags = next((line for line in lines if line.startswith(("flags", "Features"))), "")
    return f"cpu-{hashlib.sha256(flags.encode()).hexdigest()[:8]}"


def catch_out_of_memory(work: Callable[[], Result]) -> Result:
    """Run ``work``; when memory runs out, free what it held and raise BackendOutOfMemory."""
    try:
        return work()
    except MemoryError:
        message = "out of memory"
    except RuntimeError as error:  # XLA's errors are
        if not any(sign in str(error).lower() for sign in SIGNS):
            raise
        message = str(error).splitlines()[0]
    # Outside of the handlers: the traceback, which holds the arrays, is gone.
    gc.collect()
    raise BackendOutOfMemory(f"the batch did not fit into memory: {message}")
