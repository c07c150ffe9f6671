"""Table metrics against the released PubTabNet and table-transformer programs."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evalsuite.metrics.base import Metric
from evalsuite.metrics.tables.grits import GritsCon, GritsLoc, GritsTop
from evalsuite.metrics.tables.teds import Teds, TedsStructure
from evalsuite.metrics.verification import Comparison, Line, is_error

_GRITS = {"f": "", "precision": "_precision", "recall": "_recall", "upper_bound": "_upper_bound"}


def teds(lines: list[Line], folder: Path) -> Iterator[tuple[Line, list[Comparison]]]:
    """Scores of whole documents. Inputs that parsers of different age read differently are not compared."""
    for line in lines:
        inputs, expected = line["inputs"], line["expected"]
        if is_error(expected) or not line.get("parser_stable", True):
            yield line, []
            continue
        metric_class = TedsStructure if inputs["structure_only"] else Teds
        metric = metric_class(wrap=False, ignore_nodes=tuple(inputs["ignore_nodes"] or ()))
        ours = metric.score([inputs["pred"]], [[inputs["true"]]])[metric.values[0].name]
        yield line, [Comparison("teds", ours, expected["teds"])]


def grits_top(lines: list[Line], folder: Path) -> Iterator[tuple[Line, list[Comparison]]]:
    """Cells, and HTML read as XML."""
    return _grits(GritsTop(strict=True), lines)


def grits_con(lines: list[Line], folder: Path) -> Iterator[tuple[Line, list[Comparison]]]:
    """Cells with text, and HTML read as XML."""
    return _grits(GritsCon(strict=True), lines)


def grits_loc(lines: list[Line], folder: Path) -> Iterator[tuple[Line, list[Comparison]]]:
    """Cells with boxes."""
    return _grits(GritsLoc(strict=True), lines)


def _grits(metric: Metric, lines: list[Line]) -> Iterator[tuple[Line, list[Comparison]]]:
    for line in lines:
        inputs, expected = line["inputs"], line["expected"]
        if is_error(expected):
            yield line, []
            continue
        kind = "html" if "true_html" in inputs else "cells"
        ours = metric.score([inputs[f"pred_{kind}"]], [[inputs[f"true_{kind}"]]])
        yield line, [Comparison(name, ours[metric.name + _GRITS[name]], value) for name, value in expected.items()]
