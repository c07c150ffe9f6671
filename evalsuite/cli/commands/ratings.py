"""``evalsuite ratings``."""

from __future__ import annotations

from pathlib import Path

import click

from evalsuite.cli.groups import SuggestingGroup
from evalsuite.cli.printing import say, say_json
from evalsuite.errors import UsageError
from evalsuite.settings.words import parse_pairs

PROBLEMS_SHOWN = 5

_task_option = click.option("--task", help="Task of the run. [default: the only one]")
_split_option = click.option("--split", help="Split with answers. [default: the only one]")


@click.group("ratings", cls=SuggestingGroup)
def command() -> None:
    """Have the sentences of captions rated, by people or by a judging model."""


@command.command("export")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--out", type=click.Path(path_type=Path), default="ratings.csv", show_default=True, metavar="FILE")
@click.option("--raters", type=click.IntRange(min=1), default=5, show_default=True, help="Columns to be filled in.")
@_task_option
@_split_option
def export(run: Path, out: Path, raters: int, task: str | None, split: str | None) -> int:
    """Write a sheet with a row per sentence of RUN's answers and an empty column per rater."""
    from evalsuite import api

    sentences, without = api.export_ratings(run, out, task=task, split=split, raters=raters)
    say(f"written: {out}, {sentences} sentences{f'; {without} answers have none' if without else ''}")
    say(f"filled in, score with: evalsuite score {run} --metric-option non_entailment.ratings={out}")
    return 0


@command.command("judge")
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("sheet", type=click.Path(path_type=Path))
@click.option("--model", metavar="NAME", help="Judging model, as the server names it. [default: its only one]")
@click.option("--url", help="Shorthand for --option url=…: the server, such as http://127.0.0.1:8000/v1.")
@click.option("--backend", default="server", show_default=True, help="What runs the judging model.")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="Setting of the backend.")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE", help="[default: SHEET with -judged in its name]"
)
@click.option("--max-new-tokens", type=click.IntRange(min=1), default=16, show_default=True)
@_task_option
@_split_option
def judge(
    run: Path,
    sheet: Path,
    model: str | None,
    url: str | None,
    backend: str,
    options: tuple[str, ...],
    out: Path | None,
    max_new_tokens: int,
    task: str | None,
    split: str | None,
) -> int:
    """Have a model rate the sentences of SHEET, which was exported from RUN, into a file of its own.

    The same command again asks for what has no rating yet. The exit status is 1 while there are such sentences.
    """
    from evalsuite import api

    given = parse_pairs(options, "--option")
    if url is not None:
        if "url" in given:
            raise UsageError("--url and --option url=… are the same; give one of them")
        given["url"] = url
    path = out or sheet.with_name(f"{sheet.stem}-judged.csv")
    done = api.judge_ratings(
        run,
        sheet,
        path,
        backend=backend,
        model=model,
        options=given,
        max_new_tokens=max_new_tokens,
        task=task,
        split=split,
        observe=lambda rated, total: say(f"{rated} of {total} sentences rated", err=True),
    )
    say(f"written: {path}, column {done.column}: {done.rated} rated, {done.before} were rated before")
    for (id, number), problem in list(done.problems.items())[:PROBLEMS_SHOWN]:
        say(f"no rating of sentence {number} of {id}: {problem}", err=True)
    if done.problems:
        say(f"{len(done.problems)} sentences have no rating; the same command asks about them again", err=True)
        return 1
    say(f"score with: evalsuite score {run} --metric-option non_entailment.ratings={path}")
    return 0


@command.command("check")
@click.argument("ratings", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="As one JSON object.")
def check(ratings: Path, as_json: bool) -> int:
    """Read filled-in sheets, a file or a folder: how many sentences are rated, by whom, and how raters agree.

    The exit status is 1 when a sentence has no rating.
    """
    from evalsuite import api

    found = api.check_ratings(ratings)
    if as_json:
        say_json(found)
    else:
        for name, value in found.items():
            say(f"{name}: {value:.4g}" if isinstance(value, float) else f"{name}: {value}")
    return 0 if not found["not rated"] else 1
