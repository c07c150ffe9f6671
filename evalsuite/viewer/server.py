"""The web server of the viewer: on this machine only, read only, nothing loaded from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from evalsuite.errors import EvalsuiteError
from evalsuite.inspection.visible import inert
from evalsuite.reports.results_table import run_tables
from evalsuite.reports.rows import read_rows
from evalsuite.reports.tables import to_html
from evalsuite.runfolder import RESULTS
from evalsuite.viewer.browsing import SHOWN, SORTS, Browser, Query

HERE = Path(__file__).parent
PARTS = HERE.parent / "inspection" / "templates"
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
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
    """Answers GET alone, and no GET changes anything."""

    server: ViewerServer
    timeout = 60  # seconds for a request to come in
    server_version = "evalsuite"
    sys_version = ""

    def do_GET(self) -> None:
        if not (self._is_local() and self._is_own()):
            self._send(403, "text/plain", b"only for pages of this server, on 127.0.0.1 and localhost")
            return
        parts = urlsplit(self.path)
        given = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        try:
            status, kind, body = self._answer(parts.path, given)
        except EvalsuiteError as error:
            text = _render("message.html.j2", message=str(error))
            status, kind, body = 404, "text/html; charset=utf-8", text.encode("utf-8", "replace")
        self._send(status, kind, body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet: the terminal shows where the page is, and that is enough."""

    def _is_local(self) -> bool:
        """A page of another site may name this server by a host of its own; such requests are not answered."""
        hosts = self.headers.get_all("Host", [])
        return len(hosts) == 1 and re.sub(r":\d+$", "", hosts[0]) in HOSTS

    def _is_own(self) -> bool:
        """A script or frame of another site is not answered; a link that someone follows is."""
        origin, site = self.headers.get("Origin"), self.headers.get("Sec-Fetch-Site", "none")
        if origin is not None and origin not in [f"http://{host}:{self.server.server_port}" for host in HOSTS]:
            return False
        followed = self.headers.get("Sec-Fetch-Mode") == "navigate" and self.headers.get("Sec-Fetch-Dest") == "document"
        return site in ("same-origin", "none") or followed

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
            place = (given.get("task", ""), given.get("split", ""), _whole_number(given.get("position", "")))
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
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
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
        _whole_number(page),
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


def _whole_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 9 else 0


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
        finalize=inert,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(**values)
