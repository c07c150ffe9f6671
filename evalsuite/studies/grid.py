"""The cells of a study's grid, and the run that each of them is."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evalsuite.settings.limits import Limit
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
    found = []
    for attributes in grid:
        rule = next((rule for rule in spec.rules if fits(rule, attributes)), None)
        if rule is None:
            found.append(Cell(attributes, spec.tasks))
        elif not rule.skip:
            found.append(Cell(attributes, rule.tasks or spec.tasks))
    return found


def run_config(spec: StudySpec, cell: Cell, folder: Path, specs: tuple[Path, ...] = ()) -> RunConfig:
    """The run of a cell, below the study's folder."""
    return RunConfig(
        backend=str(cell.attributes.get("backend", spec.backend)),
        tasks=cell.tasks,
        model=spec.model,
        data=spec.data,
        data_dir=Path(spec.data_dir) if spec.data_dir else None,
        data_seed=spec.data_seed,
        data_scale=spec.data_scale,
        limit=Limit.parse(str(spec.limit)) if spec.limit is not None else None,
        attributes=dict(cell.attributes),
        options={name: _option(value, cell.attributes) for name, value in spec.options.items()},
        splits=cell.splits,
        protocol=spec.protocol,
        out=folder / cell.name,
        specs=specs,
    )


def _plain(value: AxisValue) -> str:
    return re.sub(r"[^A-Za-z0-9.+-]+", "_", str(value))


def _option(value: str | int | float | bool, attributes: Mapping[str, AxisValue]) -> str:
    """As on the command line, axes filled in; other braces are left to the backend."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return fill(
        text, {**{name: f"{{{name}}}" for name in placeholders(text)}, **{k: str(v) for k, v in attributes.items()}}
    )
