"""Figures of scaling studies, drawn by matplotlib from the same data as the tables.

Every function returns a matplotlib Figure; :func:`save` writes it in several formats. Colours are those of Okabe and
Ito (2008), which people with colour blindness can tell apart; markers say the same again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.errors import MissingDependency
from evalsuite.reports.scaling.grid import TaskGrid, size_number, size_places
from evalsuite.reports.scaling.improvement import BOTH, NEITHER, RESOLUTION, SIZE, Improvement
from evalsuite.reports.scaling.pairs import Cost, Pair
from evalsuite.reports.scaling.speed import Speed
from evalsuite.reports.scaling.sweep import Sweep, best_rate_counts

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMATS = ("png", "svg", "pdf")
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GROUP_LOOK = {BOTH: ("#009E73", "D"), SIZE: ("#0072B2", "o"), RESOLUTION: ("#E69F00", "s"), NEITHER: ("#777777", "x")}


def scaling_curves(grids: Sequence[TaskGrid], columns: int = 6) -> Figure:
    """A small multiple per task: value against model size, a line per resolution, a band of one std (figure 4).

    The line goes through the median of the seeds, or through the printed mean where there are no single values.
    """
    rows = max(1, math.ceil(len(grids) / columns))
    figure = _figure(2.2 * columns, 1.9 * rows)
    axes = figure.subplots(rows, columns, squeeze=False)
    resolutions = sorted({resolution for grid in grids for resolution in grid.resolutions()})
    for axis, grid in zip(axes.flat, grids, strict=False):
        for number, resolution in enumerate(resolutions):
            _curve(axis, grid, resolution, number)
        axis.set_title(_short(grid.name), fontsize=8)
        axis.set_xscale("log")
        axis.tick_params(labelsize=6)
        places = size_places(grid.sizes())
        axis.set_xticks(list(places.values()), list(places))
        axis.minorticks_off()
    for axis in list(axes.flat)[len(grids) :]:
        axis.set_visible(False)
    handles, labels = axes.flat[0].get_legend_handles_labels() if grids else ([], [])
    figure.legend(
        handles, labels, loc="outside lower center", ncols=max(1, len(labels)), fontsize=8, title="resolution"
    )
    return figure


def improvement_scatter(found: Sequence[Improvement], *, errors: bool = False) -> Figure:
    """Gain from size against gain from resolution, symmetric logarithmic axes, by sensitivity (figures 3 and 13).

    errors: the reduction of the error instead of the improvement of the value; tasks without a bound are left out.
    """
    figure = _figure(6.4, 6.0)
    axis = figure.subplots()
    for group, (colour, marker) in GROUP_LOOK.items():
        points = [_point(item, errors) for item in found if item.group == group]
        shown = [point for point in points if point is not None]
        axis.scatter(
            [x for x, _, _ in shown], [y for _, y, _ in shown], c=colour, marker=marker, s=26, label=group, gid=group
        )
        for x, y, name in shown:
            axis.annotate(_short(name), (x, y), fontsize=5.5, xytext=(3, 2), textcoords="offset points")
    axis.set_xscale("symlog", linthresh=1)
    axis.set_yscale("symlog", linthresh=1)
    axis.margins(0.14)
    axis.axhline(0, color="#bbbbbb", linewidth=0.6)
    axis.axvline(0, color="#bbbbbb", linewidth=0.6)
    what = "error reduction" if errors else "relative improvement"
    axis.set_xlabel(f"{what} from a larger model [%]")
    axis.set_ylabel(f"{what} from a larger image [%]")
    axis.legend(title="sensitive to", fontsize=7)
    return figure


def rate_heat_maps(sweeps: Sequence[Sweep]) -> Figure:
    """Task and size against learning rate; 0 is the worst and 1 the best of a line, the best is marked (figure 5)."""
    sizes = sorted({sweep.size for sweep in sweeps}, key=size_number)
    tasks = list(dict.fromkeys(sweep.task for sweep in sweeps))
    rates = sorted({rate for sweep in sweeps for rate in sweep.values})
    figure = _figure(1.6 + 1.9 * len(sizes), 0.6 + 0.16 * len(tasks))
    axes = figure.subplots(1, max(1, len(sizes)), squeeze=False, sharey=True)
    by_key = {(sweep.task, sweep.size): sweep for sweep in sweeps}
    for axis, size in zip(axes.flat, sizes, strict=False):
        table = [[math.nan] * len(rates) for _ in tasks]
        for line, task in enumerate(tasks):
            sweep = by_key.get((task, size))
            for rate, share in (sweep.normalised() if sweep else {}).items():
                table[line][rates.index(rate)] = share
            for rate in sweep.best() if sweep else []:
                axis.plot(rates.index(rate), line, marker="o", color="white", markeredgecolor="black", markersize=3.5)
        axis.imshow(table, aspect="auto", cmap="viridis", vmin=0, vmax=1)
        axis.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates], rotation=90, fontsize=6)
        axis.set_yticks(range(len(tasks)), [_short(task) for task in tasks], fontsize=6)
        axis.set_title(size, fontsize=8)
    return figure


def best_rates(sweeps: Sequence[Sweep]) -> Figure:
    """Best learning rate against model size; the area of a mark says for how many tasks."""
    counts = best_rate_counts(sweeps)
    figure = _figure(4.6, 3.6)
    axis = figure.subplots()
    places = size_places(size for size, _ in counts)
    xs = [places[size] for size, _ in counts]
    axis.scatter(xs, [rate for _, rate in counts], s=[24 * n for n in counts.values()], color=COLOURS[0], alpha=0.6)
    for (size, rate), count in counts.items():
        axis.annotate(str(count), (places[size], rate), fontsize=6, ha="center", va="center")
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xticks(list(places.values()), list(places))
    axis.minorticks_off()
    axis.margins(0.15)
    axis.set_xlabel("model size")
    axis.set_ylabel("best learning rate (number of tasks)")
    return figure


def delta_bars(pairs: Sequence[Pair], first: str, second: str) -> Figure:
    """The difference of each task, a bar per resolution (Table 15)."""
    sides = sorted({pair.resolution for pair in pairs})
    tasks = list(dict.fromkeys(pair.task for pair in pairs))
    figure = _figure(6.4, 0.8 + 0.2 * len(tasks))
    axis = figure.subplots()
    height = 0.8 / max(1, len(sides))
    for number, side in enumerate(sides):
        chosen = {pair.task: pair.delta for pair in pairs if pair.resolution == side}
        places = [line + (number - (len(sides) - 1) / 2) * height for line, task in enumerate(tasks) if task in chosen]
        values = [chosen[task] for task in tasks if task in chosen]
        label = f"{side}px" if side else ""
        axis.barh(places, values, height=height, color=COLOURS[number % len(COLOURS)], label=label)
    axis.set_yticks(range(len(tasks)), [_short(task) for task in tasks], fontsize=6)
    axis.invert_yaxis()
    axis.axvline(0, color="#333333", linewidth=0.6)
    axis.set_xlabel(f"{second} minus {first}")
    if any(sides):
        axis.legend(fontsize=7)
    return figure


def relative_bars(pairs: Mapping[str, Sequence[Pair]], first: str) -> Figure:
    """Each system's values as percentages of the first's, from 100 (Table 10)."""
    tasks = list(dict.fromkeys(pair.task for found in pairs.values() for pair in found))
    figure = _figure(6.0, 1.0 + 0.24 * len(tasks))
    axis = figure.subplots()
    height = 0.8 / max(1, len(pairs))
    for number, (name, found) in enumerate(pairs.items()):
        chosen = [pair for pair in found if not math.isnan(pair.relative)]
        places = [tasks.index(pair.task) + (number - (len(pairs) - 1) / 2) * height for pair in chosen]
        values = [pair.relative - 100 for pair in chosen]
        axis.barh(places, values, left=100, height=height, color=COLOURS[number % len(COLOURS)], label=name)
    axis.set_yticks(range(len(tasks)), [_short(task) for task in tasks], fontsize=6)
    axis.invert_yaxis()
    axis.axvline(100, color="#333333", linewidth=0.6)
    axis.set_xlabel(f"percent of {first}")
    axis.legend(fontsize=7)
    return figure


def speed_bars(speeds: Sequence[Speed]) -> Figure:
    """Tokens per second of prefill and of extending the answer on each machine (Table 9)."""
    figure = _figure(6.0, 1.0 + 0.4 * len(speeds))
    axis = figure.subplots()
    for number, (name, rates) in enumerate(
        (("prefill", [speed.prefill_rate for speed in speeds]), ("extend", [speed.extend_rate for speed in speeds]))
    ):
        places = [line + (number - 0.5) * 0.4 for line in range(len(speeds))]
        axis.barh(places, rates, height=0.4, color=COLOURS[number], label=name)
    axis.set_yticks(range(len(speeds)), [speed.machine for speed in speeds], fontsize=6)
    axis.invert_yaxis()
    axis.set_xlabel("tokens per second")
    axis.legend(fontsize=7)
    return figure


def cost_quality(costs: Sequence[Cost]) -> Figure:
    """Mean value against relative training cost, a line per size (Table 1)."""
    figure = _figure(5.2, 3.6)
    axis = figure.subplots()
    for number, size in enumerate(sorted({item.size for item in costs}, key=size_number)):
        chosen = sorted((item for item in costs if item.size == size), key=lambda item: item.cost)
        xs, ys = [item.cost for item in chosen], [item.quality for item in chosen]
        axis.plot(xs, ys, marker=MARKERS[number % 7], color=COLOURS[number % 7], label=size)
        for item in chosen:
            place = (item.cost, item.quality)
            axis.annotate(f"{item.resolution}px", place, fontsize=6, xytext=(4, -8), textcoords="offset points")
    axis.set_xscale("log")
    axis.set_xlabel("training cost per example, relative to 3B at 224px")
    axis.set_ylabel("mean value")
    axis.legend(fontsize=7, title="size")
    return figure


def limited_examples(curves: Mapping[str, Mapping[int, float]]) -> Figure:
    """Score relative to all the data, in percent, against the number of training examples, a line per task.

    curves: task -> number of examples -> percent of its full-data value.
    """
    figure = _figure(5.6, 4.0)
    axis = figure.subplots()
    for number, (task, points) in enumerate(curves.items()):
        xs = sorted(points)
        axis.plot(
            xs, [points[x] for x in xs], marker=MARKERS[number % 7], color=COLOURS[number % 7], label=_short(task)
        )
    axis.set_xscale("log", base=2)
    axis.axhline(100, color="#bbbbbb", linewidth=0.6)
    axis.set_xlabel("training examples")
    axis.set_ylabel("percent of the full-data value")
    axis.legend(fontsize=6, ncols=2)
    return figure


def save(figure: Figure, folder: Path, name: str, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Write the figure as ``name.png`` and so on. The bytes depend on the data alone."""
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    fixed: dict[str, dict[str, Any]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}, "png": {"Software": None}}
    with matplotlib.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}):
        for kind in formats:
            path = folder / f"{name}.{kind}"
            figure.savefig(path, dpi=160, metadata=fixed.get(kind))
            paths.append(path)
    return paths


def as_svg(figure: Figure) -> str:
    """The figure as the text of an SVG file, the same for the same figure."""
    import io

    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "evalsuite"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return buffer.getvalue().decode()


def _curve(axis: Axes, grid: TaskGrid, resolution: int, number: int) -> None:
    sizes = [size for size in grid.sizes() if (size, resolution) in grid.cells]
    samples = [grid.cells[size, resolution] for size in sizes]
    places = size_places(grid.sizes())
    xs = [places[size] for size in sizes]
    colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
    axis.plot(
        xs,
        [sample.median for sample in samples],
        color=colour,
        marker=marker,
        markersize=3,
        linewidth=1,
        label=f"{resolution}px",
    )
    low = [sample.median - (sample.std or 0) for sample in samples]
    high = [sample.median + (sample.std or 0) for sample in samples]
    axis.fill_between(xs, low, high, color=colour, alpha=0.2, linewidth=0)


def _point(item: Improvement, errors: bool) -> tuple[float, float, str] | None:
    x, y = (item.size_error, item.resolution_error) if errors else (item.size, item.resolution)
    return None if x is None or y is None else (x, y, item.task)


def _figure(width: float, height: float) -> Figure:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingDependency("drawing figures", needs="matplotlib", way_out="pip install matplotlib") from None
    return Figure(figsize=(width, height), layout="constrained")


def _short(name: str) -> str:
    return name if len(name) <= 22 else name[:21] + "…"
