"""``evalsuite baseline``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from evalsuite.cli.printing import say


@click.command("baseline")
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("baseline.json"),
    show_default=True,
    help="The file. Tolerances that it holds already stay.",
)
@click.option("--values-only", is_flag=True, help="Keep no answers: smaller, but without paired intervals.")
@click.option("--specs", multiple=True, type=click.Path(path_type=Path), help="Folder with task specs of your own.")
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Processes that score heavy metrics. [default: number of cores]"
)
def command(run: Path, out: Path, values_only: bool, specs: tuple[Path, ...], jobs: int | None) -> int:
    """Write what RUN answered to a file that `evalsuite gate` holds later runs against.

    The file is for review: JSON, one entry per split, tolerances at the top.
    """
    from evalsuite import api

    baseline = api.write_baseline(run, out, specs=specs, answers=not values_only, jobs=jobs or os.cpu_count() or 1)
    examples = sum(split.n for split in baseline.splits)
    say(f"{out}: {len(baseline.splits)} splits, {examples:,} examples, {out.stat().st_size / 1000:,.0f} kB")
    return 0
