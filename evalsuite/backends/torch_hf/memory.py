"""How much fits at once, and what happens when it did not."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TypeVar

import torch

from evalsuite.backends.base import BatchLimits
from evalsuite.backends.torch_hf.options import TorchOptions
from evalsuite.errors import BackendOutOfMemory

Result = TypeVar("Result")

SIGNS = ("out of memory", "can't allocate memory", "not enough memory", "failed to allocate")
EXAMPLES = {"cuda": 32}
CPU_COST = 65536
TOKENS_PER_GIB = 2048  # key/value cache and activations of a 3B model, with room to spare


def batch_limits(options: TorchOptions, device: torch.device) -> BatchLimits:
    """The user's limits, else by device: 32 examples on cuda, 16 elsewhere, and tokens by the memory there is."""
    cost = options.max_batch_cost
    if cost is None and device.type == "cuda":
        cost = TOKENS_PER_GIB * max(8, torch.cuda.get_device_properties(device).total_memory >> 30)
    return BatchLimits(options.batch_size or EXAMPLES.get(device.type, 16), cost or CPU_COST)


def catch_out_of_memory(work: Callable[[], Result]) -> Result:
    """Run ``work``; when memory runs out, free what it held and raise BackendOutOfMemory."""
    try:
        return work()
    except MemoryError:
        message = "out of memory"
    except RuntimeError as error:  # torch.OutOfMemoryError is one; the CPU allocator raises a plain one
        if not any(sign in str(error).lower() for sign in SIGNS):
            raise
        message = str(error).splitlines()[0]
    # Outside of the handlers: the traceback, which holds the tensors, is gone.
    release()
    raise BackendOutOfMemory(f"the batch did not fit into memory: {message}")


def release() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
