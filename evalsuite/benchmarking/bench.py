"""The measurement: every resolution and batch size, one backend or two in turn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from evalsuite._version import __version__
from evalsuite.backends import check_backend
from evalsuite.backends.base import BackendOptions
from evalsuite.backends.checkpoints.resolve import DEFAULT_MODEL
from evalsuite.benchmarking.inputs import EXTEND_STEPS, PROMPT_TOKENS
from evalsuite.benchmarking.machine import machine
from evalsuite.benchmarking.worker import BackendProcess, PhaseSeconds
from evalsuite.errors import UsageError

FLOAT32 = {"torch": {"dtype": "float32"}, "jax": {"dtype": "float32"}, "cpu": {"precision": "float32"}}
"""What makes a backend compute in float32, by name: those that another can be measured against."""
COMPARED_AT_ONCE = 8  # prompts per batch when tokens are compared


@dataclass(frozen=True)
class BenchConfig:
    """What is measured.

    model: as for a run; ``{resolution}`` in it is filled in. resolutions: of the images in pixels, None for what the
    model is made for. repeats: timed runs of each case after one that is not; the median counts. against: a backend
    that is run in float32 beside this one. prompts: on how many random ones, each with 12 positions, tokens are
    compared. options: of the backend; ``threads`` among them holds for both.
    """

    backend: str
    model: str | None = None
    resolutions: tuple[int | None, ...] = (None,)
    batch_sizes: tuple[int, ...] = (1,)
    repeats: int = 5
    against: str | None = None
    prompts: int = 64
    options: Mapping[str, str] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Measurement:
    """Seconds are medians over the repeats, memory is in bytes. prefill_tokens: of one row, image and text."""

    backend: str
    precision: str
    resolution: int
    batch_size: int
    threads: int | None
    image_encoder_seconds: float
    prefill_seconds: float
    extend_seconds: float
    prefill_tokens: int
    weight_bytes: int
    peak_bytes: int

    @property
    def prefill_tokens_per_second(self) -> float:
        return self.batch_size * self.prefill_tokens / self.prefill_seconds

    @property
    def extend_tokens_per_second(self) -> float:
        return self.batch_size * EXTEND_STEPS / self.extend_seconds


@dataclass(frozen=True)
class Agreement:
    """Share of positions at which both backends find the same token the likeliest, in [0, 1].

    positions: how many were compared. distinct: how many different tokens the float32 model chose there.
    """

    resolution: int
    share: float
    positions: int
    distinct: int


@dataclass(frozen=True)
class BenchResult:
    """All measurements, the backend's first in each case; agreements where a second backend was there."""

    model: str
    measurements: tuple[Measurement, ...]
    agreements: tuple[Agreement, ...]
    machine: Mapping[str, Any]
    versions: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        rates = ("prefill_tokens_per_second", "extend_tokens_per_second")
        rows = [{**asdict(row), **{name: getattr(row, name) for name in rates}} for row in self.measurements]
        return {
            "evalsuite": __version__,
            "model": self.model,
            "protocol": {"prompt_tokens": PROMPT_TOKENS, "extend_steps": EXTEND_STEPS, "repeats": "median"},
            "machine": dict(self.machine),
            "versions": dict(self.versions),
            "measurements": rows,
            "agreements": [asdict(row) for row in self.agreements],
        }


def bench(config: BenchConfig) -> BenchResult:
    """Raises UsageError, MissingDependency or BackendError before anything is measured, where that can be seen."""
    sides = [_side(config, config.backend, dict(config.options))]
    if config.against is not None:
        if config.against not in FLOAT32:
            raise UsageError(f"--against {config.against}: must be one of {', '.join(sorted(FLOAT32))}")
        shared = {name: value for name, value in config.options.items() if name == "threads"}
        sides.append(_side(config, config.against, {**FLOAT32[config.against], **shared}))
    for resolution in config.resolutions:
        for name, options in sides:
            check_backend(name, _at(options, resolution))
    described = machine()
    rows: list[Measurement] = []
    agreements: list[Agreement] = []
    versions: dict[str, Any] = {}
    for resolution in config.resolutions:
        with ExitStack() as stack:
            processes = [stack.enter_context(BackendProcess(name, _at(o, resolution))) for name, o in sides]
            for batch_size in config.batch_sizes:
                rows += _measure(processes, batch_size, config.repeats)
            if len(processes) == 2:
                agreements.append(_agreement(processes, config.prompts))
            for process in processes:
                versions.update(process.loaded.facts.get("versions", {}))
    return BenchResult(config.model or DEFAULT_MODEL, tuple(rows), tuple(agreements), described, versions)


def _side(config: BenchConfig, name: str, options: dict[str, str]) -> tuple[str, BackendOptions]:
    return name, BackendOptions(config.model, dict(config.attributes), options)


def _at(options: BackendOptions, resolution: int | None) -> BackendOptions:
    if resolution is None:
        return options
    model = options.model.replace("{resolution}", str(resolution)) if options.model else None
    return BackendOptions(model, {**options.attributes, "resolution": resolution}, options.options)


def _measure(processes: Sequence[BackendProcess], batch_size: int, repeats: int) -> list[Measurement]:
    """The backends take turns, so that whatever else the machine does meets both alike."""
    for process in processes:
        process.time(batch_size)
    runs: list[list[PhaseSeconds]] = [[] for _ in processes]
    for _ in range(repeats):
        for process, own in zip(processes, runs, strict=True):
            own.append(process.time(batch_size))
    return [_summary(process, batch_size, own) for process, own in zip(processes, runs, strict=True)]


def _summary(process: BackendProcess, batch_size: int, runs: Sequence[PhaseSeconds]) -> Measurement:
    loaded = process.loaded
    facts = loaded.facts
    precision = facts.get("precision") or facts.get("dtype", "unknown")
    if facts.get("quantization", "none") != "none":
        precision = facts["quantization"]
    return Measurement(
        process.name,
        str(precision),
        loaded.resolution,
        batch_size,
        loaded.threads,
        median(run.image_encoder for run in runs),
        median(run.prefill for run in runs),
        median(run.extend for run in runs),
        loaded.tokens_per_image + PROMPT_TOKENS,
        loaded.weight_bytes,
        max(run.peak_bytes for run in runs),
    )


def _agreement(processes: Sequence[BackendProcess], prompts: int) -> Agreement:
    found, expected = (process.predictions(prompts, COMPARED_AT_ONCE) for process in processes)
    share = float((found == expected).mean())
    return Agreement(processes[0].loaded.resolution, share, len(expected), len(set(expected.tolist())))
