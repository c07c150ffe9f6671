"""Each plot twice: drawn by matplotlib for papers and slides, and as a chart for the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.files.writing import write_atomically
from evalsuite.reports.charts import Chart, to_json
from evalsuite.reports.scaling import charts, figures
from evalsuite.reports.scaling.grid import TaskGrid
from evalsuite.reports.scaling.improvement import Improvement
from evalsuite.reports.scaling.pairs import Cost, Pair
from evalsuite.reports.scaling.speed import Speed
from evalsuite.reports.scaling.sweep import Sweep

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True)
class Plot:
    """figure: for files; chart: for pages, and the plot's data as JSON."""

    figure: Figure
    chart: Chart


def scaling_curves(grids: Sequence[TaskGrid]) -> Plot:
    return Plot(figures.scaling_curves(grids), charts.scaling_curves(grids))


def improvement_scatter(found: Sequence[Improvement], *, errors: bool = False) -> Plot:
    return Plot(figures.improvement_scatter(found, errors=errors), charts.improvement_scatter(found, errors=errors))


def rate_heat_maps(sweeps: Sequence[Sweep]) -> Plot:
    return Plot(figures.rate_heat_maps(sweeps), charts.rate_heat_maps(sweeps))


def best_rates(sweeps: Sequence[Sweep]) -> Plot:
    return Plot(figures.best_rates(sweeps), charts.best_rates(sweeps))


def delta_bars(pairs: Sequence[Pair], first: str, second: str) -> Plot:
    return Plot(figures.delta_bars(pairs, first, second), charts.delta_bars(pairs, first, second))


def relative_bars(pairs: Mapping[str, Sequence[Pair]], first: str) -> Plot:
    return Plot(figures.relative_bars(pairs, first), charts.relative_bars(pairs, first))


def cost_quality(costs: Sequence[Cost]) -> Plot:
    return Plot(figures.cost_quality(costs), charts.cost_quality(costs))


def limited_examples(curves: Mapping[str, Mapping[int, float]]) -> Plot:
    return Plot(figures.limited_examples(curves), charts.limited_examples(curves))


def speed_bars(speeds: Sequence[Speed]) -> Plot:
    return Plot(figures.speed_bars(speeds), charts.speed_bars(speeds))


def write_plot(plot: Plot, folder: Path, name: str, formats: Sequence[str] = figures.FORMATS) -> list[Path]:
    """``name.png`` and so on, and ``name.json`` with what is drawn."""
    write_atomically(folder / f"{name}.json", to_json(plot.chart) + "\n")
    return [*figures.save(plot.figure, folder, name, formats), folder / f"{name}.json"]
