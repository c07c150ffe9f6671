"""``evalsuite report paper``: the papers' tables and figures again, from the published values alone.

What can be laid beside the papers shows that the code that will report your own study is right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalsuite.files.writing import write_atomically
from evalsuite.reports.rendering import render
from evalsuite.reports.scaling import plots
from evalsuite.reports.scaling.figures import FORMATS
from evalsuite.reports.scaling.grid import published_grids, scaling_table
from evalsuite.reports.scaling.improvement import (
    error_reduction,
    improvement_table,
    improvements,
    relative_improvement,
)
from evalsuite.reports.scaling.pairs import (
    averages,
    cost_table,
    costs_of,
    delta_table,
    published_families,
    published_quantized,
    relative_table,
)
from evalsuite.reports.scaling.speed import published_speeds, speed_table
from evalsuite.reports.scaling.study import StudyReport, write_study_report
from evalsuite.reports.scaling.sweep import best_rate_table, published_sweeps
from evalsuite.reports.tables import to_markdown

TITLE = "The papers' numbers, from their published tables"
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


def paper_report() -> StudyReport:
    """All tables and plots, by file name."""
    grids = published_grids()
    gains = improvements(grids, SMALL, LARGER_SIZE, LARGER_RESOLUTION)
    pairs, printed = published_quantized()
    families, sweeps, costs, speeds = published_families(), published_sweeps(), costs_of(grids), published_speeds()
    tables = {
        "table13_scaling": scaling_table(grids, "PaliGemma 2, Table 13"),
        "figure3_improvements": improvement_table(gains, "PaliGemma 2, figures 3 and 13"),
        "figure5_best_learning_rates": best_rate_table(sweeps),
        "table15_families": delta_table(families, "PaliGemma", "PaliGemma 2", "PaliGemma 2, Table 15"),
        "table10_quantized": relative_table(pairs, "float32", "quantized", printed),
        "table9_speed": speed_table(speeds, "PaliGemma 2, Table 9: gemma.cpp, 3B at 224px"),
        "table1_cost": cost_table(costs),
    }
    drawn = {
        "figure3_improvements": plots.improvement_scatter(gains),
        "figure13_error_reduction": plots.improvement_scatter(gains, errors=True),
        "figure4_scaling": plots.scaling_curves(grids),
        "figure5_learning_rates": plots.rate_heat_maps(sweeps),
        "figure5_best_learning_rates": plots.best_rates(sweeps),
        "table15_families": plots.delta_bars(families, "PaliGemma", "PaliGemma 2"),
        "table10_quantized": plots.relative_bars({"quantized": pairs}, "float32"),
        "table9_speed": plots.speed_bars(speeds),
        "table1_cost": plots.cost_quality(costs),
    }
    return StudyReport(tables, drawn)


def write_paper_report(folder: Path, formats: Sequence[str] = FORMATS) -> PaperReport:
    """Write every table as Markdown, CSV and LaTeX, every plot in ``formats`` and as JSON, ``index.md`` and a page."""
    report, said = paper_report(), statements()
    written = write_study_report(report, folder, formats)
    lines = [f"# {TITLE}", "", *(f"- {line}" for line in said), ""]
    if "png" in formats:
        lines += [f"![{name}]({name}.png)\n" for name in report.plots]
    lines += [to_markdown(table) for table in report.tables.values()]
    write_atomically(folder / "index.md", "\n".join(lines))
    write_atomically(folder / "index.html", render("paper.html.j2", {"title": TITLE, "statements": said}, report))
    return PaperReport(folder, (*written, folder / "index.md", folder / "index.html"), tuple(said))
