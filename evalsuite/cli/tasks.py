"""``evalsuite tasks``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalsuite.cli.groups import SuggestingGroup

if TYPE_CHECKING:
    from evalsuite.specs import TaskSpec

_specs_option = click.option(
    "--specs", multiple=True, type=click.Path(path_type=Path), help="Folder with task specs of your own."
)


@click.group("tasks", cls=SuggestingGroup, invoke_without_command=True)
@_specs_option
@click.option("--json", "as_json", is_flag=True, help="One array of objects.")
@click.pass_context
def command(context: click.Context, specs: tuple[Path, ...], as_json: bool) -> int | None:
    """List, show and validate task specs."""
    if context.invoked_subcommand is not None:
        context.obj = specs  # also where --specs stands before the subcommand
        return None
    from evalsuite import api
    from evalsuite.cli.show import print_columns

    tasks = api.load_tasks("all", specs=specs)
    if as_json:
        click.echo(json.dumps([summary(spec) for spec in tasks], indent=1, ensure_ascii=False))
        return 0
    rows = [
        [spec.id, spec.family, _headline(spec), ", ".join(split.name for split in spec.splits), spec.paper_name()]
        for spec in tasks
    ]
    print_columns(["task", "family", "headline metric", "splits", "paper row"], rows)
    return 0


@command.command("show")
@click.argument("task")
@_specs_option
@click.option("--json", "as_json", is_flag=True, help="The whole spec as JSON.")
@click.pass_obj
def show(before: tuple[Path, ...], task: str, specs: tuple[Path, ...], as_json: bool) -> int:
    """Print everything that the spec of TASK fixes."""
    from evalsuite import api

    content = api.load_task(task, specs=[*before, *specs]).model_dump(mode="json", exclude_none=True)
    if as_json:
        click.echo(json.dumps(content, indent=1, ensure_ascii=False))
    else:
        import yaml

        click.echo(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120).rstrip())
    return 0


@command.command("validate")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One object per file.")
def validate(files: tuple[Path, ...], as_json: bool) -> int:
    """Check spec FILES, or all below folders, and name every mistake by file, line and field."""
    from evalsuite.specs.loader import validate_file

    paths = [below for path in files for below in (sorted(path.rglob("*.yaml")) if path.is_dir() else [path])]
    problems = {str(path): validate_file(path) for path in paths}
    if as_json:
        click.echo(json.dumps([{"file": path, "problems": found} for path, found in problems.items()], indent=1))
    else:
        for path, found in problems.items():
            click.echo("\n".join(found) if found else f"{path}: valid")
    return 1 if any(problems.values()) else 0


@command.command("schema")
def schema() -> int:
    """Print the JSON Schema of task specs, for editors."""
    from evalsuite.specs import json_schema

    click.echo(json.dumps(json_schema(), indent=1))
    return 0


def summary(spec: TaskSpec) -> dict[str, Any]:
    """What a list of tasks says about one of them."""
    return {
        "id": spec.id,
        "version": spec.version,
        "title": spec.title,
        "paper_name": spec.paper_name(),
        "rows": [row.name for row in spec.rows],
        "family": spec.family,
        "prompt": spec.prompt.prefix,
        "max_prompt_tokens": spec.prompt.max_tokens,
        "max_new_tokens": spec.decoding.max_new_tokens,
        "beam_size": spec.decoding.beam_size,
        "splits": [split.name for split in spec.splits],
        "metrics": [
            {"name": use.name, "parameters": use.parameters, "protocol": use.protocol, "headline": use.headline}
            for use in spec.metrics
        ],
        "transfer": spec.transfer,
        "hub_id": spec.data.hub.id if spec.data.hub else None,
        "license": spec.license,
        "gating": spec.gating,
        "citation": spec.citation,
    }


def _headline(spec: TaskSpec) -> str:
    return next(use.name for use in spec.metrics if use.headline)
