"""Charts that pages draw: their numbers, and that nothing but their script can run."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalsuite.reports import ResultRow, write_report
from evalsuite.reports.charts import BarChart, Bars, script, script_policy, to_json
from evalsuite.reports.scaling import charts
from evalsuite.reports.scaling.grid import published_grids
from evalsuite.reports.scaling.paper import paper_report, write_paper_report
from evalsuite.reports.scaling.speed import published_speeds
from evalsuite.reports.scaling.sweep import Sweep, best_rate_counts, published_sweeps

HOSTILE = "</script><script>alert(1)</script>&<!--"


def policy_of(page: str) -> str:
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    return str(policy).replace("&#39;", "'")


def test_text_in_a_chart_cannot_end_its_element() -> None:
    text = to_json(BarChart(HOSTILE, "x", [HOSTILE], [Bars(HOSTILE, [1.0, None])]))
    assert not set("<>&") & set(text)
    assert json.loads(text)["title"] == HOSTILE


def test_values_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_json(BarChart("a", "x", ["b"], [Bars("c", [float("nan")])]))


def test_a_page_with_charts_allows_their_script_alone(
    make_row: Callable[..., ResultRow], make_run: Callable[..., Path]
) -> None:
    runs = [make_run([make_row(attributes={"size": s, "resolution": 224}, run=s)], name=s) for s in ("3B", "10B")]
    page = write_report(runs).html.read_text(encoding="utf-8")
    assert (
        policy_of(page) == f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src {script_policy()}"
    )
    scripts = re.findall(r"<script([^>]*)>(.*?)</script>", page, re.DOTALL)
    assert [text for attributes, text in scripts if not attributes] == [script()]
    assert all(json.loads(text)["kind"] for attributes, text in scripts if attributes)
    assert "script-src" not in policy_of(write_report(runs[:1]).html.read_text(encoding="utf-8"))


def test_every_plot_of_the_papers_can_be_read_back(tmp_path: Path) -> None:
    """What is drawn lies beside as data, with the numbers of the tables."""
    write_paper_report(tmp_path, formats=())
    for name in paper_report().plots:
        assert json.loads((tmp_path / f"{name}.json").read_text())["title"]
    panels = {panel["title"]: panel for panel in json.loads((tmp_path / "figure4_scaling.json").read_text())["panels"]}
    (low, _) = panels["COCOcap"]["series"]
    assert (low["name"], low["points"][0]["x"], low["points"][0]["y"]) == ("224px", 3e9, 141.3)


def test_a_point_says_its_spread() -> None:
    grid = next(grid for grid in published_grids() if grid.name == "COCOcap")
    point = charts.scaling_curves([grid]).panels[0].series[0].points[0]
    assert point.low is not None and point.high is not None
    assert (point.y - point.low, point.high - point.y) == pytest.approx((0.5, 0.5))


def test_sizes_without_a_number_stand_in_a_row(make_row: Callable[..., ResultRow]) -> None:
    from evalsuite.reports.scaling.study import study_report

    rows = [make_row(attributes={"size": size, "resolution": 224}, run=size) for size in ("3B", "so400m", "giant-opt")]
    (panel,) = study_report(rows).plots["scaling_curves"].chart.panels  # type: ignore[union-attr]
    assert [tuple(tick) for tick in panel.ticks] == [(1.0, "3B"), (2.0, "giant-opt"), (3.0, "so400m")]


def test_best_rates_are_counted_per_size() -> None:
    sweeps = [Sweep("a", "3B", {1e-6: 1, 1e-5: 2}), Sweep("b", "3B", {1e-6: 0, 1e-5: 3}), Sweep("a", "10B", {1e-6: 5})]
    assert best_rate_counts(sweeps) == {("3B", 1e-5): 2, ("10B", 1e-6): 1}
    (panel,) = charts.best_rates(published_sweeps()).panels
    assert [name for _, name in panel.ticks] == ["3B", "10B", "28B"]


def test_speeds_are_those_of_table_9() -> None:
    fastest = max(published_speeds(), key=lambda speed: speed.prefill_rate)
    assert (fastest.machine, fastest.prefill_rate, fastest.extend_rate) == ("AMD Genoa, 32+1 threads", 323, 41)
    prefill: Any = charts.speed_bars(published_speeds()).series[0]
    assert prefill.values == [32, 59, 53, 144, 147, 323]
