"""One pure function per data set: a random source, an index and parameters give a record in the data set's columns.

The columns are those of the data sets on the hub, so that one field mapping serves both. Where the hub keeps no
identifier, these records have none either.

Each module has its ``GENERATORS``; :func:`generators` gathers them.
"""

from __future__ import annotations

import importlib
from functools import cache

from evalsuite.data.synthetic.records.base import Generator, Knob, Parameters

__all__ = ["Generator", "Knob", "Parameters", "generators"]

MODULES = (
    "scenes",
    "pages",
    "questions",
    "captioning",
    "clips_and_boxes",
    "structures",
    "probes",
    "surveys",
)


@cache
def generators() -> dict[str, Generator]:
    """All generators by name."""
    modules = [importlib.import_module(f"{__name__}.{name}") for name in MODULES]
    return {generator.name: generator for module in modules for generator in module.GENERATORS}
