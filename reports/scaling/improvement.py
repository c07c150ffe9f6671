"""What a larger model and a larger image gain: figures 3 and 13 of the PaliGemma 2 paper.

The paper shows by colours which tasks it calls sensitive to size, to resolution, or to both, and states no rule. The
rule here: a task is sensitive to what improves its value by at least THRESHOLD percent, relative to the value before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalsuite.reports.scaling.grid import PERCENT, Place, Sample, TaskGrid
from evalsuite.reports.tables import TASK, Cell, Column, Table

THRESHOLD = 2.0
"""Relative improvement in percent from which a task counts as sensitive."""

BOTH, SIZE, RESOLUTION, NEITHER = "both", "size", "resolution", "neither"


@dataclass(frozen=True, slots=True)
class Improvement:
    """Gains of one task in percent: relative improvement of the value, and (bounded metrics only) of the error.

    size: from the smallest to the next model at the smaller resolution. resolution: from the smaller to the larger
    image with the smallest model. flawed: as of :class:`~evalsuite.reports.scaling.grid.Sample`, for any of the three.
    """

    task: str
    size: float
    resolution: float
    size_error: float | None
    resolution_error: float | None
    threshold: float = THRESHOLD
    flawed: bool = False

    @property
    def group(self) -> str:
        """Which of the two the task is sensitive to, by the threshold."""
        by_size, by_resolution = self.size >= self.threshold, self.resolution >= self.threshold
        if by_size and by_resolution:
            return BOTH
        return SIZE if by_size else RESOLUTION if by_resolution else NEITHER


def relative_improvement(before: float, after: float, higher_is_better: bool = True) -> float:
    """Percent by which ``after`` is better; for a metric where less is better, by which the old value exceeds the new.

    >>> round(relative_improvement(96.1, 98.2), 1)
    2.2
    """
    return 100 * (after / before - 1) if higher_is_better else 100 * (before / after - 1)


def error_reduction(before: float, after: float, bound: float = 100.0) -> float:
    """Percent of the error (distance to ``bound``) that is gone.

    >>> round(error_reduction(96.1, 98.2), 1)
    53.8
    """
    return 100 * (after - before) / (bound - before)


def improvements(
    grids: Sequence[TaskGrid], small: Place, larger_size: Place, larger_resolution: Place, threshold: float = THRESHOLD
) -> list[Improvement]:
    """The gains of every task that has all three cells, such as ("3B", 224), ("10B", 224), ("3B", 448)."""
    return [
        _improvement(grid, grid.cells[small], grid.cells[larger_size], grid.cells[larger_resolution], threshold)
        for grid in grids
        if {small, larger_size, larger_resolution} <= grid.cells.keys() and grid.cells[small].mean
    ]


def steps(grids: Sequence[TaskGrid]) -> tuple[Place, Place, Place] | None:
    """The cells to compare: the smallest size and resolution, the next size, the next resolution. None without them."""
    sizes = max((grid.sizes() for grid in grids), key=len, default=[])
    resolutions = max((grid.resolutions() for grid in grids), key=len, default=[])
    if len(sizes) < 2 or len(resolutions) < 2:
        return None
    return (sizes[0], resolutions[0]), (sizes[1], resolutions[0]), (sizes[0], resolutions[1])


def improvement_table(found: Sequence[Improvement], title: str = "Gains from size and from resolution") -> Table:
    columns = (
        TASK,
        Column("size", "Size [%]", "number"),
        Column("resolution", "Resolution [%]", "number"),
        Column("size_error", "Size, error [%]", "number"),
        Column("resolution_error", "Resolution, error [%]", "number"),
        Column("group", "Sensitive to"),
    )
    lines = tuple(
        (
            Cell.of_text(item.task).marked(item.flawed),
            Cell.of_number(item.size, 1, sign=True),
            Cell.of_number(item.resolution, 1, sign=True),
            Cell.of_number(item.size_error, 1, sign=True),
            Cell.of_number(item.resolution_error, 1, sign=True),
            Cell.of_text(item.group),
        )
        for item in found
    )
    threshold = found[0].threshold if found else THRESHOLD
    caption = (
        f"Relative improvement of the value, and reduction of the error where the metric ends at 100. A task counts as "
        f"sensitive from {threshold:g}% on; the paper shows its grouping by colour and states no rule."
    )
    return Table(title, columns, lines, caption)


def _improvement(grid: TaskGrid, small: Sample, size: Sample, resolution: Sample, threshold: float) -> Improvement:
    up = grid.higher_is_better
    bounded = grid.unit == PERCENT and up and small.mean < 100
    errors = [error_reduction(small.mean, other.mean) if bounded else None for other in (size, resolution)]
    gains = [relative_improvement(small.mean, other.mean, up) for other in (size, resolution)]
    flawed = small.flawed or size.flawed or resolution.flawed
    return Improvement(grid.name, gains[0], gains[1], errors[0], errors[1], threshold, flawed)
