"""Speed on processors: Table 9 of the PaliGemma 2 paper."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalsuite.reports.published import load_published
from evalsuite.reports.tables import Cell, Column, Table


@dataclass(frozen=True, slots=True)
class Speed:
    """One machine: seconds of image encoder, prefill and extend steps, and tokens per second of the last two."""

    machine: str
    image_seconds: float
    prefill_seconds: float
    extend_seconds: float
    prefill_rate: float
    extend_rate: float


_COLUMNS = (
    ("vit_walltime", "image_seconds", "Image encoder [s]"),
    ("prefill_walltime", "prefill_seconds", "Prefill [s]"),
    ("extend_walltime", "extend_seconds", "Extend [s]"),
    ("prefill_rate", "prefill_rate", "Prefill [tokens/s]"),
    ("extend_rate", "extend_rate", "Extend [tokens/s]"),
)


def published_speeds() -> list[Speed]:
    """Table 9: PaliGemma 2 3B at 224 px in gemma.cpp; 260 tokens of prefill, 11 extend steps."""
    found: dict[str, dict[str, float]] = {}
    for row in load_published("paligemma2_table9"):
        found.setdefault(f"{row['processor']}, {row['threads']} threads", {})[row["metric"]] = float(row["value"])
    return [Speed(name, **{field: values[key] for key, field, _ in _COLUMNS}) for name, values in found.items()]


def speed_table(speeds: Sequence[Speed], title: str) -> Table:
    """A line per machine."""
    columns = (Column("machine", "Machine"), *(Column(field, label, "number") for _, field, label in _COLUMNS))
    lines = [
        (Cell.of_text(speed.machine), *(Cell.of_number(getattr(speed, field), 2) for _, field, _ in _COLUMNS))
        for speed in speeds
    ]
    return Table(title, columns, tuple(lines), "`evalsuite bench` measures the same on your machine.")
