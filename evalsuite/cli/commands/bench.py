"""``evalsuite bench``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from evalsuite.cli.printing import say, table_console
from evalsuite.errors import UsageError
from evalsuite.settings.words import parse_names, parse_pairs, parse_value


@click.command("bench")
@click.option(
    "--backend", default="torch", show_default=True, help="torch, cpu, or another that can be timed in parts."
)
@click.option(
    "--model",
    default="mid",
    show_default=True,
    help="As for run; {resolution} is filled in. mid: random, 214 million parameters.",
)
@click.option("--resolutions", metavar="PIXELS", help="Comma-separated. [default: that of the model]")
@click.option("--batch-sizes", default="1", show_default=True, metavar="N,…", help="Comma-separated.")
@click.option("--repeats", default=5, show_default=True, type=click.IntRange(min=1), help="Timed runs of each case.")
@click.option("--against", metavar="BACKEND", help="Run this backend too, in float32, and state ratios and agreement.")
@click.option(
    "--prompts", default=64, show_default=True, type=click.IntRange(min=1), help="Random prompts for the agreement."
)
@click.option("--set", "attributes", multiple=True, metavar="KEY=VALUE", help="Attribute of the model, such as seed=1.")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="Setting of the backend: threads=2.")
@click.option("--format", "form", default="table", show_default=True, type=click.Choice(["table", "json", "markdown"]))
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write to this file instead of printing.")
def command(**given: Any) -> int:
    """Time a backend: image encoder, prefill of image and 4 tokens, 11 extend steps, and its memory.

    This is the protocol of the PaliGemma 2 paper's Table 9. Nothing else should run on the machine meanwhile.
    """
    from evalsuite.benchmarking.bench import BenchConfig, bench

    attributes = {name: parse_value(value) for name, value in parse_pairs(given["attributes"], "--set").items()}
    config = BenchConfig(
        backend=given["backend"],
        model=given["model"],
        resolutions=_numbers(given["resolutions"], "--resolutions") or (None,),
        batch_sizes=_numbers(given["batch_sizes"], "--batch-sizes"),
        repeats=given["repeats"],
        against=given["against"],
        prompts=given["prompts"],
        options=parse_pairs(given["options"], "--option"),
        attributes=attributes,
    )
    text = _text(bench(config), given["form"])
    if given["out"] is None:
        say(text)
    else:
        given["out"].write_text(text + "\n", "utf-8")
        say(f"written to {given['out']}", err=True)
    return 0


def _text(result: Any, form: str) -> str:
    from evalsuite.benchmarking.tables import result_tables
    from evalsuite.reports import to_markdown, to_terminal

    if form == "json":
        return json.dumps(result.as_json(), indent=1)
    tables = result_tables(result)
    if form == "markdown":
        return "\n".join(to_markdown(table) for table in tables).rstrip("\n")
    console = table_console(color_system=None)
    with console.capture() as captured:
        for table in tables:
            console.print(to_terminal(table, console.width))
            console.print()
    return captured.get().rstrip("\n")


def _numbers(text: str | None, option: str) -> tuple[int, ...]:
    """``"1, 4"`` -> (1, 4), None -> (). Raises UsageError for anything but whole numbers above 0."""
    names = parse_names(text) or ()
    if (text is not None and not names) or not all(name.isdecimal() and int(name) > 0 for name in names):
        raise UsageError(f"{option} {text}: must be whole numbers above 0, separated by commas")
    return tuple(dict.fromkeys(int(name) for name in names))
