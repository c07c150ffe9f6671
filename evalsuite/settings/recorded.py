"""A run's settings, read back from what its manifest recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalsuite.errors import StoreError, UsageError
from evalsuite.settings.listing import Role
from evalsuite.settings.run import SETTINGS, RunConfig

_SUMMED_UP = ("limit",)
"""Settings that the manifest holds for all commands of a folder together; each task has its own."""


def recorded_config(manifest: Mapping[str, Any]) -> RunConfig:
    """What names a run, and what its values depend on, as its last command asked; the rest as the defaults are.

    Raises StoreError for a manifest that holds what no run can be asked.
    """
    recorded = manifest["run"]
    found: dict[str, Any] = {}
    try:
        for name, known in SETTINGS.items():
            value = recorded.get(name)
            if known.role is not Role.WORK and name not in _SUMMED_UP and value is not None:
                found[name] = known.kind.value(known.flag, value)
        return RunConfig(**found)
    except UsageError as error:
        raise StoreError(f"the manifest of {manifest['name']}: {error}; restore it from a copy") from error
