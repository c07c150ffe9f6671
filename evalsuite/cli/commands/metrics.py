"""``evalsuite metrics``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalsuite.cli.printing import say, say_json
from evalsuite.errors import UsageError

if TYPE_CHECKING:
    from evalsuite.metrics.verification import Verdict


VALUES_SHOWN = 3


@click.group("metrics", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One array of objects.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> int | None:
    """List, show and verify metrics."""
    if context.invoked_subcommand is not None:
        return None
    from evalsuite.cli.show import print_columns
    from evalsuite.metrics import known_metrics
    from evalsuite.metrics.documentation import describe

    found, broken = [], []
    for name in known_metrics():
        try:
            found.append(describe(name))
        except UsageError as error:  # a metric of another package
            broken.append(str(error))
    if as_json:
        say_json([dataclasses.asdict(metric) for metric in found], default=str)
    else:
        rows = [[m.name, _shown([value.name for value in m.values]), m.definition.split("\n")[0]] for m in found]
        print_columns(["metric", "values", "definition"], rows)
    for message in broken:
        say(f"note: {message}", err=True)
    return 0


def _shown(values: list[str]) -> str:
    """The first values of a metric; ``metrics show`` prints all."""
    return ", ".join(values) if len(values) <= VALUES_SHOWN else f"{', '.join(values[:2])}, … ({len(values)})"


@command.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def show(name: str, as_json: bool) -> int:
    """Print the definition, variants, parameters, values and source of metric NAME."""
    from evalsuite.metrics.documentation import describe, unit

    metric = describe(name)
    if as_json:
        say_json(dataclasses.asdict(metric), default=str)
        return 0
    say(f"{metric.name} (version {metric.version})\n\n{metric.definition}")
    if metric.variants:
        say("\nvariants:")
        for parameter in metric.variants:
            say(f"  {parameter.name}: {', '.join(parameter.choices)}")
    say("\nparameters:" if metric.parameters else "\nparameters: none")
    for parameter in metric.parameters:
        say(f"  {parameter.name} = {parameter.default!r}")
    say("values:")
    for value in metric.values:
        direction = "" if not value.higher_is_better else ", higher is better"
        say(f"  {value.name} ({unit(value).replace(' (', ', ').rstrip(')')}{direction})")
    if metric.unread:
        say(f"unread: {metric.unread[0].lower()}{metric.unread[1:]}")
    golden = ", ".join(metric.golden) or "no official values were recorded"
    say(f"source: {metric.source}\ncompared with: {golden}\nsignature: {metric.signature}")
    return 0


@command.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option(
    "--golden",
    type=click.Path(path_type=Path),
    help="Folder of golden files (*.jsonl, *.jsonl.gz). Without it: those in the package.",
)
@click.option("--json", "as_json", is_flag=True, help="One array with an object per file.")
def verify(names: tuple[str, ...], golden: Path | None, as_json: bool) -> int:
    """Compare our values with recorded values of the official programs.

    NAME is a golden file's name without its ending; without NAMEs all files of the folder are compared. The exit status
    is 1 when a file disagrees or cannot be read, or when nothing could be compared.
    """
    from evalsuite.metrics.verification import shipped_golden_files, verify_each

    verdicts: list[Verdict] = []
    if not as_json:
        say(_LINE.format("golden file", "lines", "compared", "left out", "largest diff.", "verdict"))
    for verdict in verify_each(golden if golden is not None else shipped_golden_files(), names):
        verdicts.append(verdict)
        if not as_json:
            _print_verdict(verdict)
    if as_json:
        found = [{"outcome": verdict.outcome, **dataclasses.asdict(verdict)} for verdict in verdicts]
        say_json(found)
    elif not verdicts:
        say("error: there are no golden files (*.jsonl, *.jsonl.gz) in the folder", err=True)
    outcomes = {verdict.outcome for verdict in verdicts}
    return 0 if "agrees" in outcomes and outcomes <= {"agrees", "not checked"} else 1


_LINE = "{:<22}{:>8}{:>10}{:>10}  {:<14} {}"


def _print_verdict(verdict: Verdict) -> None:
    difference = f"{verdict.largest_difference:.1e}" if verdict.compared else "-"
    counts = (verdict.lines, verdict.compared, verdict.not_compared)
    said: str = verdict.outcome
    if verdict.disagreements:
        said += f": {verdict.disagreements} of {verdict.compared} values differ"
        if verdict.required_share < 1:
            said += f" (share that must agree: {verdict.required_share:g})"
    say(_LINE.format(verdict.name, *counts, difference, said))
    for failure in [*verdict.failures, verdict.problem, verdict.missing]:
        if failure:
            say(f"    {failure}")
