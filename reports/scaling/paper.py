"""``evalsuite report paper``: the papers' tables and figures again, from the published values alone.

What can be laid beside the papers shows that the code that will report your own study is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.reports.scaling import figures
from evalsuite.reports.scaling.files import write_table
from evalsuite.reports.scaling.grid import TaskGrid, published_grids, scaling_table
from evalsuite.reports.scaling.improvement import (
    error_reduction,
    improvement_table,
    improvements,
    relative_improvement,
)
from evalsuite.reports.scaling.pairs import (
    averages,
    cost_table,
    delta_table,
    published_costs,
    published_families,
    published_quantized,
    relative_table,
)
from evalsuite.reports.scaling.sweep import best_rate_table, published_sweeps
from evalsuite.reports.tables import Table, to_markdown
from evalsuite.runfolder import write_atomically

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMALL, LARGER_SIZE, LARGER_RESOLUTION = ("3B", 224), ("10B", 224), ("3B", 448)


@dataclass(frozen=True, slots=True)
class PaperReport:
    """What was written, and the sentences that can be checked against the papers' texts."""

    folder: Path
    files: tuple[Path, ...]
    statements: tuple[str, ...]


def statements() -> list[str]:
    """Numbers of the papers' texts, computed again from their tables."""
    found = averages(published_families())
    science = next(grid for grid in published_grids() if grid.name == "ScienceQA")
    small, large = science.cells[SMALL].mean, science.cells[LARGER_SIZE].mean
    lines = [
        f"Table 15: PaliGemma 2 3B is {mean:+.2f} better than PaliGemma at {side} px on average ({rows} rows)."
        for side, (mean, rows) in found.items()
    ]
    lines.append(
        f"ScienceQA, 3B to 10B at 224 px: {small} to {large} is {relative_improvement(small, large):.1f}% relative "
        f"improvement and {error_reduction(small, large):.1f}% error reduction."
    )
    pairs, printed = published_quantized()
    off = max(abs(pair.relative - printed[pair.task]) for pair in pairs)
    lines.append(f"Table 10: the relative values lie within {off:.2f} of the printed ones (which are rounded).")
    return lines


def tables() -> dict[str, Table]:
    """File name -> table."""
    grids = published_grids()
    gains = improvements(grids, SMALL, LARGER_SIZE, LARGER_RESOLUTION)
    pairs, printed = published_quantized()
    return {
        "table13_scaling": scaling_table(grids, "PaliGemma 2, Table 13"),
        "figure3_improvements": improvement_table(gains, "PaliGemma 2, figures 3 and 13"),
        "figure5_best_learning_rates": best_rate_table(published_sweeps()),
        "table15_families": delta_table(published_families(), "PaliGemma", "PaliGemma 2", "PaliGemma 2, Table 15"),
        "table10_quantized": relative_table(pairs, "float32", "quantized", printed),
        "table1_cost": cost_table(published_costs()),
    }


def write_paper_report(folder: Path, formats: Sequence[str] = figures.FORMATS) -> PaperReport:
    """Write every table as Markdown, CSV and LaTeX and every figure in ``formats``, and ``index.md`` with all of it."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    found = tables()
    for name, table in found.items():
        written += write_table(table, folder, name)
    drawn = _figures(published_grids())
    for name, figure in drawn.items():
        written += figures.save(figure, folder, name, formats)
    lines = ["# The papers' numbers, from their published tables", "", *(f"- {line}" for line in statements()), ""]
    if "png" in formats:
        lines += [f"![{name}]({name}.png)\n" for name in drawn]
    lines += [to_markdown(table) for table in found.values()]
    write_atomically(folder / "index.md", "\n".join(lines))
    return PaperReport(folder, (*written, folder / "index.md"), tuple(statements()))


def _figures(grids: Sequence[TaskGrid]) -> dict[str, Figure]:
    gains = improvements(grids, SMALL, LARGER_SIZE, LARGER_RESOLUTION)
    return {
        "figure3_improvements": figures.improvement_scatter(gains),
        "figure4_scaling": figures.scaling_curves(grids),
        "figure5_learning_rates": figures.rate_heat_maps(published_sweeps()),
        "figure13_error_reduction": figures.improvement_scatter(gains, errors=True),
        "table15_families": figures.delta_bars(published_families(), "PaliGemma", "PaliGemma 2"),
        "table1_cost": figures.cost_quality(published_costs()),
    }
