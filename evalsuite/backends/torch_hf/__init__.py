"""PaliGemma, PaliGemma 2 and other vision-language models through torch and transformers.

Nothing here imports torch until ``create`` is called, so that planning stays fast.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
from typing import TYPE_CHECKING

from evalsuite.backends.base import BackendOptions, Facts
from evalsuite.backends.checkpoints.identity import checkpoint_identity
from evalsuite.backends.checkpoints.resolve import check_model
from evalsuite.backends.torch_hf.options import TorchOptions
from evalsuite.errors import MissingDependency

if TYPE_CHECKING:
    from evalsuite.backends.torch_hf.backend import TorchBackend

__all__ = ["check", "check_model", "create", "identity"]

NEEDED = ("torch", "transformers", "tokenizers", "safetensors")
OLDEST_TRANSFORMERS = (5, 20)  # tested from here on; before 5.4 embeddings are scaled elsewhere


def check(options: BackendOptions) -> None:
    """Raise MissingDependency, UsageError or BackendError now, without loading any weights.

    torch itself is loaded only to see whether a device that was asked for is there.
    """
    require_packages()
    settings = TorchOptions.read(options.options)
    _require_for(settings)
    check_model(options, settings.trust)
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


QUANTIZERS = {"none": (), "int8": ("torchao", "accelerate"), "int4": ("bitsandbytes", "accelerate")}


def _require_for(settings: TorchOptions) -> None:
    """The packages that a quantization or a spread over devices needs."""
    spread = ("accelerate",) if settings.device_map == "auto" else ()
    for package in (*QUANTIZERS[settings.quantization], *spread):
        if importlib.util.find_spec(package) is None:
            what = f"option quantization={settings.quantization}, device_map={settings.device_map}"
            raise MissingDependency(what, needs=package, extra="quantized")


def require_packages() -> None:
    for package in NEEDED:
        if importlib.util.find_spec(package) is None:
            raise MissingDependency("backend 'torch'", needs=package, extra="torch")
    version = importlib.metadata.version("transformers")
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < OLDEST_TRANSFORMERS:
        oldest = ".".join(map(str, OLDEST_TRANSFORMERS))
        raise MissingDependency(f"backend 'torch' (found transformers {version})", f"transformers>={oldest}", "torch")


def use_passive_waiting() -> None:
    """Let idle OpenMP threads sleep. Must come before torch is imported.

    Spinning threads slow a run 10 to 45 times down when anything else uses the same cores, such as our own image
    preparation. A value the user has set stays.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
