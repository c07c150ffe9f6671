"""Small inline drawings of a value, its interval and the published value, as SVG without any outside resource."""

from __future__ import annotations

import html
import math

WIDTH, HEIGHT, PAD = 112, 18, 4


def interval_bar(
    value: float | None, low: float | None, high: float | None, published: float | None = None, *, percent: bool = True
) -> str:
    """A line from the axis start to the value, a band for the interval and a tick for the published value.

    The axis runs from 0 to 100 for percentages, else to the next round number above everything drawn.
    Empty text when there is no value. Colours come from the page's style sheet, by class.
    """
    if value is None or not math.isfinite(value):
        return ""
    marks = [mark for mark in (value, low, high, published) if mark is not None]
    start = min(0.0, *marks) if len(marks) > 1 else min(0.0, value)
    end = max([100.0, *marks]) if percent else _round_up(max(marks))

    def x(mark: float) -> float:
        return round(PAD + (mark - start) / (end - start) * (WIDTH - 2 * PAD), 1)

    middle = HEIGHT / 2
    shapes = [
        f'<line class="axis" x1="{PAD}" y1="{middle}" x2="{WIDTH - PAD}" y2="{middle}"/>',
        f'<line class="stem" x1="{x(max(0.0, start))}" y1="{middle}" x2="{x(value)}" y2="{middle}"/>',
    ]
    if low is not None and high is not None:
        width = max(1.0, round(x(high) - x(low), 1))
        shapes.append(f'<rect class="band" x="{x(low)}" y="{middle - 5}" width="{width}" height="10" rx="2"/>')
    if published is not None:
        shapes.append(f'<line class="published" x1="{x(published)}" y1="1" x2="{x(published)}" y2="{HEIGHT - 1}"/>')
    shapes.append(f'<circle class="value" cx="{x(value)}" cy="{middle}" r="2.6"/>')
    label = html.escape(_label(value, low, high, published, end))
    return (
        f'<svg class="bar" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{label}"><title>{label}</title>{"".join(shapes)}</svg>'
    )


def _label(value: float, low: float | None, high: float | None, published: float | None, end: float) -> str:
    parts = [f"{value:.2f}"]
    if low is not None and high is not None:
        parts.append(f"95% interval {low:.2f} to {high:.2f}")
    if published is not None:
        parts.append(f"published {published:.1f}")
    return ", ".join(parts) + f"; axis to {end:g}"


def _round_up(value: float) -> float:
    """The next of 1, 2, 5 times a power of ten that is at least ``value``.

    >>> _round_up(141.3), _round_up(0.0)
    (200.0, 1.0)
    """
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= value)
