"""The figures of scaling studies as charts that a page draws itself; :mod:`figures` draws the same for paper."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from evalsuite.reports.charts import BarChart, Bars, HeatChart, HeatPanel, Panel, Point, Series, XYChart
from evalsuite.reports.scaling.grid import Sample, TaskGrid, size_number, size_places
from evalsuite.reports.scaling.improvement import BOTH, NEITHER, RESOLUTION, SIZE, Improvement
from evalsuite.reports.scaling.pairs import Cost, Pair
from evalsuite.reports.scaling.speed import Speed
from evalsuite.reports.scaling.sweep import Sweep, best_rate_counts


def scaling_curves(grids: Sequence[TaskGrid]) -> XYChart:
    """A panel per task: value against model size, a line per resolution, a band of one standard deviation."""
    panels = [_grid_panel(grid) for grid in grids]
    return XYChart("Value against model size", "model size", "value", panels, x_scale="log")


def improvement_scatter(found: Sequence[Improvement], *, errors: bool = False) -> XYChart:
    """Gain from size against gain from resolution. errors: reduction of the error, for metrics with a bound."""
    series = []
    for group in (BOTH, SIZE, RESOLUTION, NEITHER):
        chosen = [item for item in found if item.group == group]
        pairs = [(item.task, *_gains(item, errors)) for item in chosen]
        points = [Point(x, y, task) for task, x, y in pairs if x is not None and y is not None]
        series.append(Series(f"sensitive to {group}", points))
    what = "error reduction" if errors else "relative improvement"
    return XYChart(
        f"What size and resolution gain: {what}",
        f"{what} from a larger model [%]",
        f"{what} from a larger image [%]",
        [Panel("", series)],
        x_scale="symlog",
        y_scale="symlog",
        lines=False,
    )


def rate_heat_maps(sweeps: Sequence[Sweep]) -> HeatChart:
    """Task against learning rate, a panel per size; the best rates of each line are marked."""
    sizes = sorted({sweep.size for sweep in sweeps}, key=size_number)
    tasks = list(dict.fromkeys(sweep.task for sweep in sweeps))
    rates = sorted({rate for sweep in sweeps for rate in sweep.values})
    by_key = {(sweep.task, sweep.size): sweep for sweep in sweeps}
    panels = []
    for size in sizes:
        lines = [by_key.get((task, size)) for task in tasks]
        cells = [
            [
                (sweep.normalised()[rate], sweep.values[rate]) if sweep and rate in sweep.values else None
                for rate in rates
            ]
            for sweep in lines
        ]
        best = [(row, rates.index(rate)) for row, sweep in enumerate(lines) if sweep for rate in sweep.best()]
        panels.append(HeatPanel(size, cells, best))
    names = [f"{rate:g}" for rate in rates]
    return HeatChart("Learning rates, normalised per task and size", "learning rate", tasks, names, panels)


def best_rates(sweeps: Sequence[Sweep]) -> XYChart:
    """Best learning rate against model size; the area of a mark says for how many tasks."""
    counts = best_rate_counts(sweeps)
    most = max(counts.values(), default=1)
    places = size_places(size for size, _ in counts)
    points = [Point(places[size], rate, f"{count} tasks") for (size, rate), count in counts.items()]
    series = Series("", points, [count / most for count in counts.values()])
    panel = Panel("", [series], _ticks(places))
    scales = {"x_scale": "log", "y_scale": "log"}
    return XYChart("Best learning rate", "model size", "learning rate", [panel], lines=False, **scales)  # type: ignore[arg-type]


def delta_bars(pairs: Sequence[Pair], first: str, second: str) -> BarChart:
    """The difference of each task, a bar per resolution."""
    tasks = list(dict.fromkeys(pair.task for pair in pairs))
    found = {(pair.task, pair.resolution): pair.delta for pair in pairs}
    sides = sorted({pair.resolution for pair in pairs})
    series = [Bars(f"{side}px" if side else "", [found.get((task, side)) for task in tasks]) for side in sides]
    return BarChart(f"{second} minus {first}", "difference", tasks, series)


def relative_bars(pairs: Mapping[str, Sequence[Pair]], first: str) -> BarChart:
    """Each system's value as a percentage of the first's, from 100."""
    tasks = list(dict.fromkeys(pair.task for found in pairs.values() for pair in found))
    series = []
    for name, found in pairs.items():
        by_task = {pair.task: pair.relative for pair in found if not math.isnan(pair.relative)}
        series.append(Bars(name, [by_task.get(task) for task in tasks]))
    return BarChart(f"Quality relative to {first}", f"percent of {first}", tasks, series, origin=100.0)


def cost_quality(costs: Sequence[Cost]) -> XYChart:
    """Mean value against relative training cost, a line per size."""
    series = []
    for size in sorted({item.size for item in costs}, key=size_number):
        chosen = sorted((item for item in costs if item.size == size), key=lambda item: item.cost)
        series.append(Series(size, [Point(item.cost, item.quality, f"{item.resolution}px") for item in chosen]))
    return XYChart("Cost and quality", "relative training cost", "mean value", [Panel("", series)], x_scale="log")


def limited_examples(curves: Mapping[str, Mapping[int, float]]) -> XYChart:
    """Percent of the full-data value against training examples, a line per task."""
    series = [Series(task, [Point(x, y) for x, y in sorted(points.items())]) for task, points in curves.items()]
    x, y = "training examples", "percent of the full-data value"
    return XYChart("Limited examples", x, y, [Panel("", series)], x_scale="log")


def speed_bars(speeds: Sequence[Speed]) -> BarChart:
    """Tokens per second of prefill and of extending the answer, on each processor."""
    names = [speed.machine for speed in speeds]
    rates = [Bars("prefill", [speed.prefill_rate for speed in speeds])]
    rates.append(Bars("extend", [speed.extend_rate for speed in speeds]))
    return BarChart("Speed on processors", "tokens per second", names, rates)


def _grid_panel(grid: TaskGrid) -> Panel:
    series, places = [], size_places(grid.sizes())
    for resolution in grid.resolutions():
        cells = [(size, grid.cells[size, resolution]) for size in grid.sizes() if (size, resolution) in grid.cells]
        series.append(Series(f"{resolution}px", [_point(places[size], sample) for size, sample in cells]))
    return Panel(grid.name, series, _ticks(places))


def _point(place: float, sample: Sample) -> Point:
    spread = sample.std
    low, high = (None, None) if spread is None else (sample.median - spread, sample.median + spread)
    return Point(place, sample.median, "", low, high)


def _ticks(places: Mapping[str, float]) -> list[tuple[float, str]]:
    return [(place, size) for size, place in places.items()]


def _gains(item: Improvement, errors: bool) -> tuple[float | None, float | None]:
    return (item.size_error, item.resolution_error) if errors else (item.size, item.resolution)
