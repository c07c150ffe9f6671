"""Task specs: the declarative descriptions of benchmarks, their schema, their loader and their registry.

Names are imported on first use, so that a command that needs no spec does not load pydantic. Where records come
from is in ``data``, what answers are worth in ``evalsuite.metrics``.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalsuite.specs.digest import spec_digest
    from evalsuite.specs.editor_schema import json_schema
    from evalsuite.specs.loader import load_spec, validate_file
    from evalsuite.specs.registry import TaskRegistry
    from evalsuite.specs.schema import TaskSpec

__all__ = ["TaskRegistry", "TaskSpec", "json_schema", "load_spec", "spec_digest", "validate_file"]

_HOMES = {
    "TaskRegistry": "registry",
    "TaskSpec": "schema",
    "json_schema": "editor_schema",
    "load_spec": "loader",
    "spec_digest": "digest",
    "validate_file": "loader",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"evalsuite.specs.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
