"""``evalsuite tasks``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalsuite.cli.groups import SuggestingGroup
from evalsuite.cli.printing import say, say_json

if TYPE_CHECKING:
    from evalsuite.specs import TaskSpec
    from evalsuite.specs.groups import GroupSpec

MOST_SPLITS = 4

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
    from evalsuite.cli.show import print_columns
    from evalsuite.specs import TaskRegistry

    registry = TaskRegistry(specs)
    tasks, groups = registry.select("all"), registry.groups()
    if as_json:
        found = [*map(summary, tasks), *map(group_summary, groups)]
        say_json(found)
        return 0
    rows = [[spec.id, spec.family, spec.headline().name, _splits(spec), spec.paper_name()] for spec in tasks]
    rows += [[group.id, group.family, "mean", _members(group), group.paper_name()] for group in groups]
    print_columns(["task", "family", "headline metric", "splits", "paper row"], rows)
    return 0


@command.command("show")
@click.argument("task")
@_specs_option
@click.option("--json", "as_json", is_flag=True, help="The whole spec as JSON.")
@click.pass_obj
def show(before: tuple[Path, ...], task: str, specs: tuple[Path, ...], as_json: bool) -> int:
    """Print everything that the spec of TASK, or of an average over tasks, fixes."""
    from evalsuite.specs import TaskRegistry

    registry = TaskRegistry([*before, *specs])
    averages = {group.id: group for group in registry.groups()}
    content = (averages.get(task) or registry.get(task)).model_dump(mode="json", exclude_none=True)
    if as_json:
        say_json(content)
    else:
        import yaml

        say(yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=120).rstrip())
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
        say_json([{"file": path, "problems": found} for path, found in problems.items()])
    else:
        for path, found in problems.items():
            say("\n".join(found) if found else f"{path}: valid")
    return 1 if any(problems.values()) else 0


@command.command("schema")
def schema() -> int:
    """Print the JSON Schema of task specs, for editors."""
    from evalsuite.specs import json_schema

    say_json(json_schema())
    return 0


def summary(spec: TaskSpec) -> dict[str, Any]:
    """What a list of tasks says about one of them."""
    return {
        "kind": "task",
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


def group_summary(group: GroupSpec) -> dict[str, Any]:
    """What a list of tasks says about an average over them."""
    return {
        "kind": "group",
        "id": group.id,
        "version": group.version,
        "title": group.title,
        "paper_name": group.paper_name(),
        "rows": [row.name for row in group.rows],
        "family": group.family,
        "members": [member.model_dump() for member in group.members],
    }


def _splits(spec: TaskSpec) -> str:
    """Names of the reported splits, shortened where they are many."""
    names = [split.name for split in spec.reported()]
    return ", ".join(names) if len(names) <= MOST_SPLITS else f"{', '.join(names[:2])}, … ({len(names)})"


def _members(group: GroupSpec) -> str:
    return "; ".join(f"{len(member.splits)} of {member.task}" for member in group.members)
