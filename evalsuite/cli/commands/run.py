"""``evalsuite run``."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalsuite.cli.interrupts import INTERRUPTED, INTERRUPTED_MESSAGE, end_cleanly_when_interrupted
from evalsuite.cli.parsing import parse_metric_options, parse_names, parse_pairs, parse_value
from evalsuite.cli.printing import say, say_json
from evalsuite.errors import UsageError

if TYPE_CHECKING:
    from evalsuite.settings.run import RunConfig
    from evalsuite.settings.shards import Shard


@click.command("run")
@click.option(
    "--backend",
    default="torch",
    show_default=True,
    help="torch, jax, cpu, server, gemma_cpp, replay, echo, or an installed plug-in.",
)
@click.option("--tasks", default="all", show_default=True, help="all, ids, family:NAME; comma-separated.")
@click.option(
    "--model",
    default=None,
    metavar="MODEL",
    help="Checkpoint folder, hub id, 'miniature', or a template with {transfer}, {task} and --set names. "
    "[default: miniature]",
)
@click.option("--data", default="synthetic", show_default=True, help="Where examples come from: synthetic, hub, files.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path),
    help="Folder with one subfolder per task: data for --data files, media that hub records only name.",
)
@click.option("--data-seed", default=0, show_default=True, help="Seed of the synthetic world.")
@click.option(
    "--data-scale",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Times as many examples of the synthetic world as the specs say (8 to 32 for each split).",
)
@click.option("--splits", metavar="NAMES", help="Splits to run, comma-separated. [default: those that papers report]")
@click.option(
    "--protocol",
    default="paligemma",
    show_default=True,
    help="Whose rule gives the headline value: paligemma (the papers), official (the benchmark's own).",
)
@click.option(
    "--lock",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Lock file: load its revisions, refuse other data than it holds.",
)
@click.option("--limit", metavar="N|P%", help="At most N examples, or P percent, of each split of each task by itself.")
@click.option(
    "--set", "attributes", multiple=True, metavar="KEY=VALUE", help="Attribute of the run, such as resolution=448."
)
@click.option(
    "--option", "options", multiple=True, metavar="KEY=VALUE", help="Setting of the backend, such as threads=2."
)
@click.option(
    "--metric-option",
    "metric_options",
    multiple=True,
    metavar="METRIC.PARAMETER=VALUE",
    help="Parameter of a metric beside the spec, such as mask_iou.weights=vae-oid.npz.",
)
@click.option("--dtype", help="Shorthand for --option dtype=…: auto, float32, bfloat16, float16.")
@click.option("--device", help="Shorthand for --option device=…: auto, cpu, cuda, mps.")
@click.option("--batch-size", type=click.IntRange(min=1), help="Shorthand for --option batch_size=…")
@click.option(
    "--predictions", metavar="FILE", help="File of predictions, for --backend replay. {task} and {split} are filled in."
)
@click.option(
    "--missing",
    type=click.Choice(["error", "empty", "skip"]),
    help="What replay does where the file has no prediction. [default: error]",
)
@click.option(
    "--max-errors",
    default="1%",
    show_default=True,
    metavar="N|P%",
    help="Examples of a split that may fail before its task counts as failed.",
)
@click.option(
    "--on-error",
    type=click.Choice(["skip", "stop"]),
    default="skip",
    show_default=True,
    help="A broken example: count it and go on, or open all data first and begin only when none is broken.",
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="For preparing one example, or scoring one in a process of its own; then it counts as failed.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Run folder. [default: runs/ and a name made from the command]"
)
@click.option("--specs", multiple=True, type=click.Path(path_type=Path), help="Folder with task specs of your own.")
@click.option(
    "--shard",
    metavar="I/N",
    help="Answer share I (from 0) of N alone; see evalsuite merge. [default: what torchrun or srun says]",
)
@click.option(
    "--devices",
    metavar="LIST",
    help="A process for each, such as 0,1,2,3 for four GPUs, or cpu,cpu; their shares are merged at the end.",
)
@click.option("--engine", default="local", show_default=True, help="local: in this process. ray: workers, see docs.")
@click.option("--ray-address", metavar="ADDRESS", help="A running Ray cluster, such as auto. [default: one of its own]")
@click.option(
    "--engine-option",
    "engine_options",
    multiple=True,
    metavar="KEY=VALUE",
    help="Setting of the ray engine: workers, gpus and cpus of each, piece (examples handed out at once).",
)
@click.option("--workers", type=click.IntRange(min=1), help="Threads that prepare images. [default: number of cores]")
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Processes that score heavy metrics. [default: number of cores]"
)
@click.option("--dry-run", is_flag=True, help="Check everything and print the plan; load no model.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan or the results as JSON.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(**given: Any) -> int:
    """Run tasks on a model, score them and write the report.

    The same command again resumes: what is stored is never asked twice. The exit status is 0 only when everything that
    was asked for was done.
    """
    end_cleanly_when_interrupted()
    try:
        return _run(given)
    except KeyboardInterrupt:
        say(INTERRUPTED_MESSAGE, err=True)
        return INTERRUPTED


def _run(given: dict[str, Any]) -> int:
    from evalsuite import api
    from evalsuite.cli.show import plan_as_json, print_plan, print_results

    if given["devices"]:
        return _run_on_devices(given)
    plan = api.plan(_config(given))
    for warning in plan.warnings:
        say(f"note: {warning}", err=True)
    if given["dry_run"]:
        if given["as_json"]:
            say_json(plan_as_json(plan))
        else:
            print_plan(plan)
        return 0
    with _observer(given) as observer:
        result = api.run_plan(plan, observer, sys.argv, jobs=given["jobs"] or os.cpu_count() or 1)
    print_results([result], as_json=given["as_json"])
    return 0 if result.ok else 1


def _config(given: dict[str, Any]) -> RunConfig:
    from evalsuite.settings.run import ErrorBudget, Limit, RunConfig

    for name in ("predictions", "missing"):
        if given[name] is not None and given["backend"] != "replay":
            raise UsageError(f"--{name} is for --backend replay, not --backend {given['backend']}")
    options = parse_pairs(given["options"], "--option")
    shorthands = ("dtype", "device", "batch_size", "predictions", "missing")
    options.update({name: str(given[name]) for name in shorthands if given[name] is not None})
    attributes = {name: parse_value(value) for name, value in parse_pairs(given["attributes"], "--set").items()}
    return RunConfig(
        backend=given["backend"],
        tasks=given["tasks"],
        model=given["model"],
        data=given["data"],
        data_dir=given["data_dir"],
        data_seed=given["data_seed"],
        data_scale=given["data_scale"],
        limit=Limit.parse(given["limit"]) if given["limit"] else None,
        attributes=attributes,
        options=options,
        metric_options=parse_metric_options(given["metric_options"]),
        splits=parse_names(given["splits"]),
        protocol=given["protocol"],
        lock=given["lock"],
        max_errors=ErrorBudget.parse(given["max_errors"]),
        out=given["out"],
        specs=tuple(given["specs"]),
        workers=given["workers"],
        time_limit=given["time_limit"],
        on_error=given["on_error"],
        shard=_shard(given["shard"]),
        engine=given["engine"],
        engine_options=parse_pairs(given["engine_options"], "--engine-option"),
        ray_address=given["ray_address"],
    )


def _shard(asked: str | None) -> Shard | None:
    """The share that was asked for, or that of this process among those that torchrun or srun started."""
    from evalsuite.settings.shards import Shard

    shard = Shard.parse(asked) if asked else Shard.from_launcher(os.environ)
    return None if shard is None or shard.count == 1 else shard


def _run_on_devices(given: dict[str, Any]) -> int:
    from evalsuite import api
    from evalsuite.cli.devices import run_shards
    from evalsuite.cli.show import print_results

    if given["shard"]:
        raise UsageError("--devices makes the shards itself; leave --shard out")
    config = dataclasses.replace(_config(given), shard=None)
    plan = api.plan(config)
    for warning in plan.warnings:
        say(f"note: {warning}", err=True)
    failed = run_shards(given["devices"], config.whole_folder(), sys.argv[1:], quiet=given["quiet"])
    if failed:
        say(f"error: {failed}", err=True)
        return 1
    result = api.merge(config.whole_folder(), specs=config.specs, jobs=given["jobs"] or os.cpu_count() or 1)
    print_results([result], as_json=given["as_json"])
    return 0 if result.ok else 1


def _observer(given: dict[str, Any]) -> Any:
    """A context manager that yields the observer that fits the terminal."""
    from evalsuite.cli.progress import LinesProgress, LiveProgress, QuietProgress

    if given["quiet"]:
        return QuietProgress()
    return LiveProgress() if sys.stderr.isatty() else LinesProgress()
