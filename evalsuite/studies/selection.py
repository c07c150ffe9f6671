"""Choosing one value of an axis per task on splits that are not reported, as the papers choose the learning rate."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evalsuite.reports.rows import read_rows
from evalsuite.runs.folder import RESULTS
from evalsuite.runs.results import ResultRow
from evalsuite.studies.grid import Cell
from evalsuite.studies.spec import AxisValue, Select


@dataclass(frozen=True, slots=True)
class Choice:
    """The value of the axis that is best for a task, in the cells of ``place`` (axis -> value of ``select.per``).

    values: value of the axis -> mean headline value over the selection splits and the other axes.
    """

    task: str
    place: Mapping[str, AxisValue]
    value: AxisValue
    values: Mapping[AxisValue, float]


def competing(select: Select, grid: Sequence[Cell]) -> list[Cell]:
    """The runs on the selection splits: every cell of the grid."""
    return [dataclasses.replace(cell, splits=tuple(select.splits)) for cell in grid]


def choose(select: Select, grid: Sequence[Cell], folder: Path) -> list[Choice]:
    """The best value for each task and each cell of ``select.per``, from the runs that are there.

    Ties go to the value that stands first in the grid. Tasks without a selection split are not among them.
    """
    found: dict[tuple[str, tuple[AxisValue, ...]], dict[AxisValue, list[float]]] = {}
    directions: dict[str, bool] = {}
    for cell in grid:
        if not (folder / cell.name / RESULTS).exists():
            continue
        place = tuple(cell.attributes[axis] for axis in select.per)
        for row in _selection_rows(read_rows([folder / cell.name]), select.splits):
            directions[row.task] = row.higher_is_better
            values = found.setdefault((row.task, place), {})
            values.setdefault(cell.attributes[select.axis], []).append(row.value or 0.0)
    choices = []
    for (task, place), values in found.items():
        means = {value: math.fsum(numbers) / len(numbers) for value, numbers in values.items()}
        best = max(means, key=lambda value: means[value] if directions[task] else -means[value])
        choices.append(Choice(task, dict(zip(select.per, place, strict=True)), best, means))
    return choices


def chosen_cells(select: Select, grid: Sequence[Cell], choices: Iterable[Choice]) -> list[Cell]:
    """The cells to report: in each, the tasks whose best value it has. Cells without such a task are left out."""
    cells = []
    for cell in grid:
        tasks = [
            choice.task
            for choice in choices
            if choice.value == cell.attributes[select.axis]
            and all(cell.attributes[axis] == value for axis, value in choice.place.items())
        ]
        if tasks:
            cells.append(dataclasses.replace(cell, tasks=",".join(tasks), splits=None))
    return cells


def _selection_rows(rows: Sequence[ResultRow], splits: Sequence[str]) -> list[ResultRow]:
    return [row for row in rows if row.headline and not row.stratum and row.split in splits and row.value is not None]
