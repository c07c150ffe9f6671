"""PaliGemma, PaliGemma 2 and other vision-language models through torch and transformers.

Nothing here imports torch until ``create`` is called, so that planning stays fast.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from evalsuite.backends.base import BackendOptions, Facts
from evalsuite.backends.checkpoints.identity import checkpoint_identity
from evalsuite.backends.checkpoints.resolve import check_model
from evalsuite.backends.needs import Needs, Packages
from evalsuite.backends.torch_hf.options import STORED_QUANTIZATIONS, TorchOptions, refuse_quantizing_twice

if TYPE_CHECKING:
    from evalsuite.backends.torch_hf.backend import TorchBackend

__all__ = ["check", "check_model", "create", "identity"]

PACKAGES = Packages("torch", ("torch", "transformers", "tokenizers", "safetensors"))
NEEDS = Needs(
    PACKAGES,
    options={
        "quantization=int8": Packages("quantized", ("torch", "torchao", "accelerate")),
        "quantization=int4": Packages("quantized", ("torch", "bitsandbytes", "accelerate")),
        "device_map=auto": Packages("quantized", ("accelerate",)),
    },
)


def check(options: BackendOptions) -> None:
    """Raise MissingDependency, UsageError or BackendError now, without loading any weights.

    torch itself is loaded only to see whether a device that was asked for is there.
    """
    PACKAGES.require("backend 'torch'")
    settings = TorchOptions.read(options.options)
    _require_for(settings)
    checkpoint = check_model(options, settings.trust, STORED_QUANTIZATIONS)
    if checkpoint is not None:
        refuse_quantizing_twice(checkpoint, settings)
    device = settings.device
    if device not in ("auto", "cpu"):
        use_passive_waiting()
        from evalsuite.backends.torch_hf.loading import device_called

        device_called(device)


def create(options: BackendOptions) -> TorchBackend:
    """Load the model. Raises what ``check`` raises, and BackendError when the weights cannot be loaded."""
    check(options)
    use_passive_waiting()
    from evalsuite.backends.torch_hf.backend import TorchBackend

    return TorchBackend.load(options)


def identity(options: BackendOptions) -> Facts:
    """Which model it is, by its files."""
    return checkpoint_identity(options, TorchOptions.read(options.options).trust)


def _require_for(settings: TorchOptions) -> None:
    """The packages that a quantization or a spread over devices needs."""
    for option in (f"quantization={settings.quantization}", f"device_map={settings.device_map}"):
        if option in NEEDS.options:
            NEEDS.options[option].require(f"option {option}")


def use_passive_waiting() -> None:
    """Let idle OpenMP threads sleep. Must come before torch is imported.

    Spinning threads slow a run 10 to 45 times down when anything else uses the same cores, such as our own image
    preparation. A value the user has set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
