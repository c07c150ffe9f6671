"""``evalsuite metrics``."""

from __future__ import annotations

import dataclasses
import inspect
import json
from typing import Any

import click


@click.group("metrics", invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="One array of objects.")
@click.pass_context
def command(context: click.Context, as_json: bool) -> int | None:
    """List and show metrics."""
    if context.invoked_subcommand is not None:
        return None
    from evalsuite.cli.show import print_columns
    from evalsuite.metrics import known_metrics

    found = [describe(name) for name in known_metrics()]
    if as_json:
        click.echo(json.dumps(found, indent=1))
    else:
        rows = [[m["name"], ", ".join(v["name"] for v in m["values"]), m["definition"].split("\n")[0]] for m in found]
        print_columns(["metric", "values", "definition"], rows)
    return 0


@command.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def show(name: str, as_json: bool) -> int:
    """Print the definition, parameters, values and source of metric NAME."""
    metric = describe(name)
    if as_json:
        click.echo(json.dumps(metric, indent=1))
        return 0
    click.echo(f"{metric['name']} (version {metric['version']})\n\n{metric['definition']}\n\nparameters:")
    for parameter in metric["parameters"]:
        click.echo(f"  {parameter['name']} = {parameter['default']!r}")
    click.echo("values:")
    for value in metric["values"]:
        direction = "higher" if value["higher_is_better"] else "lower"
        click.echo(f"  {value['name']} ({value['unit']}, {direction} is better)")
    return 0


def describe(name: str) -> dict[str, Any]:
    """Definition, parameters and values of a metric, from its class."""
    from evalsuite.metrics import load_metric

    metric = load_metric(name)
    parameters = [
        {"name": field.name, "default": field.default}
        for field in dataclasses.fields(metric)
        if field.init and not field.name.startswith("_")
    ]
    return {
        "name": metric.name,
        "version": metric.version,
        "definition": inspect.getdoc(type(metric)) or "",
        "parameters": parameters,
        "values": [dataclasses.asdict(value) for value in metric.values],
        "signature": metric.signature(),
    }
