"""Running the cells of a study one after the other, and saying what is done."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite import api
from evalsuite.engine.observer import Observer
from evalsuite.errors import EvalsuiteError, StoreError
from evalsuite.redaction import redacted
from evalsuite.runs.folder import MANIFEST
from evalsuite.runs.lock import is_locked
from evalsuite.runs.manifest import read_manifest
from evalsuite.runs.study_file import read_study as read_study
from evalsuite.runs.study_file import write_study
from evalsuite.studies.grid import Cell, cells, run_config
from evalsuite.studies.selection import Choice, choose, chosen_cells, competing
from evalsuite.studies.spec import StudySpec

NOT_STARTED, RUNNING, INTERRUPTED, FAILED, DONE = "not started", "running", "interrupted", "failed", "done"


@dataclass(frozen=True, slots=True)
class CellState:
    """How far one cell is. tasks: task -> state of it; message: why it failed."""

    cell: Cell
    state: str
    tasks: tuple[tuple[str, str], ...] = ()
    message: str = ""

    @property
    def done(self) -> int:
        return sum(state == DONE for _, state in self.tasks)


def run_study(
    spec: StudySpec,
    folder: Path,
    *,
    specs: Sequence[Path] = (),
    observer: Observer | None = None,
    jobs: int = 1,
    on_cell: Any = None,
) -> list[CellState]:
    """Run every cell; what is stored is never asked again. A cell that fails does not stop the others.

    With ``select`` the whole grid first runs on the selection splits, and then each task on the reported ones where its
    chosen value is. on_cell: called with the cell before it runs. Raises SpecError, UsageError or StoreError when the
    study itself cannot work.
    """
    grid = cells(spec)
    folder.mkdir(parents=True, exist_ok=True)
    _write_study(spec, folder, grid, [])
    if spec.select is None:
        return [_run(spec, cell, folder, tuple(specs), observer, jobs, on_cell) for cell in grid]
    sweep = competing(spec.select, grid)
    states = [_run(spec, cell, folder, tuple(specs), observer, jobs, on_cell) for cell in sweep]
    choices = choose(spec.select, grid, folder)
    _write_study(spec, folder, grid, choices)
    reported = chosen_cells(spec.select, grid, choices)
    finals = {cell.name: _run(spec, cell, folder, tuple(specs), observer, jobs, on_cell) for cell in reported}
    return [finals.get(state.cell.name, state) for state in states]


def study_states(spec: StudySpec, folder: Path) -> list[CellState]:
    """What is done, running or failed, for every cell of the grid."""
    return [_state(cell, folder / cell.name) for cell in cells(spec)]


def study_folder(name: str) -> Path:
    """Where a study of this name lies unless told otherwise, such as ``studies/scaling``."""
    return Path("studies") / (re.sub(r"[^A-Za-z0-9.-]+", "_", name) or "study")


def _run(
    spec: StudySpec,
    cell: Cell,
    folder: Path,
    specs: tuple[Path, ...],
    observer: Observer | None,
    jobs: int,
    on_cell: Any,
) -> CellState:
    if on_cell is not None:
        on_cell(cell)
    try:
        config = dataclasses.replace(run_config(spec, cell, folder, specs), jobs=jobs)
        result = api.run_config(config, observer)
    except EvalsuiteError as error:
        return CellState(cell, FAILED, message=str(error))
    message = "; ".join(f"{task}: {reason}" for task, reason in result.failures.items())
    state = _state(cell, folder / cell.name)
    return CellState(cell, FAILED if message else state.state, state.tasks, message)


def _state(cell: Cell, run: Path) -> CellState:
    if not (run / MANIFEST).exists():
        return CellState(cell, NOT_STARTED)
    try:
        manifest = read_manifest(run)
    except StoreError as error:
        return CellState(cell, FAILED, message=str(error))
    entries = manifest["tasks"].items()
    tasks = tuple((task, str(entry.get("state"))) for task, entry in entries)
    failures = "; ".join(f"{task}: {entry['failure']}" for task, entry in entries if entry.get("failure"))
    if is_locked(run):
        return CellState(cell, RUNNING, tasks)
    if failures:
        return CellState(cell, FAILED, tasks, failures)
    return CellState(cell, DONE if all(state == DONE for _, state in tasks) else INTERRUPTED, tasks)


def _write_study(spec: StudySpec, folder: Path, grid: Sequence[Cell], choices: Sequence[Choice]) -> None:
    write_study(
        folder,
        {
            "study_version": 1,
            "name": spec.name,
            "axes": spec.axes,
            "cells": [{"folder": cell.name, "attributes": dict(cell.attributes), "tasks": cell.tasks} for cell in grid],
            "select": spec.select.model_dump() if spec.select else None,
            "choices": list(_written(choices)),
            "spec": redacted(spec.plain()),
        },
    )


def _written(choices: Sequence[Choice]) -> Iterator[dict[str, Any]]:
    for choice in choices:
        values = {str(value): mean for value, mean in choice.values.items()}
        yield {"task": choice.task, "place": dict(choice.place), "value": choice.value, "values": values}
