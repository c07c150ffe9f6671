"""Loading a checkpoint without the network: everything lies in its folder, whatever its config.json names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_network() -> Iterator[None]:
    """Hub libraries find nothing but files that are here already.

    A config may name other repositories (a backbone, the base of an adapter), which loaders would fetch unasked.
    """
    from huggingface_hub import constants

    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
