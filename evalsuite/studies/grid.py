"""The cells of a study's grid, and the run that each of them is."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.settings.run import RunConfig
from evalsuite.specs.templates import fill, placeholders
from evalsuite.studies.spec import AxisValue, StudySpec, fits


@dataclass(frozen=True, slots=True)
class Cell:
    """One run of a study. splits: None for the reported ones."""

    attributes: Mapping[str, AxisValue]
    tasks: str
    splits: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """Name of the run folder, such as ``size=3B,resolution=224,seed=0``."""
        parts = [f"{axis}={_plain(value)}" for axis, value in self.attributes.items()]
        return ",".join(parts)


def cells(spec: StudySpec) -> list[Cell]:
    """All cells, the last axis fastest, with the rules applied."""
    grid = [dict(zip(spec.axes, values, strict=True)) for values in itertools.product(*spec.axes.values())]
    found, tasks = [], spec.asked().tasks
    for attributes in grid:
        rule = next((rule for rule in spec.rules if fits(rule, attributes)), None)
        if rule is None:
            found.append(Cell(attributes, tasks))
        elif not rule.skip:
            found.append(Cell(attributes, rule.tasks or tasks))
    return found


def run_config(spec: StudySpec, cell: Cell, folder: Path, specs: tuple[Path, ...] = ()) -> RunConfig:
    """The run of a cell, below the study's folder."""
    of_cell: dict[str, Any] = {"tasks": cell.tasks, "attributes": dict(cell.attributes), "out": folder / cell.name}
    if "backend" in cell.attributes:
        of_cell["backend"] = str(cell.attributes["backend"])
    if cell.splits is not None:
        of_cell["splits"] = cell.splits
    if specs:
        of_cell["specs"] = specs
    config = spec.asked(of_cell)
    options = {name: _option(value, cell.attributes) for name, value in config.options.items()}
    return dataclasses.replace(config, options=options)


def _plain(value: AxisValue) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", str(value))


def _option(text: str, attributes: Mapping[str, AxisValue]) -> str:
    """With axes filled in; other braces are left to the backend."""
    return fill(
        text, {**{name: f"{{{name}}}" for name in placeholders(text)}, **{k: str(v) for k, v in attributes.items()}}
    )
