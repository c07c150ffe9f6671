"""Backends by name. Each lives alone in its file, the only one that imports its framework.

A backend's module offers ``create(options: BackendOptions) -> Backend``, and may offer ``check(options)``, which
raises before any work starts when a package, a model path or an option is wrong, and ``identity(options)``, which says
which model it is; neither loads weights.
Backends know nothing of tasks, and tasks nothing of backends.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from types import ModuleType
from typing import Any

from evalsuite.backends.base import Backend, BackendOptions, Facts
from evalsuite.errors import UnknownName

BACKENDS: dict[str, str] = {
    "cpu": "evalsuite.backends.openvino_cpu",
    "echo": "evalsuite.backends.echo",
    "gemma_cpp": "evalsuite.backends.gemma_cpp",
    "jax": "evalsuite.backends.jax_paligemma",
    "replay": "evalsuite.backends.replay.backend",
    "server": "evalsuite.backends.server",
    "torch": "evalsuite.backends.torch_hf",
}
"""Every backend that ships: name -> module. Others join through the entry point group ``evalsuite.backends``."""

ENTRY_POINTS = "evalsuite.backends"


def known_backends() -> list[str]:
    """Names of all backends, those of installed packages included."""
    return sorted({*BACKENDS, *(entry.name for entry in importlib.metadata.entry_points(group=ENTRY_POINTS))})


def check_backend(name: str, options: BackendOptions) -> None:
    """Raise now what ``create_backend`` would raise later, without loading a model."""
    check: Any = getattr(_module(name), "check", None)
    if check is not None:
        check(options)


def identify_backend(name: str, options: BackendOptions) -> Facts:
    """What decides the answers of a model, from its files or its server; no model is loaded. {} where nothing does.

    Raises BackendError when that cannot be found out.
    """
    identity: Any = getattr(_module(name), "identity", None)
    return {} if identity is None else dict(identity(options))


def identify_answers(name: str, options: BackendOptions, task: str, split: str) -> Facts:
    """As :func:`identify_backend`, for what decides the answers of one split alone: a file of predictions."""
    identity: Any = getattr(_module(name), "answers_identity", None)
    return {} if identity is None else dict(identity(options, task, split))


def create_backend(name: str, options: BackendOptions) -> Backend:
    """Load the backend. Raises UnknownName, MissingDependency, UsageError or BackendError."""
    backend: Backend = _module(name).create(options)
    return backend


def _module(name: str) -> ModuleType:
    if name in BACKENDS:
        return importlib.import_module(BACKENDS[name])
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS, name=name):
        loaded: ModuleType = entry.load()
        return loaded
    raise UnknownName("backend", name, known_backends()).about("backend")
