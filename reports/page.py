"""The report of one or several runs: a self-contained HTML page, and the same tables as Markdown and CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.errors import StoreError, UsageError
from evalsuite.files.writing import write_atomically
from evalsuite.reports.answer_shares import row_warnings
from evalsuite.reports.bars import interval_bar
from evalsuite.reports.rendering import render
from evalsuite.reports.results_table import difference, is_headline, published_for, run_tables, task_name
from evalsuite.reports.rows import ResultRow, read_rows, run_folders
from evalsuite.reports.run_facts import Fact, RunFacts, read_facts
from evalsuite.reports.scaling.study import StudyReport, study_report, write_study_report
from evalsuite.reports.tables import Cell, Column, Table, escape_markdown, to_csv, to_html, to_markdown
from evalsuite.runs.folder import REPORT, STUDY
from evalsuite.runs.lock import locked

NAMED_RUNS = 4  # more are counted, not named


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """study: further tables and figures, where several runs vary in size, resolution, learning rate or the like."""

    html: Path
    markdown: Path
    csv: Path
    study: tuple[Path, ...] = ()


def write_report(run_dirs: Sequence[Path], out: Path | None = None) -> ReportFiles:
    """Write ``index.html``, ``table.md`` and ``table.csv`` for these runs into ``out``, each whole or not at all.

    run_dirs: run folders, their ``results.json``, or the folder of a study, which stands for its runs. Several runs
        that vary in size, resolution, learning rate, quantization or training examples get tables and figures of that.
    out: None for ``report/`` in the first run.
    Raises StoreError when a run has no readable manifest or results, another process writes into the folder, or the
    files cannot be written.
    """
    runs = run_folders(run_dirs)
    if not runs:
        raise UsageError("a report needs at least one run folder")
    if out is not None:
        return _write_report(runs, out)
    first = Path(run_dirs[0])
    home = first if (first / STUDY).is_file() else runs[0]
    with locked(home, "report", make=False):
        return _write_report(runs, home / REPORT)


def _write_report(runs: Sequence[Path], folder: Path) -> ReportFiles:
    rows = read_rows(runs)
    facts = [read_facts(run) for run in runs]
    tables = run_tables(rows)
    study = study_report(rows) if len(runs) > 1 else StudyReport()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder}: cannot be written ({error.strerror}); choose another --out") from error
    more = write_study_report(study, folder) if study else []
    files = ReportFiles(folder / "index.html", folder / "table.md", folder / "table.csv", tuple(more))
    _write(files.html, render_page(rows, facts, study))
    _write(files.markdown, render_markdown([*tables, *study.tables.values()], facts, rows))
    _write(files.csv, to_csv(tables))
    return files


def render_markdown(tables: Sequence[Table], facts: Sequence[RunFacts], rows: Sequence[ResultRow] = ()) -> str:
    """The tables under a heading, after what a reader must know about the runs and their rows."""
    cautions = [f"- {escape_markdown(text)}" for text in _cautions(facts, rows)]
    parts = [f"# {escape_markdown(page_title(facts))}", "\n".join(cautions), *map(to_markdown, tables)]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def render_page(rows: Sequence[ResultRow], facts: Sequence[RunFacts], study: StudyReport | None = None) -> str:
    """The page as one text, plots of a study inside.

    All text of runs, tasks and models is escaped; nothing is fetched from elsewhere.
    """
    return render("run.html.j2", _content(rows, facts), study or StudyReport())


def page_title(facts: Sequence[RunFacts]) -> str:
    """The name of the run, the names of a few, the number of many."""
    if len(facts) == 1:
        return facts[0].name
    names = f": {', '.join(run.name for run in facts)}" if len(facts) <= NAMED_RUNS else ""
    return f"{len(facts)} runs{names}"


def _content(rows: Sequence[ResultRow], facts: Sequence[RunFacts]) -> dict[str, Any]:
    first, *others = run_tables(rows)
    headline = [row for row in rows if is_headline(row)]
    drawn, bars = with_bars(first.without("signature"), headline)
    return {
        "title": page_title(facts),
        "facts": facts,
        "several": len(facts) > 1,
        "shared": _shared(facts),
        "cautions": _cautions(facts, rows),
        "caption": first.caption,
        "task_count": len({row.task for row in rows}),
        "headline": to_html(_without_caption(drawn), {"bar": bars}),
        "has_headline": bool(headline),
        "has_published": any(difference(row, published_for(row)) is not None for row in headline),
        "secondary": [to_html(_without_caption(table.without("signature"))) for table in others],
        "secondary_rows": sum(len(table.rows) for table in others),
        "error_count": sum(errors.count for run in facts for errors in run.errors),
        "signatures": _signatures(rows),
    }


def with_bars(table: Table, rows: Sequence[ResultRow]) -> tuple[Table, list[str]]:
    """The headline table with a column of drawings after the value, and the drawings."""
    at = [column.key for column in table.columns].index("value") + 1
    columns = (*table.columns[:at], Column("bar", "Chart"), *table.columns[at:])
    lines = tuple((*line[:at], Cell("", None), *line[at:]) for line in table.rows)
    bars = []
    for row in rows:
        published = published_for(row)
        shown = published.value if published and difference(row, published) is not None else None
        bars.append(interval_bar(row.value, row.ci_low, row.ci_high, shown, percent=row.unit == "%"))
    return Table(table.title, columns, lines, table.caption, table.notes), bars


def _without_caption(table: Table) -> Table:
    """The page prints the caption above the table itself."""
    return Table(table.title, table.columns, table.rows, "", table.notes)


def _signatures(rows: Sequence[ResultRow]) -> list[tuple[str, str]]:
    """Each signature once, with the tasks it was used for."""
    tasks: dict[str, dict[str, None]] = {}
    for row in rows:
        if row.signature:
            tasks.setdefault(row.signature, {})[f"{task_name(row)} (v{row.task_version})"] = None
    return [(signature, ", ".join(names)) for signature, names in sorted(tasks.items())]


def _cautions(facts: Sequence[RunFacts], rows: Sequence[ResultRow]) -> list[str]:
    """Why the numbers are not the whole story, each reason once, with the runs it holds for where not for all.

    Warnings of answers that were no proper ones come first.
    """
    runs: dict[str, list[str]] = {}
    for run in facts:
        for text in run.cautions:
            runs.setdefault(text, []).append(run.name)
    of_runs = [text if len(names) == len(facts) else f"{_some(names)}: {text}" for text, names in runs.items()]
    return [*(f"Warning: {text}" for text in row_warnings(rows)), *of_runs]


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED_RUNS
    return ", ".join(names[:NAMED_RUNS]) + (f" and {more} more" if more > 0 else "")


def _shared(facts: Sequence[RunFacts]) -> list[Fact]:
    """What all runs have in common, and how many values the rest takes."""
    found: dict[str, dict[str, None]] = {}
    for run in facts:
        for fact in run.summary:
            found.setdefault(fact.name, {})[fact.value] = None
    return [
        Fact(name, next(iter(values)) if len(values) == 1 else f"{len(values)} different")
        for name, values in found.items()
        if len(values) == 1 or name != "Begun"
    ]


def _write(path: Path, text: str) -> None:
    # Lone surrogates, which JSON can carry, are no characters and cannot be written as UTF-8.
    write_atomically(path, text.encode("utf-8", "replace").decode("utf-8"))
