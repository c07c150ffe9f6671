"""The options of ``evalsuite run``, made from the list of a run's settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from evalsuite.settings.giving import ALL
from evalsuite.settings.listing import Setting

ORDER = (
    *("backend", "tasks", "model", "data", "data_dir", "data_seed", "data_scale", "splits", "protocol", "lock"),
    *("limit", "attributes", "options", "metric_options", "dtype", "device", "batch_size", "predictions", "missing"),
)
"""What help shows first; the rest follows in the order of the list."""


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add an option for every setting. All hand on what was typed, so that one reader serves every source."""
    names = [*ORDER, *(name for name in ALL if name not in ORDER)]
    for name in reversed(names):
        command = _option(ALL[name])(command)
    return command


def _option(known: Setting) -> Callable[..., Any]:
    return click.option(
        known.flag,
        known.name,
        multiple=known.kind.repeated,
        metavar=known.metavar,
        help=f"{known.help}{_default(known)}",
    )


def _default(known: Setting) -> str:
    """As click writes defaults; click itself knows none, so that what was typed can be told from what was not."""
    shown = known.shown_default
    if shown is None and known.default not in (None, (), {}):
        shown = str(known.kind.plain(known.default))
    return f" [default: {shown}]" if shown else ""
