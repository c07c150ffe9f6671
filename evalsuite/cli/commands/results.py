"""``evalsuite results``."""

from __future__ import annotations

from pathlib import Path

import click

from evalsuite.cli.groups import SuggestingGroup
from evalsuite.cli.printing import say
from evalsuite.settings.words import parse_pairs, parse_value


@click.group("results", cls=SuggestingGroup)
def command() -> None:
    """Bring in results that were made elsewhere."""


@command.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("runs"), show_default=True, help="Folder for the runs."
)
@click.option(
    "--name",
    "names",
    multiple=True,
    metavar="THEIRS=OURS",
    help="Their task or task:metric is our task or task:split.",
)
@click.option(
    "--set", "attributes", multiple=True, metavar="KEY=VALUE", help="Attribute of all values, such as size=3B."
)
@click.option("--source", default="", help="Who made them; shown as the model. [default: name of the file]")
@click.option("--specs", multiple=True, type=click.Path(path_type=Path), help="Folder with task specs of your own.")
def import_(
    files: tuple[Path, ...],
    out: Path,
    names: tuple[str, ...],
    attributes: tuple[str, ...],
    source: str,
    specs: tuple[Path, ...],
) -> int:
    """Write run folders with the values of FILES, for reports and studies.

    FILES are CSV or JSON in long form (task, value, and split, metric, n, ci_low, ci_high where known; other columns
    are attributes), or results of lm-evaluation-harness, lmms-eval or VLMEvalKit,
    whose tasks --name brings to ours.
    """
    from evalsuite import api

    given = {name: parse_value(value) for name, value in parse_pairs(attributes, "--set").items()}
    named = parse_pairs(names, "--name")
    for path in files:
        for folder in api.import_results(path, out, names=named, attributes=given, source=source, specs=specs):
            say(f"written: {folder}")
    return 0
