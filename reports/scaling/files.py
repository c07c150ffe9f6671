"""Writing a table in every form that people paste it into."""

from __future__ import annotations

from pathlib import Path

from evalsuite.files.writing import write_atomically
from evalsuite.reports.latex import to_latex
from evalsuite.reports.tables import Table, to_csv, to_markdown


def write_table(table: Table, folder: Path, name: str) -> list[Path]:
    """``name.md``, ``name.csv`` and ``name.tex`` (booktabs) below ``folder``."""
    paths = []
    for ending, text in ((".md", to_markdown(table)), (".csv", to_csv([table])), (".tex", to_latex(table))):
        write_atomically(folder / f"{name}{ending}", text)
        paths.append(folder / f"{name}{ending}")
    return paths
