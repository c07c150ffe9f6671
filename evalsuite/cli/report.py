"""``evalsuite report``."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to. [default: report/ in the first run]")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def command(runs: tuple[Path, ...], out: Path | None, as_json: bool) -> int:
    """Print the tables of RUNS and write them as Markdown, CSV and HTML."""
    from evalsuite import api
    from evalsuite.cli.show import print_rows
    from evalsuite.reports import read_rows

    rows = read_rows(runs)
    files = api.report(*runs, out=out)
    if as_json:
        click.echo(json.dumps([dataclasses.asdict(row) for row in rows], indent=1))
    else:
        print_rows(rows)
    for path in (files.html, files.markdown, files.csv):
        click.echo(f"written: {path}", err=as_json)
    return 0
