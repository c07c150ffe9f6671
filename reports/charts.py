"""Charts that a page draws itself: their data, plain enough to be JSON, and the script that draws them.

A chart answers to the pointer and to the keyboard: values on hover and focus, series that are switched off in the
legend, panels that are found by name. ``templates/charts.js`` draws; it is written into the page, so that one file can
be sent around, and the page's content-security policy allows this script alone.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

SCRIPT = Path(__file__).parent / "templates" / "charts.js"
Scale = Literal["linear", "log", "symlog"]


@dataclass(frozen=True, slots=True)
class Point:
    """One value. low, high: the band around it, None for none; label: what it is called."""

    x: float
    y: float
    label: str = ""
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Series:
    """Points with one look. area: sizes of the marks, in shares of the largest; empty for equal ones."""

    name: str
    points: Sequence[Point]
    area: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Panel:
    """A small plot of its own axes. ticks: places and names on the horizontal axis; empty for round numbers."""

    title: str
    series: Sequence[Series]
    ticks: Sequence[tuple[float, str]] = ()


@dataclass(frozen=True, slots=True)
class XYChart:
    """Lines or points, in one panel or a small multiple of them."""

    title: str
    x_label: str
    y_label: str
    panels: Sequence[Panel]
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    lines: bool = True
    kind: Literal["xy"] = "xy"
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Bars:
    """One value of one bar; None leaves it out."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True, slots=True)
class BarChart:
    """Horizontal bars from ``origin``, a group for each category and in it a bar for each series."""

    title: str
    x_label: str
    categories: Sequence[str]
    series: Sequence[Bars]
    origin: float = 0.0
    kind: Literal["bars"] = "bars"
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class HeatPanel:
    """cells: a line per row, in it for each column (share 0 to 1, value) or None; best: marked (row, column)."""

    title: str
    cells: Sequence[Sequence[tuple[float, float] | None]]
    best: Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class HeatChart:
    """Rows against columns, the colour of a cell says its share."""

    title: str
    x_label: str
    rows: Sequence[str]
    columns: Sequence[str]
    panels: Sequence[HeatPanel]
    kind: Literal["heat"] = "heat"
    notes: Sequence[str] = ()


Chart = XYChart | BarChart | HeatChart


def to_json(chart: Chart) -> str:
    """The chart as JSON, in a form that may stand inside of HTML: it holds no ``<``, ``>`` and ``&``."""
    text = json.dumps(asdict(chart), ensure_ascii=False, allow_nan=False)
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def script() -> str:
    """The script that draws every chart of a page."""
    return SCRIPT.read_text(encoding="utf-8")


def script_policy() -> str:
    """What a content-security policy must say of scripts: this one and no other."""
    digest = hashlib.sha256(script().encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
