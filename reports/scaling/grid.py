"""Values of tasks over model size and resolution, several seeds each."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from evalsuite.reports.answer_shares import is_flawed
from evalsuite.reports.published import load_published, published_values
from evalsuite.reports.results_table import is_headline, part_name, task_name
from evalsuite.reports.rows import ResultRow
from evalsuite.reports.tables import MARK, TASK, Cell, Column, Table

Place = tuple[str, int]
"""(size, resolution in pixels), such as ("3B", 224)."""

PERCENT = "%"


@dataclass(frozen=True, slots=True)
class Sample:
    """Values of several seeds in one cell, or a printed mean with its spread.

    std: sample standard deviation over seeds (n - 1), as the papers print; None for a single value.
    flawed: whether answers behind some value were unread, cut, empty or withheld.
    """

    mean: float
    std: float | None = None
    values: tuple[float, ...] = ()
    flawed: bool = False

    @classmethod
    def of(cls, values: Sequence[float], *, flawed: bool = False) -> Sample:
        spread = statistics.stdev(values) if len(values) > 1 else None
        return cls(statistics.fmean(values), spread, tuple(values), flawed)

    @property
    def median(self) -> float:
        return statistics.median(self.values) if self.values else self.mean


@dataclass(frozen=True, slots=True)
class TaskGrid:
    """One task over sizes and resolutions. unit: "%" means bounded by 100. published: the paper's cells of the row."""

    name: str
    unit: str
    higher_is_better: bool
    cells: Mapping[Place, Sample]
    published: Mapping[Place, Sample]

    def best(self) -> Place | None:
        """The best cell; the first of equals."""
        if not self.cells:
            return None
        sign = 1 if self.higher_is_better else -1
        return max(self.cells, key=lambda place: sign * self.cells[place].mean)

    def sizes(self) -> list[str]:
        return sorted({size for size, _ in self.cells}, key=size_number)

    def resolutions(self) -> list[int]:
        return sorted({resolution for _, resolution in self.cells})


def size_number(size: str) -> float:
    """Parameters of a size as people write it, for sorting and axes: ``3B`` is 3e9, ``0.7M`` 7e5.

    >>> size_number("10B") > size_number("3B") > size_number("700M")
    True
    """
    match = re.fullmatch(r"\s*([\d.]+)\s*([kKmMbB]?)\s*", size)
    if match is None:
        return math.inf
    return float(match[1]) * {"": 1.0, "K": 1e3, "M": 1e6, "B": 1e9}[match[2].upper()]


def size_places(sizes: Iterable[str]) -> dict[str, float]:
    """Where each size stands on an axis, in order: its parameters, or 1, 2, 3 … where one has no number.

    >>> size_places(["10B", "3B"]), size_places(["so400m-base", "3B"])
    ({'3B': 3000000000.0, '10B': 10000000000.0}, {'3B': 1.0, 'so400m-base': 2.0})
    """
    ordered = sorted(set(sizes), key=lambda size: (size_number(size), size))
    if all(math.isfinite(size_number(size)) and size_number(size) > 0 for size in ordered):
        return {size: size_number(size) for size in ordered}
    return {size: float(place) for place, size in enumerate(ordered, 1)}


def grids_of_runs(rows: Iterable[ResultRow]) -> list[TaskGrid]:
    """The headline values of runs whose attributes name a ``size`` and a ``resolution``.

    Runs that differ in other attributes (``seed``, a learning rate that was chosen) are samples of one cell.
    """
    found: dict[tuple[str, str], dict[Place, list[float]]] = {}
    examples: dict[tuple[str, str], ResultRow] = {}
    flawed: set[tuple[tuple[str, str], Place]] = set()
    for row in rows:
        place = _place(row.attributes)
        if not is_headline(row) or row.value is None or place is None:
            continue
        key = (row.task, part_name(row))
        examples.setdefault(key, row)
        found.setdefault(key, {}).setdefault(place, []).append(row.value)
        if is_flawed(row):
            flawed.add((key, place))
    named = {key: task_name(examples[key]) for key in found}
    return [
        TaskGrid(
            _unique_name(named, key),
            examples[key].unit,
            examples[key].higher_is_better,
            {
                place: Sample.of(values, flawed=(key, place) in flawed)
                for place, values in sorted(cells.items(), key=lambda item: _order(item[0]))
            },
            _published_cells(examples[key]),
        )
        for key, cells in found.items()
    ]


def published_grids(reference: str = "paligemma2_table13") -> list[TaskGrid]:
    """A scaling table of a paper, in its order."""
    rows = load_published(reference)
    cells: dict[str, dict[Place, Sample]] = {}
    units: dict[str, str] = {}
    for row in rows:
        spread = float(row["std"]) if row["std"] else None
        cells.setdefault(row["task"], {})[row["params"], int(row["resolution"])] = Sample(float(row["mean"]), spread)
        units[row["task"]] = PERCENT if row["metric_unit"].endswith("_pct") else row["metric_unit"]
    return [TaskGrid(task, units[task], True, found, {}) for task, found in cells.items()]


def scaling_table(grids: Sequence[TaskGrid], title: str = "Scaling over size and resolution") -> Table:
    """A line per task and a column per resolution and size: mean ± std over seeds, the best of a line marked with *.

    Where a cell has published values, two columns follow it: the published mean, and the difference.
    """
    places = sorted({place for grid in grids for place in grid.cells}, key=_order)
    published = {place for grid in grids for place in grid.published}
    columns = [TASK, Column("unit", "Unit")]
    for size, resolution in places:
        key = f"{resolution}px_{size}"
        columns.append(Column(key, f"{resolution}px {size}", "number"))
        if (size, resolution) in published:
            columns += [Column(f"{key}_paper", "Paper", "number"), Column(f"{key}_difference", "Δ", "number")]
    lines = []
    for grid in grids:
        best, line = grid.best(), [Cell.of_text(grid.name), Cell.of_text(grid.unit)]
        for place in places:
            line.append(_sample_cell(grid.cells.get(place), marked=place == best))
            if place in published:
                line += _published_pair(grid, place)
        lines.append(tuple(line))
    caption = "Mean ± sample standard deviation over seeds; * marks the best of a line."
    return Table(title, tuple(columns), tuple(lines), caption)


def _sample_cell(sample: Sample | None, *, marked: bool) -> Cell:
    if sample is None:
        return Cell("", None)
    spread = "" if sample.std is None else f" ± {sample.std:.1f}"
    return Cell(f"{sample.mean:.1f}{spread}{MARK if sample.flawed else ''}{'*' if marked else ''}", sample.mean)


def _published_pair(grid: TaskGrid, place: Place) -> list[Cell]:
    ours, theirs = grid.cells.get(place), grid.published.get(place)
    if theirs is None:
        return [Cell("", None), Cell("", None)]
    spread = "" if theirs.std is None else f" ± {theirs.std:.1f}"
    difference = None if ours is None else ours.mean - theirs.mean
    return [Cell(f"{theirs.mean:.1f}{spread}", theirs.mean), Cell.of_number(difference, 1, sign=True)]


def _place(attributes: Mapping[str, object]) -> Place | None:
    size, resolution = attributes.get("size"), attributes.get("resolution")
    if size in (None, "") or resolution in (None, ""):
        return None
    pixels = str(resolution).lower().removesuffix("px").strip()
    return (str(size), int(pixels)) if pixels.isdigit() else None


def _order(place: Place) -> tuple[int, float, str]:
    """Resolution first, as Table 13 is printed."""
    return place[1], size_number(place[0]), place[0]


def _unique_name(named: Mapping[tuple[str, str], str], key: tuple[str, str]) -> str:
    """The task's name, with its split where another one has the same."""
    name = named[key]
    return name if list(named.values()).count(name) == 1 else f"{name} ({key[1]})"


def _published_cells(row: ResultRow) -> dict[Place, Sample]:
    if not row.paper_name or not row.reference or row.protocol == "official":
        return {}
    try:
        found = published_values(row.reference, row.paper_name, row.metric)
    except Exception:  # a table that is not shipped has nothing to show
        return {}
    return {
        (cell.size, cell.resolution): Sample(cell.value, cell.std)
        for cell in found
        if cell.model == "PaliGemma 2" and cell.size and cell.resolution
    }
