"""Reports: tables, HTML pages and the papers' published numbers. They read results and never care who made them.

>>> from evalsuite.reports import published_values
>>> published_values("paligemma2_table13", "COCOcap", "cider", size="3B", resolution=224)[0].value
141.3
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if __name__ == "reports":
    raise ImportError("import evalsuite.reports; 'reports' would be a second copy of it")

if TYPE_CHECKING:
    from evalsuite.reports.page import ReportFiles, write_report
    from evalsuite.reports.published import Published, load_published, published_cell, published_values
    from evalsuite.reports.results_table import run_table, run_tables
    from evalsuite.reports.rows import ResultRow, read_rows
    from evalsuite.reports.tables import Cell, Column, Table, to_csv, to_html, to_markdown, to_terminal

_HOME = {
    "page": ["ReportFiles", "write_report"],
    "published": ["Published", "load_published", "published_cell", "published_values"],
    "rows": ["ResultRow", "read_rows"],
    "results_table": ["run_table", "run_tables"],
    "tables": ["Cell", "Column", "Table", "to_csv", "to_html", "to_markdown", "to_terminal"],
}
"""Module -> the names it offers here. They are imported on first use: a table needs no HTML templates."""

__all__ = [
    "Cell",
    "Column",
    "Published",
    "ReportFiles",
    "ResultRow",
    "Table",
    "load_published",
    "published_cell",
    "published_values",
    "read_rows",
    "run_table",
    "run_tables",
    "to_csv",
    "to_html",
    "to_markdown",
    "to_terminal",
    "write_report",
]


def __getattr__(name: str) -> Any:
    for module, names in _HOME.items():
        if name in names:
            return getattr(importlib.import_module(f"evalsuite.reports.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
