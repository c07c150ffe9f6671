"""Scaling reports: numbers first, then figures by what they contain and not by their pixels."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalsuite.reports.latex import escape_latex, to_latex
from evalsuite.reports.rows import ResultRow
from evalsuite.reports.scaling import figures
from evalsuite.reports.scaling.grid import Sample, grids_of_runs, published_grids, scaling_table, size_number
from evalsuite.reports.scaling.improvement import (
    BOTH,
    NEITHER,
    RESOLUTION,
    SIZE,
    Improvement,
    error_reduction,
    improvements,
    relative_improvement,
)
from evalsuite.reports.scaling.pairs import averages, costs_of, published_families, published_quantized
from evalsuite.reports.scaling.paper import statements
from evalsuite.reports.scaling.study import (
    family_pairs,
    limited_curves,
    quantized_pairs,
    study_report,
    write_study_report,
)
from evalsuite.reports.scaling.sweep import Sweep, published_sweeps, sweeps_of_runs
from evalsuite.reports.tables import Cell, Column, Table

SMALL, LARGER_SIZE, LARGER_RESOLUTION = ("3B", 224), ("10B", 224), ("3B", 448)


@pytest.fixture
def made(make_row: Callable[..., ResultRow]) -> Callable[..., ResultRow]:
    """``made(value, **attributes)``: the headline of DocVQA (val)."""

    def make(value: float, **attributes: Any) -> ResultRow:
        run = ",".join(f"{name}={value}" for name, value in attributes.items())
        return make_row(
            task="docvqa",
            paper_name="DocVQA (val)",
            metric="anls",
            unit="%",
            value=value,
            attributes=attributes,
            run=run,
        )

    return make


class TestPaper:
    """The papers' texts, computed from their tables."""

    def test_the_averages_of_table_15(self) -> None:
        found = averages(published_families())
        rounded = {side: (round(mean, 2), rows) for side, (mean, rows) in found.items()}
        assert rounded == {224: (0.65, 48), 448: (0.85, 42)}

    def test_the_science_qa_statement(self) -> None:
        assert round(relative_improvement(96.1, 98.2), 1) == 2.2
        assert round(error_reduction(96.1, 98.2), 1) == 53.8
        assert any("2.2% relative improvement and 53.8% error reduction" in line for line in statements())

    def test_the_relative_values_of_table_10_within_the_rounding_of_their_inputs(self) -> None:
        """Inputs are printed to 0.1: at 39.8 that is a quarter of a percent."""
        pairs, printed = published_quantized()
        assert len(pairs) == 5
        for pair in pairs:
            assert pair.relative == pytest.approx(printed[pair.task], abs=0.1 / pair.first * 100 + 0.05)

    def test_the_derived_columns_of_figure_3(self) -> None:
        from evalsuite.reports.published import load_published

        found = {item.task: item for item in improvements(published_grids(), SMALL, LARGER_SIZE, LARGER_RESOLUTION)}
        for row in load_published("paligemma2_fig3_groups"):
            item = found[row["task"]]
            assert item.size == pytest.approx(float(row["derived_rel_improvement_3B_to_10B_at224_pct"]), abs=0.01)
            larger = float(row["derived_rel_improvement_224_to_448_at3B_pct"])
            assert item.resolution == pytest.approx(larger, abs=0.01)

    def test_tasks_that_the_paper_names_as_sensitive_to_size_are_grouped_so(self) -> None:
        gains = improvements(published_grids(), SMALL, LARGER_SIZE, LARGER_RESOLUTION)
        found = {item.task: item.group for item in gains}
        assert {found[name] for name in ("AI2D", "CountBenchQA", "NLVR2", "XM3600 (avg35)")} == {SIZE}

    def test_table_13_has_its_48_rows_and_the_best_cell_of_a_row_is_marked(self) -> None:
        table = scaling_table(published_grids())
        assert len(table.rows) == 48
        titles = [column.title for column in table.columns]
        assert titles[2:] == ["224px 3B", "224px 10B", "224px 28B", "448px 3B", "448px 10B", "448px 28B"]
        line = next(row for row in table.rows if row[0].text == "ChartQA (human)")
        assert [cell.text for cell in line[2:]] == [
            "42.0 ± 0.3",
            "48.4 ± 1.1",
            "46.8 ± 0.6",
            "54.0 ± 0.6",
            "66.4 ± 0.5*",
            "61.3 ± 0.6",
        ]

    def test_best_rates_are_those_of_table_14(self) -> None:
        found = {(sweep.task, sweep.size): sweep.best() for sweep in published_sweeps()}
        assert found["AI2D", "3B"] == [6e-06] and found["GQA", "3B"] == [3e-06, 6e-06]
        assert found["SciCap", "28B"] == [3e-05]

    def test_costs_rise_with_size_and_resolution(self) -> None:
        costs = {(item.size, item.resolution): item.cost for item in costs_of(published_grids())}
        assert costs["3B", 224] == 1.0 and costs["28B", 448] == 63.5

    def test_the_command_writes_everything(self, evalsuite: Callable[..., Any], tmp_path: Path) -> None:
        done = evalsuite("report", "paper", "--out", "out")
        assert done.returncode == 0, done.stderr
        assert "+0.65" in done.stdout and "+0.85" in done.stdout and "53.8%" in done.stdout
        names = {path.name for path in (tmp_path / "out").iterdir()}
        for plot in (
            *("figure3_improvements", "figure4_scaling", "figure5_learning_rates", "figure5_best_learning_rates"),
            *("figure13_error_reduction", "table1_cost", "table9_speed", "table10_quantized", "table15_families"),
        ):
            assert {f"{plot}.{ending}" for ending in ("png", "svg", "pdf", "json")} <= names
        with (tmp_path / "out" / "table13_scaling.csv").open(newline="") as file:
            rows = {row["task"]: row for row in csv.DictReader(file)}
        assert rows["COCOcap"]["224px_3B"] == "141.3"


class TestRuns:
    def test_seeds_are_samples_of_one_cell(self, made: Callable[..., ResultRow]) -> None:
        rows = [made(70.0 + seed, size="3B", resolution=224, seed=seed) for seed in range(3)]
        (grid,) = grids_of_runs([*rows, made(80.0, size="10B", resolution="448px", seed=0)])
        assert grid.cells["3B", 224].mean == 71.0 and grid.cells["3B", 224].std == 1.0
        assert grid.cells["10B", 448] == Sample(80.0, None, (80.0,))
        assert grid.best() == ("10B", 448)

    def test_published_cells_stand_beside_with_their_difference(self, made: Callable[..., ResultRow]) -> None:
        table = scaling_table(grids_of_runs([made(45.0, size="3B", resolution=224)]))
        cells = {column.key: cell for column, cell in zip(table.columns, table.rows[0], strict=True)}
        assert cells["224px_3B_paper"].value == 39.9
        assert cells["224px_3B_difference"].value == pytest.approx(5.1)

    def test_runs_without_size_or_resolution_have_no_place(self, made: Callable[..., ResultRow]) -> None:
        assert grids_of_runs([made(1.0), made(1.0, size="3B"), made(1.0, size="3B", resolution="high")]) == []

    def test_sizes_are_ordered_by_their_parameters(self) -> None:
        assert sorted(["10B", "0.7M", "3B", "200k"], key=size_number) == ["200k", "0.7M", "3B", "10B"]

    def test_learning_rates_are_normalised_within_task_and_size(self, made: Callable[..., ResultRow]) -> None:
        rows = [made(v, size="3B", learning_rate=r) for r, v in (("1e-6", 10.0), ("3e-6", 30.0), ("1e-5", 20.0))]
        (sweep,) = sweeps_of_runs(rows)
        assert sweep.normalised() == {1e-6: 0.0, 3e-6: 1.0, 1e-5: 0.5}
        assert sweep.best() == [3e-6]
        assert Sweep("CER", "3B", {1.0: 5.0, 2.0: 3.0}, higher_is_better=False).best() == [2.0]

    def test_quantized_is_compared_with_the_float_run_that_is_equal_otherwise(
        self, made: Callable[..., ResultRow]
    ) -> None:
        rows = [
            made(80.0, size="3B", quantization="float32"),
            made(60.0, size="10B", quantization="none"),
            made(78.0, size="3B", quantization="int8"),
            made(60.0, size="10B", quantization="int8"),
            made(1.0, size="28B", quantization="int8"),
        ]
        (pairs,) = quantized_pairs(rows).values()
        assert [pair.relative for pair in pairs] == [97.5, 100.0]

    def test_limited_examples_are_relative_to_all_of_them(self, made: Callable[..., ResultRow]) -> None:
        rows = [made(v, train_examples=n) for n, v in ((64, 20.0), (256, 30.0), (1024, 40.0))]
        (points,) = limited_curves(rows).values()
        assert points == {64: 50.0, 256: 75.0, 1024: 100.0}

    def test_two_families_are_compared_where_all_else_is_equal(self, made: Callable[..., ResultRow]) -> None:
        rows = [made(40.0, family="PaliGemma", resolution=224), made(43.0, family="PaliGemma 2", resolution=224)]
        rows.append(made(50.0, family="PaliGemma 2", resolution=448))
        (first, second), (pair,) = family_pairs(rows)
        assert (first, second, pair.resolution, pair.delta) == ("PaliGemma", "PaliGemma 2", 224, 3.0)
        assert "families" in study_report(rows).plots

    def test_costs_are_known_for_the_papers_sizes_only(self, made: Callable[..., ResultRow]) -> None:
        rows = [made(40.0, size=size, resolution=224) for size in ("3B", "10B", "7B")]
        report = study_report(rows)
        assert [line[0].text for line in report.tables["cost"].rows] == ["3B 224px", "10B 224px"]
        assert "cost" not in study_report([made(1.0, size=size, resolution=224) for size in ("1B", "2B")]).tables

    def test_nothing_is_written_where_nothing_varies(self, made: Callable[..., ResultRow]) -> None:
        assert not study_report([made(1.0, size="3B", resolution=224)])

    def test_a_study_gets_tables_and_figures_of_what_varies(
        self, made: Callable[..., ResultRow], tmp_path: Path
    ) -> None:
        rows = [
            made(10.0 * (1 + i) + 5 * j + k, size=size, resolution=resolution, seed=k)
            for i, size in enumerate(("3B", "10B"))
            for j, resolution in enumerate((224, 448))
            for k in range(2)
        ]
        report = study_report(rows)
        assert set(report.tables) == {"scaling", "improvements", "cost"}
        assert set(report.plots) == {"scaling_curves", "improvements", "error_reduction", "cost"}
        written = write_study_report(report, tmp_path, formats=("svg",))
        assert {path.name for path in written} >= {
            "scaling.tex",
            "scaling.csv",
            "scaling_curves.svg",
            "scaling_curves.json",
        }

    def test_a_studys_folder_stands_for_its_runs(
        self,
        made: Callable[..., ResultRow],
        make_run: Callable[..., Path],
        evalsuite: Callable[..., Any],
        tmp_path: Path,
    ) -> None:
        cells = []
        (tmp_path / "study").mkdir()
        for size in ("3B", "10B"):
            folder = f"size={size}"
            make_run([made(40.0, size=size, resolution=224)], name=f"study/{folder}")
            cells.append({"folder": folder})
        (tmp_path / "study" / "study.json").write_text(json.dumps({"cells": [*cells, {"folder": "not begun"}]}))
        done = evalsuite("report", "study")
        assert done.returncode == 0, done.stderr
        page = (tmp_path / "study" / "report" / "index.html").read_text()
        assert "Scaling over size and resolution" in page and "Value against model size" in page
        assert (tmp_path / "study" / "report" / "scaling_curves.pdf").is_file()


class TestFigures:
    def test_curves_have_a_panel_per_task_and_a_line_per_resolution(self) -> None:
        grids = published_grids()[:7]
        figure = figures.scaling_curves(grids, columns=3)
        panels = [axis for axis in figure.axes if axis.get_visible()]
        assert [panel.get_title() for panel in panels] == [grid.name for grid in grids]
        for panel, grid in zip(panels, grids, strict=True):
            for line, resolution in zip(panel.get_lines(), grid.resolutions(), strict=False):
                places = [(size, resolution) for size in grid.sizes() if (size, resolution) in grid.cells]
                assert [float(y) for y in line.get_ydata()] == [grid.cells[place].mean for place in places]

    def test_every_task_is_one_point_in_the_group_it_belongs_to(self) -> None:
        found = [
            Improvement("a", 5, 6, 10, 12),
            Improvement("b", 5, 0, 10, 1),
            Improvement("c", 1, 9, 2, 30),
            Improvement("d", 0.5, -3, None, None),
        ]
        (axis,) = figures.improvement_scatter(found).axes
        points = {group.get_gid(): len(group.get_offsets()) for group in axis.collections}
        assert points == {BOTH: 1, SIZE: 1, RESOLUTION: 1, NEITHER: 1}
        assert axis.get_xscale() == axis.get_yscale() == "symlog"
        (errors,) = figures.improvement_scatter(found, errors=True).axes
        assert sum(len(group.get_offsets()) for group in errors.collections) == 3

    def test_heat_maps_mark_the_best_rate_of_every_line(self) -> None:
        sweeps = [sweep for sweep in published_sweeps() if sweep.task in ("AI2D", "GQA")]
        figure = figures.rate_heat_maps(sweeps)
        marks = sum(len(axis.get_lines()) for axis in figure.axes)
        assert marks == sum(len(sweep.best()) for sweep in sweeps)

    def test_the_same_data_give_the_same_bytes(self, tmp_path: Path) -> None:
        for folder in ("one", "two"):
            figures.save(figures.cost_quality(costs_of(published_grids())), tmp_path / folder, "cost")
        for ending in figures.FORMATS:
            one, two = (tmp_path / folder / f"cost.{ending}" for folder in ("one", "two"))
            assert one.read_bytes() == two.read_bytes()


class TestLatex:
    def test_signs_with_a_meaning_are_escaped(self) -> None:
        assert escape_latex("50% of A_1 & {B} ~ $x^2$ \\n") == (
            r"50\% of A\_1 \& \{B\} \textasciitilde{} \$x\textasciicircum{}2\$ \textbackslash{}n"
        )

    def test_a_table_has_rules_alignment_and_bold_for_the_best(self) -> None:
        columns = (Column("task", "Task"), Column("value", "224px 3B", "number"))
        table = Table("Scaling", columns, ((Cell.of_text("VQA_v2"), Cell("83.0 ± 0.2*", 83.0)),), "Mean ± std.")
        text = to_latex(table)
        assert r"\begin{tabular}{lr}" in text and r"\toprule" in text and r"\bottomrule" in text
        assert r"VQA\_v2 & \textbf{83.0 $\pm$ 0.2} \\" in text
        assert len(re.findall(r"\\midrule", text)) == 1
