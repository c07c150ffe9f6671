"""The pages of the viewer as HTML. All text of runs, tasks and models is escaped."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from evalsuite.inspection.visible import printable
from evalsuite.reports.rendering import environment
from evalsuite.reports.run_facts import read_facts
from evalsuite.viewer.browsing import ANSWER_COLOURS, REFERENCE, Browser
from evalsuite.viewer.drawing import DRAWN, Drawing
from evalsuite.viewer.records import FEW_RUNS, SHOWN, SORTS, Query
from evalsuite.viewer.renderers import MOLECULE
from evalsuite.viewer.study import Results, shown_table, state_table, study_name

if TYPE_CHECKING:
    import jinja2

HERE = Path(__file__).parent
PARTS = HERE.parent / "inspection" / "templates"


def summary_page(browser: Browser, results: Results, studies: Sequence[Path]) -> str:
    """Facts of the runs, links to their examples, tables and figures."""
    names = [study_name(folder) for folder in studies] or [run.name for run in browser.runs]
    facts = [read_facts(run.folder) for run in browser.runs]
    states = [state_table(folder) for folder in studies]
    return render(
        "summary.html.j2",
        title=", ".join(names) if len(names) <= FEW_RUNS else f"{len(names)} runs",
        facts=facts if len(facts) <= FEW_RUNS else [],
        cautions=[
            *results.damaged(),
            *results.warnings(),
            *dict.fromkeys(caution for run in facts for caution in run.cautions),
        ],
        splits=[
            (task, split, title, _address(task=task, split=split, **({"run": str(run)} if run else {})))
            for task, split, title, run in browser.splits()
        ],
        tables=[*results.tables(), *map(shown_table, states)],
        has_results=bool(results.tables()),
        figures=[(name.replace("_", " "), "/figure?" + urlencode({"name": name})) for name in results.figures()],
    )


def examples_page(browser: Browser, given: Mapping[str, str]) -> str:
    """One page of examples. Raises UnknownName for a run, task or split that is not there."""
    query = full_query(browser, given)
    page = browser.page(query, quick=True)
    fields = {name: value for name, value in given.items() if name != "page" and value}
    drawn = DRAWN.get(browser.headline(query), "")
    has_table = any(answer.table for card in page.cards for answer in card.answers)
    has_table = has_table or any(view.table for card in page.cards for view in card.references)
    run = browser.runs[query.run]

    def address(number: int) -> str:
        return _address(**fields, page=str(number))

    def place(path: str, position: int, **more: str) -> str:
        common = {"task": query.task, "split": query.split, "run": str(query.run), "position": str(position)}
        common |= {"beside": fields["beside"]} if "beside" in fields else {}
        return f"/{path}?" + urlencode({**common, **more}, errors="replace")

    return render(
        "view.html.j2",
        title=f"{run.spec(query.task).title}, {query.split}",
        query=query,
        page=page,
        tasks=[(task, run.spec(task).title) for task in run.tasks() if browser.splits_of(query.run, task)],
        splits=browser.splits_of(query.run, query.task),
        strata=[] if page.waiting else browser.strata(query),
        ready="/ready?" + urlencode(fields, errors="replace"),
        shown=SHOWN if browser.beside(query) else SHOWN[:2],
        sorts=SORTS,
        before=address(page.page - 1) if page.page else "",
        after=address(page.page + 1) if page.page + 1 < page.pages else "",
        last=address(page.pages - 1) if page.page + 1 < page.pages else "",
        runs=list(enumerate(run.name for run in browser.runs)),
        beside=given.get("beside", ""),
        few=len(browser.runs) <= FEW_RUNS,
        drawn=drawn,
        layout="narrow" if drawn == MOLECULE else "wide" if drawn or has_table else "",
        place=place,
        reference_name=str(REFERENCE),
    )


def pictures_part(browser: Browser, given: Mapping[str, str]) -> str:
    """The pictures of an example, to be put into its card."""
    query = read_query(given)
    pictures, problem = browser.pictures(query, _whole(given.get("position", "")))
    dashed = any(shape.dashed for image in pictures for shape in image.shapes)
    names = [browser.runs[number].name for number in (query.run, *browser.beside(query))]
    legend = list(zip(itertools.cycle(ANSWER_COLOURS), names, strict=False)) if dashed else []
    return render("pictures.html.j2", pictures=pictures, problem=problem, legend=legend)


def drawing_part(drawing: Drawing) -> str:
    """A drawing of an answer or reference, to be put into its card."""
    return render("drawing.html.j2", drawing=drawing)


def message_page(message: str) -> str:
    return render("message.html.j2", message=message)


def drawn_text(browser: Browser, given: Mapping[str, str]) -> tuple[str, str]:
    """(kind, text) of the drawing that an address asks for, ("", "") where nothing is drawn of its task."""
    query = read_query(given)
    browser.check(query)
    kind = DRAWN.get(browser.headline(query), "")
    of = given.get("of", "")
    number = REFERENCE if of == str(REFERENCE) else _whole(of)
    if not kind or number >= len(browser.runs):
        return "", ""
    return kind, browser.text(query, _whole(given.get("position", "")), number)


def full_query(browser: Browser, given: Mapping[str, str]) -> Query:
    """As :func:`read_query`; without a split, the task's first one that has answers."""
    query = read_query(given)
    if not query.split and 0 <= query.run < len(browser.runs):
        return replace(query, split=next(iter(browser.splits_of(query.run, query.task)), ""))
    return query


def read_query(given: Mapping[str, str]) -> Query:
    """From the fields of an address; what is not understood is as if it were not given."""
    show, sort, beside = given.get("show", "all"), given.get("sort", "position"), given.get("beside", "")
    return Query(
        given.get("task", ""),
        given.get("split", ""),
        given.get("text", ""),
        given.get("stratum", ""),
        show if show in SHOWN else "all",
        sort if sort in SORTS else "position",
        _number(given.get("low", "")),
        _number(given.get("high", "")),
        _whole(given.get("page", "")),
        _whole(given.get("run", "")),
        () if beside == "none" else (_whole(beside),) if beside.isdigit() else None,
    )


def render(template: str, **values: Any) -> str:
    return _environment().get_template(template).render(**values)


@lru_cache(1)
def _environment() -> jinja2.Environment:
    return environment(HERE / "templates", PARTS, clean=printable)


def _address(**fields: str) -> str:
    return "/examples?" + urlencode(fields, errors="replace")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _whole(text: str) -> int:
    """0 for what is no number of at most eight digits."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0
