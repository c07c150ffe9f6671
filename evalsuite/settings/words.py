"""Words of a command line that hold more than one value: ``KEY=VALUE``, names separated by commas."""

from __future__ import annotations

import re
from collections.abc import Iterable

from evalsuite.errors import UsageError


def parse_pairs(pairs: Iterable[str], option: str) -> dict[str, str]:
    """``["a=1"]`` -> ``{"a": "1"}``. Raises UsageError for another form or a name given twice."""
    parsed: dict[str, str] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        if not separator or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
            raise UsageError(f"{option} {pair}: must have the form KEY=VALUE")
        if name in parsed:
            raise UsageError(f"{option} {pair}: {name} is given twice")
        parsed[name] = value
    return parsed


def parse_metric_options(pairs: Iterable[str]) -> dict[str, dict[str, str]]:
    """``["mask_iou.weights=vae.npz"]`` -> ``{"mask_iou": {"weights": "vae.npz"}}``. Raises UsageError."""
    parsed: dict[str, dict[str, str]] = {}
    for pair in pairs:
        name, separator, value = pair.partition("=")
        metric, dot, parameter = name.partition(".")
        if not (separator and dot and metric and parameter):
            raise UsageError(f"--metric-option {pair}: must have the form METRIC.PARAMETER=VALUE")
        parsed.setdefault(metric, {})[parameter] = value
    return parsed


def parse_value(text: str) -> int | float | str:
    """An attribute's value: a number where it reads as one, else text.

    >>> [parse_value(text) for text in ("448", "1e-5", "3B")]
    [448, 1e-05, '3B']
    """
    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    if re.fullmatch(r"[+-]?(\d+\.\d*|\.\d+|\d+)([eE][+-]?\d+)?", text):
        return float(text)
    return text


def parse_names(text: str | None) -> tuple[str, ...] | None:
    """``"a, b"`` -> ("a", "b"); None when nothing is named."""
    names = tuple(name.strip() for name in (text or "").split(",") if name.strip())
    return names or None
