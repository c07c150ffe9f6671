"""``evalsuite merge``."""

from __future__ import annotations

import os
from pathlib import Path

import click


@click.command("merge")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--specs", multiple=True, type=click.Path(path_type=Path), help="Folder with task specs of your own.")
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Processes that score heavy metrics. [default: number of cores]"
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def command(run: Path, specs: tuple[Path, ...], jobs: int | None, as_json: bool) -> int:
    """Put the shards in the folder RUN together, score them and write the report.

    The folder then holds what a single process would have made. Doing it again changes nothing.
    """
    from evalsuite import api
    from evalsuite.cli.show import print_results

    result = api.merge(run, specs=specs, jobs=jobs or os.cpu_count() or 1)
    print_results([result], as_json=as_json)
    return 0 if result.ok else 1
