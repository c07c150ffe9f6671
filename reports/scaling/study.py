"""The scaling report of runs: the same tables and figures as the papers', where the runs span sizes and resolutions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evalsuite.reports.answer_shares import is_flawed
from evalsuite.reports.rows import ResultRow
from evalsuite.reports.scaling import plots
from evalsuite.reports.scaling.figures import FORMATS
from evalsuite.reports.scaling.files import write_table
from evalsuite.reports.scaling.footnotes import footnotes, plot_with_footnotes, with_footnotes
from evalsuite.reports.scaling.grid import TaskGrid, grids_of_runs, scaling_table
from evalsuite.reports.scaling.improvement import improvement_table, improvements, steps
from evalsuite.reports.scaling.pairs import Pair, cost_table, costs_of, delta_table, relative_table
from evalsuite.reports.scaling.plots import Plot
from evalsuite.reports.scaling.sweep import best_rate_table, sweeps_of_runs
from evalsuite.reports.tables import Table

QUANTIZATION, EXAMPLES, RATE, FAMILY = "quantization", "train_examples", "learning_rate", "family"
_FLOAT = ("", "none", "float32", "float", "f32")


@dataclass
class StudyReport:
    """Tables and plots by file name; empty where the runs do not vary in anything that one is about."""

    tables: dict[str, Table] = field(default_factory=dict)
    plots: dict[str, Plot] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.tables)


def study_report(rows: Sequence[ResultRow]) -> StudyReport:
    """What can be said of these runs together, by their attributes:

    size and resolution: scaling table and curves, gains from each. learning_rate: heat maps and best rates.
    quantization: quality relative to float. train_examples: values relative to all the data.
    family: the difference of two families. Cells whose training cost Table 1 prints: cost against quality.
    """
    report = StudyReport()
    _add_scaling(report, grids_of_runs(rows))
    _add_families(report, rows)
    _add_sweep(report, rows)
    _add_quantized(report, rows)
    _add_limited(report, rows)
    notes = footnotes(rows)
    tables = {name: with_footnotes(table, notes) for name, table in report.tables.items()}
    return StudyReport(tables, {name: plot_with_footnotes(plot, notes) for name, plot in report.plots.items()})


def write_study_report(report: StudyReport, folder: Path, formats: Sequence[str] = FORMATS) -> list[Path]:
    """Every table as Markdown, CSV and LaTeX, every plot in ``formats`` and as JSON."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for name, table in report.tables.items():
        written += write_table(table, folder, name)
    for name, plot in report.plots.items():
        written += plots.write_plot(plot, folder, name, formats)
    return written


def quantized_pairs(rows: Sequence[ResultRow]) -> dict[str, list[Pair]]:
    """Name of a quantization -> each task's float value and quantized value, other attributes being equal."""
    found: dict[tuple[object, ...], dict[str, ResultRow]] = {}
    for row in _headlines(rows):
        if QUANTIZATION in row.attributes:
            rest = tuple(sorted((k, str(v)) for k, v in row.attributes.items() if k != QUANTIZATION))
            name = str(row.attributes[QUANTIZATION]).lower()
            found.setdefault((row.task, row.split, row.stratum, rest), {})["" if name in _FLOAT else name] = row
    pairs: dict[str, list[Pair]] = {}
    for systems in found.values():
        for name, row in systems.items():
            if name and "" in systems and systems[""].value is not None and row.value is not None:
                flawed = (is_flawed(systems[""]), is_flawed(row))
                pairs.setdefault(name, []).append(Pair(_name(row), 0, systems[""].value, row.value, flawed))
    return pairs


def family_pairs(rows: Sequence[ResultRow]) -> tuple[tuple[str, str], list[Pair]]:
    """The two families that the runs name, in the order of the runs, and each value in both, all else being equal.

    Nothing where there are more or fewer than two.
    """
    names = list(dict.fromkeys(str(row.attributes[FAMILY]) for row in rows if FAMILY in row.attributes))
    if len(names) != 2:
        return ("", ""), []
    found: dict[tuple[object, ...], dict[str, ResultRow]] = {}
    for row in _headlines(rows):
        if FAMILY in row.attributes and row.value is not None:
            rest = tuple(sorted((k, str(v)) for k, v in row.attributes.items() if k != FAMILY))
            found.setdefault((row.task, row.split, row.stratum, rest), {})[str(row.attributes[FAMILY])] = row
    pairs: dict[tuple[str, int], list[tuple[float, float]]] = {}
    flaws: dict[tuple[str, int], list[tuple[bool, bool]]] = {}
    for both in found.values():
        if len(both) == 2:
            first, second = both[names[0]], both[names[1]]
            side = re.sub(r"\D", "", str(first.attributes.get("resolution", "")))
            key = (_name(first), int(side or 0))
            pairs.setdefault(key, []).append((first.value or 0.0, second.value or 0.0))
            flaws.setdefault(key, []).append((is_flawed(first), is_flawed(second)))
    means = []
    for key, values in pairs.items():
        one, other = (sum(side) / len(side) for side in zip(*values, strict=True))
        flawed = (any(flaw for flaw, _ in flaws[key]), any(flaw for _, flaw in flaws[key]))
        means.append(Pair(*key, one, other, flawed))
    return (names[0], names[1]), means


def limited_curves(rows: Sequence[ResultRow]) -> dict[str, dict[int, float]]:
    """Task -> number of training examples -> percent of the value with the most examples (PaliGemma, section 6.3)."""
    found: dict[str, dict[int, list[float]]] = {}
    for row in _headlines(rows):
        number = str(row.attributes.get(EXAMPLES, ""))
        if number.isdigit() and row.value is not None:
            found.setdefault(_name(row), {}).setdefault(int(number), []).append(row.value)
    curves: dict[str, dict[int, float]] = {}
    for task, points in found.items():
        means = {number: sum(values) / len(values) for number, values in points.items()}
        full = means[max(means)]
        if len(means) > 1 and full:
            curves[task] = {number: 100 * mean / full for number, mean in sorted(means.items())}
    return curves


def _add_scaling(report: StudyReport, grids: Sequence[TaskGrid]) -> None:
    if len({place for grid in grids for place in grid.cells}) < 2:
        return
    report.tables["scaling"] = scaling_table(grids)
    report.plots["scaling_curves"] = plots.scaling_curves(grids)
    costs = costs_of(grids)
    if len(costs) > 1:
        report.tables["cost"] = cost_table(costs)
        report.plots["cost"] = plots.cost_quality(costs)
    places = steps(grids)
    gains = improvements(grids, *places) if places else []
    if gains:
        report.tables["improvements"] = improvement_table(gains)
        report.plots["improvements"] = plots.improvement_scatter(gains)
        if any(item.size_error is not None for item in gains):
            report.plots["error_reduction"] = plots.improvement_scatter(gains, errors=True)


def _add_families(report: StudyReport, rows: Sequence[ResultRow]) -> None:
    names, pairs = family_pairs(rows)
    if pairs:
        report.tables["families"] = delta_table(pairs, *names, title=f"{names[1]} against {names[0]}")
        report.plots["families"] = plots.delta_bars(pairs, *names)


def _add_sweep(report: StudyReport, rows: Sequence[ResultRow]) -> None:
    sweeps = [sweep for sweep in sweeps_of_runs(rows, RATE) if len(sweep.values) > 1]
    if sweeps:
        report.tables["best_learning_rates"] = best_rate_table(sweeps)
        report.plots["learning_rates"] = plots.rate_heat_maps(sweeps)
        report.plots["best_learning_rates"] = plots.best_rates(sweeps)


def _add_quantized(report: StudyReport, rows: Sequence[ResultRow]) -> None:
    systems = quantized_pairs(rows)
    for name, pairs in systems.items():
        report.tables[f"quantized_{name}"] = relative_table(pairs, "float", name)
    if systems:
        report.plots["quantized"] = plots.relative_bars(systems, "float")


def _add_limited(report: StudyReport, rows: Sequence[ResultRow]) -> None:
    curves: Mapping[str, Mapping[int, float]] = limited_curves(rows)
    if curves:
        report.plots["limited_examples"] = plots.limited_examples(curves)


def _headlines(rows: Sequence[ResultRow]) -> list[ResultRow]:
    from evalsuite.reports.results_table import is_headline

    return [row for row in rows if is_headline(row)]


def _name(row: ResultRow) -> str:
    from evalsuite.reports.results_table import part_name, task_name

    return task_name(row) if row.paper_name else f"{task_name(row)}, {part_name(row)}"
