"""A process that holds one backend, so that its threads, waiting policy and peak memory are its own."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from evalsuite.backends import create_backend
from evalsuite.backends.base import BackendOptions, Phases
from evalsuite.errors import BackendError, EvalsuiteError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Result = TypeVar("Result")


@dataclass(frozen=True)
class Loaded:
    """What a backend says of itself once it is loaded."""

    resolution: int
    tokens_per_image: int
    weight_bytes: int
    threads: int | None
    facts: dict[str, Any]


@dataclass(frozen=True)
class PhaseSeconds:
    """One run of the protocol: seconds of each phase, and the peak memory of the process in bytes."""

    image_encoder: float
    prefill: float
    extend: float
    peak_bytes: int


class BackendProcess:
    """Starts the process and loads the backend; a context manager that ends it.

    Raises BackendError when the backend cannot be loaded, cannot be timed in parts, or does not survive.
    """

    def __init__(self, name: str, options: BackendOptions) -> None:
        os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # inherited: two backends must not spin on each other
        self.name = name
        self._pool = ProcessPoolExecutor(1, mp_context=get_context("spawn"))
        try:
            self.loaded: Loaded = self._call(_load, name, options)
        except BaseException:
            self._pool.shutdown()
            raise

    def __enter__(self) -> BackendProcess:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._pool.shutdown()

    def time(self, rows: int) -> PhaseSeconds:
        """One run of the protocol with a batch of ``rows``."""
        return self._call(_time, rows)

    def predictions(self, prompts: int, rows: int) -> NDArray[np.int64]:
        """The likeliest token at every position of random prompts and answers, (positions,)."""
        return self._call(_predict, prompts, rows)

    def _call(self, work: Callable[..., Result], *values: Any) -> Result:
        try:
            status, result = self._pool.submit(_guarded, work, *values).result()
        except BrokenProcessPool:
            reason = "its process ended, perhaps because memory ran out. Try a smaller batch."
            raise BackendError(f"backend {self.name!r}: {reason}") from None
        if status == "error":
            raise BackendError(result)
        value: Result = result
        return value


_phases: Phases | None = None  # of the backend that this process holds


def _guarded(work: Callable[..., Any], *values: Any) -> tuple[str, Any]:
    """Our own errors travel between processes as text."""
    try:
        return "done", work(*values)
    except EvalsuiteError as error:
        return "error", str(error)


def _load(name: str, options: BackendOptions) -> Loaded:
    global _phases
    backend: Any = create_backend(name, options)
    if not hasattr(backend, "phases"):
        raise BackendError(
            f"backend {name!r} cannot be timed in parts: it has no phases() (evalsuite/backends/base.py). "
            "Backends torch and cpu have it."
        )
    _phases = backend.phases()
    assert _phases is not None
    facts = dict(backend.describe())
    return Loaded(_phases.resolution, _phases.tokens_per_image, _phases.weight_bytes, _phases.threads, facts)


def _time(rows: int) -> PhaseSeconds:
    from evalsuite.benchmarking.inputs import timing_inputs

    phases = _loaded_phases()
    inputs = timing_inputs(rows, phases.resolution, phases.vocabulary_size)
    _forget_peak()
    begin = time.perf_counter()
    features = phases.encode_images(inputs.pixels)
    encoded = time.perf_counter()
    phases.prefill(features, inputs.prompt)
    filled = time.perf_counter()
    for tokens in inputs.answer:
        phases.extend(tokens)
    extended = time.perf_counter()
    return PhaseSeconds(encoded - begin, filled - encoded, extended - filled, _peak())


def _predict(prompts: int, rows: int) -> NDArray[np.int64]:
    import numpy as np

    from evalsuite.benchmarking.inputs import comparison_inputs

    phases = _loaded_phases()
    found = []
    for inputs in comparison_inputs(prompts, rows, phases.resolution, phases.vocabulary_size):
        found.append(phases.prefill(phases.encode_images(inputs.pixels), inputs.prompt).argmax(axis=-1))
        found += [phases.extend(tokens).argmax(axis=-1) for tokens in inputs.answer]
    return np.concatenate(found)


def _loaded_phases() -> Phases:
    if _phases is None:
        raise BackendError("no backend is loaded in this process")
    return _phases


def _forget_peak() -> None:
    """On Linux the peak can be counted anew; elsewhere it is that of the process so far."""
    file = Path("/proc/self/clear_refs")
    if file.exists():
        file.write_text("5")


def _peak() -> int:
    """Bytes."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(next(lines).split()[1]) << 10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10
