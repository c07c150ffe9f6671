"""The local page: for this machine and for its own pages only, and nothing it is asked changes anything."""

from __future__ import annotations

import hashlib
import http.client
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from evalsuite.viewer.browsing import Browser
from evalsuite.viewer.server import ViewerServer


@pytest.fixture
def server(hostile_run: Path) -> Iterator[ViewerServer]:
    found = ViewerServer(Browser.open([hostile_run]))
    thread = threading.Thread(target=found.serve_forever, daemon=True)
    thread.start()
    yield found
    found.shutdown()
    found.server_close()


def ask(server: ViewerServer, path: str = "/", method: str = "GET", **headers: str) -> tuple[int, dict[str, str], str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read().decode()
    finally:
        connection.close()


def test_it_listens_on_this_machine_only(server: ViewerServer) -> None:
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "127.0.0.1.evil.example", "localhost@evil.example", "", "[::1]", "127.0.0.1:x"],
)
def test_another_host_is_refused(host: str, server: ViewerServer) -> None:
    assert ask(server, Host=host)[0] == 403


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://localhost", "https://localhost"]
)
def test_another_origin_is_refused(origin: str, server: ViewerServer) -> None:
    assert ask(server, Origin=origin)[0] == 403


def test_its_own_origin_is_not(server: ViewerServer) -> None:
    for host in ("127.0.0.1", "localhost"):
        assert ask(server, Origin=f"http://{host}:{server.server_port}", Sec_Fetch_Site="same-origin")[0] == 200


@pytest.mark.parametrize(("mode", "destination"), [("no-cors", "image"), ("no-cors", "script"), ("navigate", "iframe")])
def test_another_site_embeds_nothing_of_it(mode: str, destination: str, server: ViewerServer) -> None:
    headers = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": mode, "Sec_Fetch_Dest": destination}
    assert ask(server, **headers)[0] == 403
    followed = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
    assert ask(server, **followed)[0] == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "TRACE", "CONNECT"])
def test_it_answers_get_alone(method: str, server: ViewerServer) -> None:
    assert ask(server, method=method)[0] == 501


def test_no_request_changes_a_file(server: ViewerServer, hostile_run: Path) -> None:
    def state() -> dict[str, str]:
        files = [path for path in hostile_run.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal"))]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = state()
    for path in ("/", "/examples?task=own&split=test", "/pictures?task=own&split=test&position=0", "/style.css", "/x"):
        ask(server, path)
    assert state() == before


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/static/../server.py",
        "/view.css/../../server.py",
        "/examples",
        "/examples?task=../x&split=..",
        "/pictures?task=own&split=test&position=x",
        "/pictures?task=own&split=test&position=-1",
        "/pictures?task=own&split=test&position=99999999999999999999",
        "/pictures?task=x&split=y&position=0",
        "/examples?task=own&split=test&page=99999999999&low=nan&high=inf&sort=x&show=<script>",
        "/examples?task=%00&split=%1b[2J",
        "//evil.example/",
        "/?" + "a=1&" * 5_000,
    ],
)
def test_odd_addresses_get_a_plain_answer(path: str, server: ViewerServer) -> None:
    status, headers, body = ask(server, path)
    assert status in (200, 404, 414) and "root:" not in body and "import " not in body
    if status != 414:
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert (
            headers["X-Content-Type-Options"] == "nosniff" and headers["Cross-Origin-Resource-Policy"] == "same-origin"
        )


def test_hostile_answers_stay_text(server: ViewerServer) -> None:
    for path in ("/", "/examples?task=own&split=test"):
        body = ask(server, path)[2]
        assert "<script>alert" not in body and "&lt;script&gt;" in body
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", body)
