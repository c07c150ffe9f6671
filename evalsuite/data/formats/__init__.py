"""Formats that benchmarks come in beside plain records. One module each, loaded when a spec names it.

A format is a function from one file, or one folder of small files, to records: ``read(path) -> Iterator[dict]``. It
raises DataError that names the file, and the place in it, when the content is not what it should be. ``FORMATS`` is the
list; ``files.splits`` of a spec says which paths a split consists of.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from evalsuite.errors import UnknownName

Format = Callable[[Path], Iterator[dict[str, Any]]]

RECORDS = "records"

FORMATS: dict[str, str] = {
    "coco_captions": "coco:captions",
    "coco_instances": "coco:instances",
    "icdar_words": "words:icdar",
    "kern_files": "kern:score",
    "mimic_reports": "mimic_cxr:reports",
    "rsvqa_questions": "rsvqa:questions",
    "table_annotations": "tables:annotated",
    "total_text_words": "words:total_text",
}
"""Name in a spec -> ``module:function`` of this package."""


def format_names() -> list[str]:
    """All names that ``data.files.format`` may have."""
    return [RECORDS, *FORMATS]


def load_format(name: str) -> Format:
    """The reader of a format. Raises UnknownName."""
    if name not in FORMATS:
        raise UnknownName("file format", name, format_names())
    module, function = FORMATS[name].split(":")
    found: Format = getattr(importlib.import_module(f"{__name__}.{module}"), function)
    return found
