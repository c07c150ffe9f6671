"""PaliGemma and PaliGemma 2 in jax, from Hugging Face checkpoints and from big_vision's own ``.npz`` files.

Nothing here imports jax until ``create`` is called, or a device is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalsuite.backends.base import BackendOptions, Facts
from evalsuite.backends.jax_paligemma.checkpoint import check_checkpoint, identity_of
from evalsuite.backends.jax_paligemma.options import JaxOptions
from evalsuite.backends.needs import Needs, Packages

if TYPE_CHECKING:
    from evalsuite.backends.jax_paligemma.backend import JaxBackend

PACKAGES = Packages("jax", ("jax", "transformers", "tokenizers", "safetensors"))  # transformers reads the tokenizers
NEEDS = Needs(PACKAGES)


def check(options: BackendOptions) -> None:
    """Raise MissingDependency, UsageError or BackendError now, without loading any weights.

    jax itself is loaded only to see whether devices that were asked for are there.
    """
    PACKAGES.require("backend 'jax'")
    settings = JaxOptions.read(options.options)
    check_checkpoint(options, settings)
    if settings.device not in ("auto", "cpu") or settings.devices is not None:
        from evalsuite.backends.jax_paligemma.devices import local_devices

        local_devices(settings)


def identity(options: BackendOptions) -> Facts:
    """Which model it is, by its files and those of a tokenizer beside it."""
    return identity_of(options, JaxOptions.read(options.options))


def create(options: BackendOptions) -> JaxBackend:
    """Load the model. Raises what ``check`` raises, and BackendError when the weights cannot be loaded."""
    check(options)
    from evalsuite.backends.jax_paligemma.backend import JaxBackend

    return JaxBackend.load(options)
