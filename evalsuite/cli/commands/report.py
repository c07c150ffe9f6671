"""``evalsuite report``."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from evalsuite.cli.printing import say, say_json

PAPER = Path("paper")


@click.command("report")
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write to. [default: report/ in the first one]")
@click.option("--json", "as_json", is_flag=True, help="Print the rows as JSON.")
def command(runs: tuple[Path, ...], out: Path | None, as_json: bool) -> int:
    """Print the tables of RUNS (run folders, or a study's folder) and write them as Markdown, CSV and HTML.

    Runs that span sizes and resolutions get scaling tables (also LaTeX) and figures (PNG, SVG, PDF) as well. The word
    `paper` in place of RUNS makes the same from the papers' published tables alone.
    """
    if runs == (PAPER,) and not PAPER.exists():
        return _paper(out or Path("paper-report"))
    from evalsuite import api
    from evalsuite.cli.show import print_rows, print_warnings
    from evalsuite.reports import read_rows
    from evalsuite.reports.answer_shares import row_warnings

    files = api.report(*runs, out=out)
    rows = read_rows(runs)
    if as_json:
        say_json([dataclasses.asdict(row) for row in rows])
    else:
        print_rows(rows)
    print_warnings(row_warnings(rows))
    for path in (files.html, files.markdown, files.csv):
        say(f"written: {path}", err=as_json)
    if files.study:
        say(f"written: {len(files.study)} tables and figures of the study beside them", err=as_json)
    return 0


def _paper(folder: Path) -> int:
    from evalsuite.reports.scaling.paper import write_paper_report

    report = write_paper_report(folder)
    say("\n".join(report.statements))
    say(f"\nwritten: {folder / 'index.md'} and {len(report.files) - 1} tables and figures beside it")
    return 0
