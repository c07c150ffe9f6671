"""From templates to pages: everything is escaped, and nothing is fetched from elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evalsuite.reports.charts import script, script_policy, to_json
from evalsuite.reports.scaling.study import StudyReport
from evalsuite.reports.tables import one_line, to_html

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, content: Mapping[str, Any], study: StudyReport) -> str:
    """A page of ``templates/``, with the tables and charts of a study in it."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_inert,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(
        study_tables=[(table.title, to_html(table)) for table in study.tables.values()],
        charts=[(plot.chart.title, to_json(plot.chart)) for plot in study.plots.values()],
        script=script(),
        policy=script_policy(),
        **content,
    )


def _inert(value: Any) -> Any:
    """Text without control characters and marks that turn it; markup of ours (a ``Markup``) as it is."""
    return one_line(value) if type(value) is str else value
