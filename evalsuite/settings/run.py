"""The one list of a run's settings. Command line, Python, files and the manifest follow from it.

A new setting is one field here, and its use.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.errors import UsageError
from evalsuite.redaction import redacted
from evalsuite.runs.folder import run_name
from evalsuite.settings import kinds
from evalsuite.settings.limits import ErrorBudget, Limit
from evalsuite.settings.listing import Role, Setting, setting, settings_of
from evalsuite.settings.shards import Shard

DATA_KINDS = ("synthetic", "hub", "files")
PROTOCOLS = ("paligemma", "official")
ENGINES = ("local", "ray")
ON_ERROR = ("skip", "stop")
CPU = "cpu"
"""What ``--devices`` calls a process without a GPU."""

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


@dataclass(frozen=True)
class RunConfig:
    """One run: one model (or template) under one set of attributes on some tasks.

    Raises UsageError for values that do not go together, UnknownName for a word that is none of the choices.
    """

    backend: str = setting(
        kinds.TEXT, Role.ANSWERS, "torch", "torch, jax, cpu, server, gemma_cpp, replay, echo, or an installed plug-in."
    )
    tasks: str = setting(kinds.TEXT, Role.ANSWERS, "all", "all, ids, family:NAME; comma-separated.")
    model: str | None = setting(
        kinds.TEXT,
        Role.ANSWERS,
        None,
        "Checkpoint folder, hub id, 'miniature', or a template with {transfer}, {task} and --set names.",
        metavar="MODEL",
        shown_default="miniature",
    )
    data: str = setting(
        kinds.TEXT,
        Role.ANSWERS,
        "synthetic",
        "Where examples come from: synthetic, hub, files.",
        choices=DATA_KINDS,
        what="data source",
    )
    data_dir: Path | None = setting(
        kinds.PATH,
        Role.ANSWERS,
        None,
        "Folder with one subfolder per task: data for --data files, media that hub records only name.",
        metavar="DIR",
    )
    data_seed: int = setting(kinds.WHOLE, Role.ANSWERS, 0, "Seed of the synthetic world.", metavar="N")
    data_scale: int = setting(
        kinds.COUNT,
        Role.ANSWERS,
        1,
        "Times as many examples of the synthetic world as the specs say (8 to 32 for each split).",
        metavar="N",
        if_given=True,
    )
    limit: Limit | None = setting(
        kinds.LIMIT,
        Role.ANSWERS,
        None,
        "At most N examples, or P percent, of each split of each task by itself.",
        metavar="N|P%",
    )
    splits: tuple[str, ...] | None = setting(
        kinds.NAMES,
        Role.ANSWERS,
        None,
        "Splits to run, comma-separated. Tasks without any of them are left out.",
        metavar="NAMES",
        shown_default="those that papers report",
        if_given=True,
    )
    lock: Path | None = setting(
        kinds.PATH,
        Role.ANSWERS,
        None,
        "Lock file: load its revisions, refuse other data than it holds.",
        metavar="FILE",
        if_given=True,
    )
    attributes: Mapping[str, Any] = setting(
        kinds.ATTRIBUTES,
        Role.ANSWERS,
        {},
        "Attribute of the run, such as resolution=448.",
        option="set",
        metavar="KEY=VALUE",
    )
    options: Mapping[str, str] = setting(
        kinds.TEXTS,
        Role.ANSWERS,
        {},
        "Setting of the backend, such as threads=2.",
        option="option",
        metavar="KEY=VALUE",
    )
    protocol: str = setting(
        kinds.TEXT,
        Role.SCORES,
        "paligemma",
        "Whose rule gives the headline value: paligemma (the papers), official (the benchmark's own).",
        choices=PROTOCOLS,
        what="protocol",
    )
    metric_options: Mapping[str, Mapping[str, str]] = setting(
        kinds.METRIC_TEXTS,
        Role.SCORES,
        {},
        "Parameter of a metric beside the spec, such as mask_iou.weights=vae-oid.npz.",
        option="metric-option",
        metavar="METRIC.PARAMETER=VALUE",
    )
    max_errors: ErrorBudget = setting(
        kinds.BUDGET,
        Role.SCORES,
        ErrorBudget(),
        "Examples of a split that may fail before its task counts as failed.",
        metavar="N|P%",
    )
    on_error: str = setting(
        kinds.TEXT,
        Role.WORK,
        "skip",
        "A broken example: skip counts it and goes on; stop opens all data first, and begins only when none is broken.",
        metavar="skip|stop",
        choices=ON_ERROR,
        what="policy",
    )
    time_limit: float = setting(
        kinds.SECONDS,
        Role.WORK,
        TIME_LIMIT,
        "For preparing one example, or scoring one in a process of its own; then it counts as failed.",
        metavar="SECONDS",
    )
    out: Path | None = setting(
        kinds.PATH,
        Role.WORK,
        None,
        "Run folder.",
        metavar="DIR",
        shown_default="runs/ and a name made from the command",
    )
    specs: tuple[Path, ...] = setting(kinds.PATHS, Role.WORK, (), "Folder with task specs of your own.", metavar="DIR")
    shard: Shard | None = setting(
        kinds.SHARD,
        Role.WORK,
        None,
        "Answer share I (from 0) of N alone; see evalsuite merge. none: the whole run, whatever a launcher says.",
        metavar="I/N|none",
        shown_default="what torchrun or srun says",
    )
    devices: tuple[str, ...] | None = setting(
        kinds.NAMES,
        Role.WORK,
        None,
        "A process for each, such as 0,1,2,3 for four GPUs, or cpu,cpu; their shares are merged at the end.",
        metavar="LIST",
    )
    engine: str = setting(
        kinds.TEXT,
        Role.WORK,
        "local",
        "local: in this process. ray: workers, see docs.",
        choices=ENGINES,
        what="engine",
    )
    ray_address: str | None = setting(
        kinds.TEXT,
        Role.WORK,
        None,
        "A running Ray cluster, such as auto.",
        metavar="ADDRESS",
        shown_default="one of its own",
    )
    engine_options: Mapping[str, str] = setting(
        kinds.TEXTS,
        Role.WORK,
        {},
        "Setting of the ray engine: workers, gpus and cpus of each, piece (examples handed out at once).",
        option="engine-option",
        metavar="KEY=VALUE",
    )
    workers: int | None = setting(
        kinds.COUNT,
        Role.WORK,
        None,
        "Threads that prepare images.",
        metavar="N",
        shown_default="number of cores",
    )
    jobs: int | None = setting(
        kinds.COUNT,
        Role.WORK,
        None,
        "Processes that score heavy metrics.",
        metavar="N",
        shown_default="number of cores",
    )

    def __post_init__(self) -> None:
        for known in SETTINGS.values():
            known.checked(getattr(self, known.name))
        if self.engine == "local" and (self.engine_options or self.ray_address):
            raise UsageError("--engine-option and --ray-address are for --engine ray").about("engine")
        if not self.time_limit > 0:
            raise UsageError(f"--time-limit {self.time_limit:g}: give a number of seconds greater than 0")
        if self.data == "files" and self.data_dir is None:
            message = "--data files needs --data-dir DIR, the folder with one subfolder per task"
            raise UsageError(message).about("data")
        if self.data_scale < 1 or (self.data_scale > 1 and self.data != "synthetic"):
            message = f"--data-scale {self.data_scale}: a whole number from 1, and for --data synthetic alone"
            raise UsageError(message).about("data_scale")
        if self.lock is not None and self.data == "synthetic":
            message = "--lock is for --data hub or files: synthetic data follow from their seed alone"
            raise UsageError(message).about("lock")
        if not all(name == CPU or name.isdigit() for name in self.devices or ()):
            message = f"--devices {','.join(self.devices or ())}: give numbers of GPUs such as 0,1,2,3, or cpu,cpu"
            raise UsageError(message).about("devices")
        if self.devices and self.shard is not None:
            raise UsageError("--devices makes the shards itself; leave --shard out").about("devices")
        for name, value in self.attributes.items():
            if not isinstance(value, (str, int, float)) or (isinstance(value, float) and not math.isfinite(value)):
                message = f"--set {name}: an attribute is a text or a finite number, not {value!r}"
                raise UsageError(message).about(f"set.{name}")

    @property
    def errors_allowed(self) -> ErrorBudget:
        return self.max_errors if self.on_error == "skip" else ErrorBudget(number=0)

    @property
    def needs_images(self) -> bool:
        """Replayed predictions need no pixels, so that references alone suffice."""
        return self.backend != "replay"

    def folder(self, models: Mapping[str, str]) -> Path:
        """The run folder, whatever share of it is asked for. models: facts that tell its models from others."""
        if self.out is not None:
            return self.out
        named = {**self.identity(), **({"models": dict(models)} if models else {})}
        return Path("runs") / run_name(redacted(named))

    def plain(self, role: Role) -> dict[str, Any]:
        """Settings of one role as plain data; None where a setting was not given."""
        found: dict[str, Any] = {}
        for name, known in SETTINGS.items():
            value = getattr(self, name)
            if known.role is role and not (known.if_given and value == known.default):
                found[name] = None if value is None else known.kind.plain(value)
        return found

    def identity(self) -> dict[str, Any]:
        """What names the run: what changes no answer (workers, error budget, batching, metrics) is not part of it."""
        named = self.plain(Role.ANSWERS)
        options = {name: value for name, value in self.options.items() if name not in NEUTRAL_OPTIONS}
        return {**named, "options": options}

    def recorded(self) -> dict[str, Any]:
        """What the manifest says of the settings: what names the run, and what its values depend on."""
        return {**self.identity(), **self.plain(Role.SCORES), "max_errors": str(self.errors_allowed)}


SETTINGS: dict[str, Setting] = settings_of(RunConfig)
"""Every setting of a run by name."""

SHORTHANDS: dict[str, Setting] = {
    name: Setting(name, kind, help, Role.ANSWERS, name.replace("_", "-"), None, metavar, shown, choices, "value")
    for name, kind, help, metavar, shown, choices in (
        ("dtype", kinds.TEXT, "Shorthand for --option dtype=…: auto, float32, bfloat16, float16.", "TYPE", None, ()),
        ("device", kinds.TEXT, "Shorthand for --option device=…: auto, cpu, cuda, mps.", "DEVICE", None, ()),
        ("batch_size", kinds.COUNT, "Shorthand for --option batch_size=…", "N", None, ()),
        (
            "predictions",
            kinds.TEXT,
            "File of predictions, for --backend replay. {task} and {split} are filled in.",
            "FILE",
            None,
            (),
        ),
        (
            "missing",
            kinds.TEXT,
            "What replay does where the file has no prediction: error, empty, skip.",
            "error|empty|skip",
            "error",
            ("error", "empty", "skip"),
        ),
    )
}
"""Settings of backends that are asked for so often that they have an option of their own."""

FOR_REPLAY = ("predictions", "missing")
