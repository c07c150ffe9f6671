"""The runs of a study as ``evalsuite view`` shows them: which there are, how far each is, what they say together."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from evalsuite.errors import StoreError
from evalsuite.reports.answer_shares import row_warnings
from evalsuite.reports.page import with_bars
from evalsuite.reports.results_table import is_headline, run_tables
from evalsuite.reports.rows import ResultRow, read_rows, run_folders
from evalsuite.reports.scaling.figures import as_svg
from evalsuite.reports.scaling.study import StudyReport, study_report
from evalsuite.reports.tables import Cell, Column, Table, to_html
from evalsuite.runs.folder import MANIFEST, RESULTS, STORE, STUDY
from evalsuite.runs.results import DamagedResults
from evalsuite.studies.running import read_study, study_folder, study_states
from evalsuite.studies.spec import StudySpec, load_study


def viewed_runs(paths: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The run folders that these words stand for, and the folders of the studies among them.

    A word is a run folder, the folder of a study, or the YAML file that a study was begun from. Of a study all runs
    that have begun are among them, scored or not. Raises StoreError where there is nothing to be looked at.
    """
    runs: dict[Path, Path] = {}
    studies: list[Path] = []
    for path in paths:
        folder = study_folder(load_study(path).name) if path.is_file() and path.suffix in (".yaml", ".yml") else path
        if folder != path and not (folder / STUDY).is_file():
            raise StoreError(
                f"{folder}: the study of {path} has not begun there. Name its folder where it was run with --out, "
                f"or run it: evalsuite study run {path}"
            )
        if not (folder / STUDY).is_file():
            found = run_folders([folder])
        else:
            studies.append(folder)
            cells = [folder / str(cell["folder"]) for cell in read_study(folder)["cells"]]
            found = [cell for cell in cells if (cell / MANIFEST).is_file() and (cell / STORE).is_file()]
            if not found:
                raise StoreError(f"{folder}: no run of this study has begun yet")
        for run in found:
            runs.setdefault(run.resolve(), run)
    return list(runs.values()), studies


def study_name(folder: Path) -> str:
    return str(read_study(folder).get("name") or folder.name)


def state_table(folder: Path) -> Table:
    """How far each cell of a study is."""
    states = study_states(StudySpec.model_validate(read_study(folder)["spec"]), folder)
    columns = (Column("run", "Run"), Column("state", "State"), Column("done", "Tasks done"), Column("message", ""))
    rows = [[state.cell.name, state.state, f"{state.done} of {len(state.tasks)}", state.message] for state in states]
    return Table("Runs", columns, tuple(tuple(map(Cell.of_text, row)) for row in rows)).without_empty("message")


@dataclass(frozen=True, slots=True)
class ShownTable:
    """A table as a page shows it. html: safe, without the caption."""

    title: str
    caption: str
    html: str


def shown_table(table: Table, graphics: Mapping[str, Sequence[str]] | None = None) -> ShownTable:
    """graphics: as of :func:`evalsuite.reports.tables.to_html`."""
    return ShownTable(table.title, table.caption, to_html(dataclasses.replace(table, caption=""), graphics))


@dataclass
class Results:
    """The tables and figures of runs, made anew when results have changed. Safe to call from several threads.

    Results that are not as they were written are in none of them.
    """

    folders: Sequence[Path]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stamp: tuple[int, ...] = ()
    _tables: list[ShownTable] = field(default_factory=list)
    _study: StudyReport = field(default_factory=StudyReport)
    _drawn: dict[str, str] = field(default_factory=dict)
    _warnings: list[str] = field(default_factory=list)
    _damaged: list[str] = field(default_factory=list)

    def tables(self) -> list[ShownTable]:
        """The headline values, what runs that vary in something say together, and all other values."""
        with self._lock:
            self._refresh()
            return self._tables

    def warnings(self) -> list[str]:
        """Of which values too many answers were no proper ones."""
        with self._lock:
            self._refresh()
            return self._warnings

    def damaged(self) -> list[str]:
        """What is wrong with results that are left out."""
        with self._lock:
            self._refresh()
            return self._damaged

    def figures(self) -> list[str]:
        """Names of the figures."""
        with self._lock:
            self._refresh()
            return list(self._study.plots)

    def figure(self, name: str) -> str:
        """A figure as SVG, "" where there is none of that name."""
        with self._lock:
            self._refresh()
            if name in self._study.plots and name not in self._drawn:
                self._drawn[name] = as_svg(self._study.plots[name].figure)
            return self._drawn.get(name, "")

    def _refresh(self) -> None:
        scored = [folder for folder in self.folders if (folder / RESULTS).is_file()]
        stamp = tuple((folder / RESULTS).stat().st_mtime_ns for folder in scored)
        if stamp == self._stamp:
            return
        rows: list[ResultRow] = []
        self._damaged = []
        for folder in scored:
            try:
                rows += read_rows([folder])
            except DamagedResults as damage:
                self._damaged.append(str(damage))
        self._study = study_report(rows) if len(scored) > 1 else StudyReport()
        self._warnings = [f"Warning: {text}" for text in row_warnings(rows)]
        self._tables = list(_run_tables(rows))
        self._tables[1:1] = map(shown_table, self._study.tables.values())
        self._drawn = {}
        self._stamp = stamp


def _run_tables(rows: Sequence[ResultRow]) -> Iterator[ShownTable]:
    """The tables of runs as HTML, the first with a drawing of each value."""
    if not rows:
        return
    first, *others = run_tables(rows)
    drawn, bars = with_bars(first.without("signature"), [row for row in rows if is_headline(row)])
    yield shown_table(drawn, {"bar": bars})
    for table in others:
        yield shown_table(table.without("signature"))
