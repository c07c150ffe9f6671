"""``evalsuite run``."""

from __future__ import annotations

import dataclasses
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalsuite.cli.interrupts import INTERRUPTED, INTERRUPTED_MESSAGE, end_cleanly_when_interrupted
from evalsuite.cli.printing import say, say_json
from evalsuite.cli.settings import run_options
from evalsuite.errors import EvalsuiteError

if TYPE_CHECKING:
    from evalsuite.settings.file import ConfigFile
    from evalsuite.settings.run import RunConfig


@click.command("run")
@run_options
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Settings from a YAML file, named as these options are; what is given here goes before the file.",
)
@click.option("--print-config", is_flag=True, help="Write these settings as such a file, and do nothing else.")
@click.option("--dry-run", is_flag=True, help="Check everything and print the plan; load no model.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan or the results as JSON.")
@click.option("--quiet", is_flag=True, help="No progress.")
def command(config: Path | None, print_config: bool, dry_run: bool, as_json: bool, quiet: bool, **words: Any) -> int:
    """Run tasks on a model, score them and write the report.

    The same command again resumes: what is stored is never asked twice. The exit status is 0 only when everything that
    was asked for was done.
    """
    end_cleanly_when_interrupted()
    from evalsuite.settings.file import config_text, read_config

    file = read_config(config) if config is not None else None
    try:
        asked = _asked(words, file)
        if print_config:
            say(config_text(asked).rstrip("\n"))
            return 0
        return _run(asked, dry_run=dry_run, as_json=as_json, quiet=quiet)
    except KeyboardInterrupt:
        say(INTERRUPTED_MESSAGE, err=True)
        return INTERRUPTED
    except EvalsuiteError as error:
        raise error if file is None else file.placed(error) from None


def _asked(words: dict[str, Any], file: ConfigFile | None) -> RunConfig:
    """Settings of the file, and over them those of the command line."""
    from evalsuite.settings.giving import from_words, run_config

    return run_config(file.given if file else {}, from_words(words))


def _run(config: RunConfig, *, dry_run: bool, as_json: bool, quiet: bool) -> int:
    from evalsuite import api
    from evalsuite.cli.show import plan_as_json, print_plan, print_results, print_share

    config = dataclasses.replace(_own_share(config), jobs=config.jobs or os.cpu_count() or 1)
    plan = api.plan(config)
    for warning in plan.warnings:
        say(f"note: {warning}", err=True)
    if dry_run:
        if as_json:
            say_json(plan_as_json(plan))
        else:
            print_plan(plan)
        return 0
    with _observer(quiet) as observer:
        result = api.run_plan(plan, observer, sys.argv)
    if plan.config.shard is None:
        print_results([result], as_json=as_json)
    else:
        print_share(result, plan, as_json=as_json)
    return 0 if result.ok else 1


def _own_share(config: RunConfig) -> RunConfig:
    """With the share of this process among those that torchrun or srun started, unless one was asked for."""
    from evalsuite.settings.shards import Shard

    if config.devices:
        return config
    shard = config.shard or Shard.from_launcher(os.environ)
    return dataclasses.replace(config, shard=shard)


def _observer(quiet: bool) -> Any:
    """A context manager that yields the observer that fits the terminal."""
    from evalsuite.cli.progress import LinesProgress, LiveProgress, QuietProgress

    if quiet:
        return QuietProgress()
    return LiveProgress() if sys.stderr.isatty() else LinesProgress()
