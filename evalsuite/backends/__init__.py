"""Backends by name. Each lives alone in its file, the only one that imports its framework.

A backend's module offers ``create(options: BackendOptions) -> Backend``, and may offer ``check(options)``, which
raises before any work starts when a package, a model path or an option is wrong, and ``identity(options)``, which says
which model it is; neither loads weights. ``NEEDS`` says what it needs of the machine and of a run
(:mod:`evalsuite.backends.needs`).
Backends know nothing of tasks, and tasks nothing of backends.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from types import ModuleType
from typing import Any

from evalsuite.backends.base import Backend, BackendOptions, Facts
from evalsuite.errors import BackendError, UnknownName

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
    return sorted({*BACKENDS, *plug_ins()})


def plug_ins() -> dict[str, importlib.metadata.EntryPoint]:
    """The backends of installed packages by name. A name that ships, or that another package took first, is not
    theirs."""
    found: dict[str, importlib.metadata.EntryPoint] = {}
    for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
        if entry.name not in BACKENDS:
            found.setdefault(entry.name, entry)
    return found


def package_of(entry: importlib.metadata.EntryPoint) -> str:
    """The distribution that an entry point comes from."""
    return (entry.dist.name if entry.dist else "") or entry.module


def check_backend(name: str, options: BackendOptions) -> None:
    """Raise now what ``create_backend`` would raise later, without loading a model."""
    check: Any = getattr(backend_module(name), "check", None)
    if check is not None:
        check(options)


def identify_backend(name: str, options: BackendOptions) -> Facts:
    """What decides the answers of a model, from its files or its server; no model is loaded. {} where nothing does.

    Raises BackendError when that cannot be found out.
    """
    identity: Any = getattr(backend_module(name), "identity", None)
    return {} if identity is None else dict(identity(options))


def identify_answers(name: str, options: BackendOptions, task: str, split: str) -> Facts:
    """As :func:`identify_backend`, for what decides the answers of one split alone: a file of predictions."""
    identity: Any = getattr(backend_module(name), "answers_identity", None)
    return {} if identity is None else dict(identity(options, task, split))


def create_backend(name: str, options: BackendOptions) -> Backend:
    """Load the backend. Raises UnknownName, MissingDependency, UsageError or BackendError."""
    backend: Backend = backend_module(name).create(options)
    return backend


def backend_module(name: str) -> ModuleType:
    """The module of a backend. Raises UnknownName, and BackendError for that of a package that cannot be loaded."""
    if name in BACKENDS:
        return importlib.import_module(BACKENDS[name])
    entry = plug_ins().get(name)
    if entry is None:
        raise UnknownName("backend", name, known_backends()).about("backend")
    place = f"backend {name!r} of package {package_of(entry)}"
    try:
        loaded: ModuleType = entry.load()
    except (Exception, SystemExit) as error:  # another package's module may fail in any way
        raise BackendError(f"{place} cannot be loaded: {error!r}") from error
    if not callable(getattr(loaded, "create", None)):
        raise BackendError(f"{place}: {entry.value} has no function create(options)")
    return loaded
