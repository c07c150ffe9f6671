"""``evalsuite score``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from evalsuite.cli.printing import say


@click.command("score")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--specs", multiple=True, type=click.Path(path_type=Path), help="Folder with task specs of your own.")
@click.option(
    "--resamples",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Bootstrap resamples for the 95% intervals; 0 for none.",
)
@click.option(
    "--metric-option",
    "metric_options",
    multiple=True,
    metavar="METRIC.PARAMETER=VALUE",
    help="Parameter of a metric beside the spec. [default: those of the run]",
)
@click.option(
    "--protocol",
    type=click.Choice(["paligemma", "official"]),
    help="Whose rule gives the headline value. [default: that of the run]",
)
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Processes that score heavy metrics. [default: number of cores]"
)
@click.option(
    "--time-limit",
    type=click.FloatRange(min=0, min_open=True),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="For scoring one example in a process of its own; then it counts as failed.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the results as JSON.")
def command(
    runs: tuple[Path, ...],
    specs: tuple[Path, ...],
    resamples: int,
    metric_options: tuple[str, ...],
    protocol: str | None,
    jobs: int | None,
    time_limit: float,
    as_json: bool,
) -> int:
    """Score the stored predictions of RUNS again, without a model or data."""
    import dataclasses

    from evalsuite import api
    from evalsuite.cli.show import print_results
    from evalsuite.runs.lock import locked
    from evalsuite.settings.words import parse_metric_options

    given = parse_metric_options(metric_options) or None
    results = []
    for folder in runs:
        with locked(folder, "score", make=False):  # values and report are of one scoring
            result = api.score(
                folder,
                specs=specs,
                resamples=resamples,
                metric_options=given,
                protocol=protocol,
                jobs=jobs or os.cpu_count() or 1,
                time_limit=time_limit,
            )
            for note in result.notes:
                say(f"note: {note}", err=True)
            if result.rows:
                result = dataclasses.replace(result, report=api.report(folder))
        results.append(result)
    print_results(results, as_json=as_json)
    return 0 if all(result.ok for result in results) else 1
