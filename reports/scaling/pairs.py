"""Two systems side by side: families (Table 15), quantized against float (Table 10), cost and quality (Table 1)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from evalsuite.reports.published import load_published
from evalsuite.reports.scaling.grid import TaskGrid
from evalsuite.reports.tables import TASK, Cell, Column, Table


@dataclass(frozen=True, slots=True)
class Pair:
    """One task in two systems, at one resolution (0 where it does not matter).

    flawed: whether answers behind the first, the second value were unread, cut, empty or withheld.
    """

    task: str
    resolution: int
    first: float
    second: float
    flawed: tuple[bool, bool] = (False, False)

    @property
    def delta(self) -> float:
        return self.second - self.first

    @property
    def relative(self) -> float:
        """The second as a percentage of the first, from the values as they are, not rounded."""
        return 100 * self.second / self.first if self.first else math.nan


def published_families() -> list[Pair]:
    """Table 15 of the PaliGemma 2 paper: PaliGemma against PaliGemma 2 3B."""
    found: dict[tuple[str, int], dict[str, float]] = {}
    for row in load_published("paligemma2_table15"):
        found.setdefault((row["task"], int(row["resolution"])), {})[row["model"]] = float(row["value"])
    return [Pair(task, side, both["PG1"], both["PG2"]) for (task, side), both in found.items() if len(both) == 2]


def published_quantized() -> tuple[list[Pair], dict[str, float]]:
    """Table 10: float32 against quantized, and the relative values as printed."""
    values: dict[str, dict[str, float]] = {}
    printed: dict[str, float] = {}
    for row in load_published("paligemma2_table10"):
        if row["unit"] == "relative_pct":
            printed[row["task"]] = float(row["value"])
        else:
            values.setdefault(row["task"], {})[row["system"].split(",")[0]] = float(row["value"])
    pairs = [Pair(task, 0, both["Jax"], both["gemma.cpp"]) for task, both in values.items()]
    return pairs, printed


def averages(pairs: Sequence[Pair]) -> dict[int, tuple[float, int]]:
    """Resolution -> (plain mean of the deltas, number of rows). CIDEr and percent are mixed, as in the paper."""
    found: dict[int, list[float]] = {}
    for pair in pairs:
        found.setdefault(pair.resolution, []).append(pair.delta)
    return {side: (math.fsum(deltas) / len(deltas), len(deltas)) for side, deltas in sorted(found.items())}


def delta_table(pairs: Sequence[Pair], first: str, second: str, title: str) -> Table:
    """Both values and their difference for each resolution, and the average of the differences in the last line."""
    sides = sorted({pair.resolution for pair in pairs})
    by_key = {(pair.task, pair.resolution): pair for pair in pairs}
    columns = [TASK]
    for side in sides:
        suffix = f" {side}px" if side else ""
        columns += [
            Column(f"first_{side}", f"{first}{suffix}", "number"),
            Column(f"second_{side}", f"{second}{suffix}", "number"),
            Column(f"delta_{side}", "Δ", "number"),
        ]
    lines = []
    for task in dict.fromkeys(pair.task for pair in pairs):
        line = [Cell.of_text(task)]
        for side in sides:
            line += _pair_cells(by_key.get((task, side)))
        lines.append(tuple(line))
    mean_line = [Cell.of_text("Average")]
    for side in sides:
        mean_line += [Cell("", None), Cell("", None), Cell.of_number(averages(pairs)[side][0], 2, sign=True)]
    lines.append(tuple(mean_line))
    caption = (
        "The average is the plain mean of the differences of all rows, CIDEr and percent mixed, as the paper prints."
    )
    return Table(title, tuple(columns), tuple(lines), caption)


def _pair_cells(pair: Pair | None) -> list[Cell]:
    if pair is None:
        return [Cell("", None)] * 3
    return [*_sides(pair), Cell.of_number(pair.delta, 1, sign=True)]


def _sides(pair: Pair) -> list[Cell]:
    return [Cell.of_number(pair.first, 1).marked(pair.flawed[0]), Cell.of_number(pair.second, 1).marked(pair.flawed[1])]


def relative_table(pairs: Sequence[Pair], first: str, second: str, printed: Mapping[str, float] | None = None) -> Table:
    """Both values and the second as a percentage of the first."""
    columns = [
        TASK,
        Column("first", first, "number"),
        Column("second", second, "number"),
        Column("relative", "Relative [%]", "number"),
    ]
    if printed:
        columns.append(Column("printed", "Printed [%]", "number"))
    lines = []
    for pair in pairs:
        line = [
            Cell.of_text(pair.task),
            *_sides(pair),
            Cell.of_number(pair.relative, 1),
        ]
        lines.append(tuple([*line, Cell.of_number(printed.get(pair.task), 1)] if printed else line))
    return Table(f"{second} against {first}", tuple(columns), tuple(lines))


@dataclass(frozen=True, slots=True)
class Cost:
    """A model's relative training cost per example (3B at 224 px is 1) and the mean of its values over shared tasks.

    flawed: as of :class:`~evalsuite.reports.scaling.grid.Sample`, for any of the values.
    """

    size: str
    resolution: int
    cost: float
    quality: float
    tasks: int
    flawed: bool = False


def costs_of(grids: Sequence[TaskGrid]) -> list[Cost]:
    """Table 1's relative costs of the cells that it prints, against the means over the tasks that every cell has."""
    costs = {
        (row["model"].split()[-1], int(row["resolution"])): float(row["relative_train_cost_per_example"])
        for row in load_published("paligemma2_table1")
    }
    places = {place for grid in grids for place in grid.cells}
    shared = [grid for grid in grids if places <= grid.cells.keys()]
    return [
        Cost(
            *place,
            costs[place],
            math.fsum(grid.cells[place].mean for grid in shared) / len(shared),
            len(shared),
            any(grid.cells[place].flawed for grid in shared),
        )
        for place in sorted(places, key=lambda place: costs.get(place, math.inf))
        if place in costs and shared
    ]


def cost_table(costs: Sequence[Cost]) -> Table:
    columns = (
        Column("model", "Model"),
        Column("cost", "Relative cost", "number"),
        Column("quality", "Mean value", "number"),
    )
    lines = tuple(
        (
            Cell.of_text(f"{item.size} {item.resolution}px"),
            Cell.of_number(item.cost, 1),
            Cell.of_number(item.quality, 2).marked(item.flawed),
        )
        for item in costs
    )
    tasks = costs[0].tasks if costs else 0
    return Table(
        "Cost and quality", columns, lines, f"Training cost per example against the plain mean of {tasks} tasks."
    )
