"""From templates to pages: everything is escaped, and nothing is fetched from elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite.reports.charts import script, script_policy, to_json
from evalsuite.reports.tables import one_line, to_html

if TYPE_CHECKING:
    import jinja2

    from evalsuite.reports.scaling.study import StudyReport

TEMPLATES = Path(__file__).parent / "templates"
"""Beside the report's own, ``base.css``: colours, type and heads of all pages of evalsuite, light and dark."""


def environment(*folders: Path, clean: Callable[[str], str]) -> jinja2.Environment:
    """Templates of these folders, the first ones first, and then of :data:`TEMPLATES`.

    clean: what is done to every text before it is escaped; markup of ours (a ``Markup``) stays as it is.
    """
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([*folders, TEMPLATES]),
        autoescape=True,
        finalize=lambda value: clean(value) if type(value) is str else value,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render(template: str, content: Mapping[str, Any], study: StudyReport) -> str:
    """A page of ``templates/``, with the tables and charts of a study in it.

    Texts stand on one line, without control characters and marks that turn the direction of reading.
    """
    return (
        environment(clean=one_line)
        .get_template(template)
        .render(
            study_tables=[(table.title, to_html(table)) for table in study.tables.values()],
            charts=[(plot.chart.title, to_json(plot.chart)) for plot in study.plots.values()],
            script=script(),
            policy=script_policy(),
            **content,
        )
    )
