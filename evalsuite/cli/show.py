"""What verbs print: plans, results, lists."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from evalsuite.cli.printing import say, say_json, table_console

if TYPE_CHECKING:
    from evalsuite.api import RunResult
    from evalsuite.engine.plan import Plan
    from evalsuite.runs.results import ResultRow


def print_columns(header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table, columns padded to their widest cell; the last column runs free."""
    widths = [max(len(line[i]) for line in [header, *rows]) for i in range(len(header))]
    for line in [header, *rows]:
        cells = [cell.ljust(width) for cell, width in zip(line[:-1], widths, strict=False)]
        say("  ".join([*cells, line[-1]]).rstrip())


def _without(record: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key not in names}


def plan_as_json(plan: Plan) -> dict[str, Any]:
    return {
        "run_folder": str(plan.folder),
        "backend": plan.config.backend,
        "attributes": dict(plan.config.attributes),
        "data": plan.config.data,
        "warnings": list(plan.warnings),
        "tasks": [
            {
                "task": task.spec.id,
                "paper_name": task.spec.paper_name(),
                "checkpoint": task.model,
                "identity": dict(task.identity),
                "splits": [_without(dataclasses.asdict(split), "end", "identity") for split in task.splits],
                "max_new_tokens_left": task.work,
            }
            for task in plan.tasks
        ],
    }


def print_plan(plan: Plan) -> None:
    rows = [
        [
            task.spec.id,
            split.name,
            "?" if split.total is None else str(split.total),
            str(split.stored),
            str(split.errors),
            str(task.spec.decoding.max_new_tokens),
            model or "(default)",
        ]
        for model, tasks in plan.by_model().items()
        for task in tasks
        for split in task.splits
    ]
    print_columns(["task", "split", "examples", "stored", "failed", "max new tokens", "checkpoint"], rows)
    work = [task.work for task in plan.tasks]
    known = sum(tokens or 0 for tokens in work)
    say(f"\nrun folder: {plan.folder}")
    say(
        f"work left: at most {known:,} new tokens{' and tasks of unknown size' if None in work else ''}, "
        f"{len(plan.by_model())} checkpoint(s). Nothing was run (--dry-run)."
    )


def print_rows(rows: Sequence[ResultRow]) -> None:
    """The headline table of these results; cut to no width where the output is not a terminal."""
    from evalsuite.reports import run_table, to_terminal

    console = table_console()
    console.print(to_terminal(run_table(rows), console.width))


def print_warnings(warnings: Sequence[str]) -> None:
    for warning in warnings:
        say(f"warning: {warning}", err=True)


def _by_message(failures: Mapping[str, str]) -> dict[str, list[str]]:
    """Tasks that failed for one reason, such as a model that cannot be loaded, are named together."""
    tasks: dict[str, list[str]] = {}
    for task, message in failures.items():
        tasks.setdefault(message, []).append(task)
    return tasks


def _say_failures(result: RunResult) -> None:
    for message, tasks in _by_message(result.failures).items():
        say(f"failed: {', '.join(tasks)}: {message}", err=True)


def print_share(result: RunResult, plan: Plan, *, as_json: bool) -> None:
    """That a share of a run has no results of its own, and what is due before there are any."""
    if as_json:
        say_json(
            {
                "shard": str(plan.config.shard),
                "folder": str(result.folder),
                "failures": dict(result.failures),
                "notes": list(result.notes),
                "merge": str(plan.whole_folder),
            }
        )
    _say_failures(result)
    say(f"note: {result.notes[-1]}", err=True)  # those before it were told as they came


def print_results(results: Sequence[RunResult], *, as_json: bool) -> None:
    """The table of each run, its report's path, warnings, and why tasks failed; as JSON, one array of all rows."""
    if as_json:
        rows = [dataclasses.asdict(row) for result in results for row in result.rows]
        say_json(rows)
    for result in results:
        if result.rows and not as_json:
            print_rows(result.rows)
        print_warnings(result.warnings)
        _say_failures(result)
        if result.report is not None:
            say(f"\nrun folder: {result.folder}\nreport: {result.report.html}", err=as_json)
