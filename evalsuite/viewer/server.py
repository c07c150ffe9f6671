"""The web server of the viewer: on this machine only, read only, nothing loaded from elsewhere."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from evalsuite.errors import EvalsuiteError
from evalsuite.inspection.visible import printable
from evalsuite.reports import rendering
from evalsuite.viewer import pages
from evalsuite.viewer.browsing import Browser
from evalsuite.viewer.drawing import Drawer
from evalsuite.viewer.study import Results

POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
FIGURE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""Of a figure, which is an image of ours: its own style, and no script should someone open it as a page."""
HTML, TEXT, SVG = "text/html; charset=utf-8", "text/plain; charset=utf-8", "image/svg+xml"
_STATIC = {
    "/base.css": (rendering.TEMPLATES, "text/css"),
    "/style.css": (pages.PARTS, "text/css"),
    "/view.css": (pages.HERE / "static", "text/css"),
    "/view.js": (pages.HERE / "static", "text/javascript"),
    "/icon.svg": (pages.HERE / "static", SVG),
}
HOSTS = ("127.0.0.1", "localhost")


class ViewerServer(ThreadingHTTPServer):
    """Answers on 127.0.0.1; ``port`` 0 takes a free one. Requests that name another host are refused.

    studies: folders of studies whose runs the browser holds.
    """

    daemon_threads = True

    def __init__(self, browser: Browser, port: int = 0, studies: Sequence[Path] = ()) -> None:
        self.browser = browser
        self.studies = studies
        self.results = Results([run.folder for run in browser.runs])
        self.drawer = Drawer()
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def server_close(self) -> None:
        super().server_close()
        self.drawer.close()


class _Handler(BaseHTTPRequestHandler):
    """Answers GET alone, and no GET changes anything."""

    server: ViewerServer
    timeout = 60  # seconds for a request to come in
    server_version = "evalsuite"
    sys_version = ""

    def do_GET(self) -> None:
        if not (self._is_local() and self._is_own()):
            self._send(403, TEXT, "only for pages of this server, on 127.0.0.1 and localhost")
            return
        parts = urlsplit(self.path)
        given = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        try:
            status, kind, body = self._answer(parts.path, given)
        except EvalsuiteError as error:
            status, kind, body = 404, HTML, pages.message_page(printable(str(error)))
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the reader went to another page meanwhile
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

    def _answer(self, path: str, given: Mapping[str, str]) -> tuple[int, str, str]:
        server = self.server
        if path in _STATIC:
            folder, kind = _STATIC[path]
            return 200, kind if kind == SVG else f"{kind}; charset=utf-8", (folder / path[1:]).read_text("utf-8")
        if path == "/":
            return 200, HTML, pages.summary_page(server.browser, server.results, server.studies)
        if path == "/examples":
            return 200, HTML, pages.examples_page(server.browser, given)
        if path == "/ready":
            server.browser.wait(pages.full_query(server.browser, given))
            return 200, TEXT, "the scores are known"
        if path == "/pictures":
            return 200, HTML, pages.pictures_part(server.browser, given)
        if path == "/drawing":
            kind, text = pages.drawn_text(server.browser, given)
            if kind:
                return 200, HTML, pages.drawing_part(server.drawer.draw(kind, text))
        if path == "/figure":
            figure = server.results.figure(given.get("name", ""))
            if figure:
                return 200, SVG, figure
        return 404, TEXT, "no such page"

    def _send(self, status: int, kind: str, body: str) -> None:
        data = body.encode("utf-8", "replace")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("Content-Security-Policy", FIGURE_POLICY if kind == SVG else POLICY)
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("X-Frame-Options", "DENY")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(data)
