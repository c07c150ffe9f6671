"""PaliGemma and PaliGemma 2 on the CPU, in 8 bits unless asked otherwise, through OpenVINO and without torch.

The graph is our own, written from the checkpoint's weights; the prepared model is kept in the cache. Nothing here
imports openvino until ``create`` is called, so that planning stays fast.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.backends.base import BackendOptions, Facts
from evalsuite.backends.checkpoints.identity import checkpoint_identity
from evalsuite.backends.checkpoints.resolve import check_model, resolve
from evalsuite.backends.needs import Needs, Packages
from evalsuite.backends.openvino_cpu.options import CpuOptions
from evalsuite.backends.openvino_cpu.shape import model_shape

if TYPE_CHECKING:
    from evalsuite.backends.openvino_cpu.backend import CpuBackend

__all__ = ["check", "create", "identity"]

PACKAGES = Packages("cpu", ("openvino", "transformers", "tokenizers"))
NEEDS = Needs(PACKAGES)


def check(options: BackendOptions) -> None:
    """Raise MissingDependency, UsageError or BackendError now, without loading any weights."""
    PACKAGES.require("backend 'cpu'")
    CpuOptions.read(options.options)
    check_model(options)
    if options.model is not None and Path(options.model).expanduser().is_dir():
        model_shape(resolve(options))


def identity(options: BackendOptions) -> Facts:
    """Which model it is, by its files."""
    return checkpoint_identity(options)


def create(options: BackendOptions) -> CpuBackend:
    """Load the model, prepared first where that was not done yet. Raises what ``check`` raises, and BackendError."""
    check(options)
    from evalsuite.backends.openvino_cpu.backend import CpuBackend

    return CpuBackend.load(options)
