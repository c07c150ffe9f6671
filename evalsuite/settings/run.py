"""What a run was asked to do, parsed and checked on its own."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalsuite.errors import UnknownName, UsageError
from evalsuite.redaction import redacted
from evalsuite.runs.folder import run_name
from evalsuite.settings.shards import Shard

DATA_KINDS = ("synthetic", "hub", "files")
PROTOCOLS = ("paligemma", "official")
ENGINES = ("local", "ray")
ON_ERROR = ("skip", "stop")
TIME_LIMIT = 300.0
"""Seconds that one example may take to be prepared, or to be scored in a process of its own."""
NEUTRAL_OPTIONS = (
    "batch_size",
    "compilation_cache",
    "devices",
    "max_batch_cost",
    "threads",
    *("concurrency", "timeout", "deadline", "retries", "backoff", "check_model", "api_key_env"),
)
"""Settings of backends by which a greedy answer does not change, so that a run resumes under others."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most ``number`` examples of each split, or that ``fraction`` of each split by itself."""

    number: int | None = None
    fraction: float | None = None

    @classmethod
    def parse(cls, text: str) -> Limit:
        """``"100"`` or ``"10%"``. Raises UsageError.

        >>> Limit.parse("10%").of(45)
        5
        """
        match = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?)%", text.strip())
        if match and match[1] and int(match[1]) > 0:
            return cls(number=int(match[1]))
        if match and match[2] and 0 < float(match[2]) <= 100:
            return cls(fraction=float(match[2]) / 100)
        raise UsageError(f"--limit {text}: give a number of examples such as 100, or a percentage such as 10%")

    def of(self, total: int | None) -> int:
        """How many examples of a split with ``total`` examples; at least one. A share of None raises ValueError."""
        if self.number is not None:
            return self.number
        if total is None or self.fraction is None:
            raise ValueError("a share of an unknown number of examples")
        return max(1, math.ceil(self.fraction * total - 1e-9))

    def __str__(self) -> str:
        return str(self.number) if self.number is not None else f"{100 * (self.fraction or 0):g}%"


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """How many examples of a split may fail before the run of its task counts as failed."""

    number: int | None = None
    fraction: float = 0.01

    @classmethod
    def parse(cls, text: str) -> ErrorBudget:
        """``"0"``, ``"5"`` or ``"1%"``. Raises UsageError."""
        match = re.fullmatch(r"(\d+)|(\d+(?:\.\d+)?)%", text.strip())
        if match and match[1]:
            return cls(number=int(match[1]))
        if match and match[2] and float(match[2]) <= 100:
            return cls(fraction=float(match[2]) / 100)
        raise UsageError(f"--max-errors {text}: give a number such as 0, or a percentage such as 1%")

    def allowed(self, total: int | None) -> int | None:
        """How many of ``total`` examples may fail; None when that depends on a total that is not known yet."""
        if self.number is not None:
            return self.number
        return None if total is None else int(self.fraction * total + 1e-9)

    def __str__(self) -> str:
        return str(self.number) if self.number is not None else f"{100 * self.fraction:g}%"


@dataclass(frozen=True)
class RunConfig:
    """One run: one model (or template) under one set of attributes on some tasks.

    options: the backend's own settings. metric_options: metric -> parameter -> value, beside what the specs say.
    data_seed, data_scale: of the synthetic world: which examples, and how many times what the specs say.
    splits: names of splits; None for the reported ones of each task. Tasks without any of them are left out.
    protocol: whose rule gives the headline value, ``paligemma`` or ``official``; answers do not depend on it.
    lock: lock file of ``evalsuite data lock``; its revisions are loaded, and other data than it holds are refused.
    time_limit: seconds that one example may take to be prepared, or to be scored in a process of its own.
    on_error: ``skip`` counts an example that cannot be used against max_errors; ``stop`` reads all data first, opens
        all images, and refuses to begin when one is broken; max_errors is then 0.
    engine: ``local``, or ``ray`` for several workers; engine_options are its settings, ray_address an existing cluster.
    shard: answer this share alone, in a folder of its own inside of the run folder.
    out: run folder; None for ./runs/<name made from what the run is>.
    """

    backend: str
    tasks: str = "all"
    model: str | None = None
    data: str = "synthetic"
    data_dir: Path | None = None
    data_seed: int = 0
    data_scale: int = 1
    limit: Limit | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, str] = field(default_factory=dict)
    metric_options: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    splits: tuple[str, ...] | None = None
    protocol: str = "paligemma"
    lock: Path | None = None
    max_errors: ErrorBudget = ErrorBudget()
    out: Path | None = None
    specs: tuple[Path, ...] = ()
    workers: int | None = None
    time_limit: float = TIME_LIMIT
    on_error: str = "skip"
    shard: Shard | None = None
    engine: str = "local"
    engine_options: Mapping[str, str] = field(default_factory=dict)
    ray_address: str | None = None

    def __post_init__(self) -> None:
        if self.data not in DATA_KINDS:
            raise UnknownName("data source", self.data, DATA_KINDS, "--data")
        if self.protocol not in PROTOCOLS:
            raise UnknownName("protocol", self.protocol, PROTOCOLS, "--protocol")
        if self.on_error not in ON_ERROR:
            raise UnknownName("policy", self.on_error, ON_ERROR, "--on-error")
        if self.engine not in ENGINES:
            raise UnknownName("engine", self.engine, ENGINES, "--engine")
        if self.engine == "local" and (self.engine_options or self.ray_address):
            raise UsageError("--engine-option and --ray-address are for --engine ray")
        if not self.time_limit > 0:
            raise UsageError(f"--time-limit {self.time_limit:g}: give a number of seconds greater than 0")
        if self.data == "files" and self.data_dir is None:
            raise UsageError("--data files needs --data-dir DIR, the folder with one subfolder per task")
        if self.data_scale < 1 or (self.data_scale > 1 and self.data != "synthetic"):
            raise UsageError(f"--data-scale {self.data_scale}: a whole number from 1, and for --data synthetic alone")
        if self.lock is not None and self.data == "synthetic":
            raise UsageError("--lock is for --data hub or files: synthetic data follow from their seed alone")
        for name, value in self.attributes.items():
            if not isinstance(value, (str, int, float)) or (isinstance(value, float) and not math.isfinite(value)):
                raise UsageError(f"--set {name}: an attribute is a text or a finite number, not {value!r}")

    @property
    def errors_allowed(self) -> ErrorBudget:
        return self.max_errors if self.on_error == "skip" else ErrorBudget(number=0)

    @property
    def needs_images(self) -> bool:
        """Replayed predictions need no pixels, so that references alone suffice."""
        return self.backend != "replay"

    def folder(self) -> Path:
        """The run folder, or that of the shard inside of it."""
        whole = self.whole_folder()
        return whole if self.shard is None else whole / self.shard.folder

    def whole_folder(self) -> Path:
        """The run folder, whatever share of it is asked for."""
        return self.out if self.out is not None else Path("runs") / run_name(redacted(self.identity()))

    def identity(self) -> dict[str, Any]:
        """What names the run: what changes no answer (workers, error budget, batching, metrics) is not part of it."""
        return {
            "backend": self.backend,
            "model": self.model,
            "tasks": self.tasks,
            "data": self.data,
            "data_dir": str(self.data_dir) if self.data_dir else None,
            "data_seed": self.data_seed,
            **({"data_scale": self.data_scale} if self.data_scale != 1 else {}),
            "limit": str(self.limit) if self.limit else None,
            **({"splits": list(self.splits)} if self.splits else {}),
            **({"lock": str(self.lock)} if self.lock else {}),
            "attributes": dict(self.attributes),
            "options": {name: value for name, value in self.options.items() if name not in NEUTRAL_OPTIONS},
        }
