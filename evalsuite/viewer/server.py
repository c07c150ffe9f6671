"""The web server of the viewer: on this machine only, read only, nothing loaded from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from evalsuite.errors import EvalsuiteError
from evalsuite.reports.results_table import run_tables
from evalsuite.reports.rows import read_rows
from evalsuite.reports.tables import to_html
from evalsuite.runfolder import RESULTS
from evalsuite.viewer.browsing import SHOWN, SORTS, Browser, Query

HERE = Path(__file__).parent
PARTS = HERE.parent / "inspection" / "templates"
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'"
)
_STATIC = {"/style.css": "text/css", "/view.css": "text/css", "/view.js": "text/javascript"}
HOSTS = ("127.0.0.1", "localhost")


class ViewerServer(ThreadingHTTPServer):
    """Answers on 127.0.0.1; ``port`` 0 takes a free one. Requests that name another host are refused."""

    daemon_threads = True

    def __init__(self, browser: Browser, port: int = 0) -> None:
        self.browser = browser
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"


class _Handler(BaseHTTPRequestHandler):
    server: ViewerServer
    server_version = "evalsuite"
    sys_version = ""

    def do_GET(self) -> None:
        if not self._is_local():
            self._send(403, "text/plain", b"only for 127.0.0.1 and localhost")
            return
        parts = urlsplit(self.path)
        given = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        try:
            status, kind, body = self._answer(parts.path, given)
        except EvalsuiteError as error:
            status, kind, body = (
                404,
                "text/html; charset=utf-8",
                _render("message.html.j2", message=str(error)).encode(),
            )
        self._send(status, kind, body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the terminal shows where the page is, and that is enough."""

    def _is_local(self) -> bool:
        """A page of another site may name this server by a host of its own; such requests are not answered."""
        return re.sub(r":\d+$", "", self.headers.get("Host", "")) in HOSTS

    def _answer(self, path: str, given: Mapping[str, str]) -> tuple[int, str, bytes]:
        browser = self.server.browser
        if path in _STATIC:
            folder = PARTS if path == "/style.css" else HERE / "static"
            return 200, f"{_STATIC[path]}; charset=utf-8", (folder / path.lstrip("/")).read_bytes()
        if path == "/":
            return 200, "text/html; charset=utf-8", _summary(browser).encode("utf-8", "replace")
        if path == "/examples":
            return 200, "text/html; charset=utf-8", _examples(browser, given).encode("utf-8", "replace")
        if path == "/pictures":
            place = (given.get("task", ""), given.get("split", ""), int(given.get("position", "0") or 0))
            pictures, problem = browser.pictures(*place)
            text = _render("pictures.html.j2", pictures=pictures, problem=problem)
            return 200, "text/html; charset=utf-8", text.encode("utf-8", "replace")
        return 404, "text/plain; charset=utf-8", b"no such page"

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)


def read_query(given: Mapping[str, str]) -> Query:
    """From the fields of an address; what is not understood is as if it were not given."""
    show, sort = given.get("show", "all"), given.get("sort", "position")
    page = given.get("page", "0")
    return Query(
        given.get("task", ""),
        given.get("split", ""),
        given.get("text", ""),
        given.get("stratum", ""),
        show if show in SHOWN else "all",
        sort if sort in SORTS else "position",
        _number(given.get("low", "")),
        _number(given.get("high", "")),
        int(page) if page.isascii() and page.isdigit() and len(page) < 9 else 0,
    )


def _summary(browser: Browser) -> str:
    runs = [run.folder for run in browser.runs if (run.folder / RESULTS).is_file()]
    tables = (
        [(table.title, to_html(table.without("signature"))) for table in run_tables(read_rows(runs))] if runs else []
    )
    splits = [(task, split, title, _address(task=task, split=split)) for task, split, title in browser.splits()]
    names = [run.name for run in browser.runs]
    return _render("summary.html.j2", title=", ".join(names), runs=names, tables=tables, splits=splits)


def _examples(browser: Browser, given: Mapping[str, str]) -> str:
    query = read_query(given)
    page = browser.page(query)
    fields = {name: value for name, value in given.items() if name != "page" and value}

    def address(number: int) -> str:
        return _address(**fields, page=str(number))

    return _render(
        "view.html.j2",
        title=f"{query.task}, {query.split}",
        query=query,
        page=page,
        strata=browser.strata(query.task, query.split),
        shown=SHOWN if len(browser.runs) > 1 else SHOWN[:2],
        sorts=SORTS,
        before=address(page.page - 1) if page.page else "",
        after=address(page.page + 1) if page.page + 1 < page.pages else "",
        runs=[run.name for run in browser.runs],
    )


def _address(**fields: str) -> str:
    return "/examples?" + urlencode(fields, errors="replace")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _render(template: str, **values: Any) -> str:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([HERE / "templates", PARTS]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)
