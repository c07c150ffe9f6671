"""What can go wrong between us and a server, and what follows from it."""

from __future__ import annotations

import json
from typing import Any

SHOWN = 300  # characters of a server's own words in a message


class Fault(Exception):
    """One attempt that brought no answer.

    retry: another attempt may help. whole: it concerns the server, not one example. overload: ask less at once.
    wait: seconds that the server asks us to wait (Retry-After). status: of HTTP, where there was a reply.
    """

    def __init__(
        self,
        message: str,
        *,
        retry: bool = False,
        whole: bool = False,
        overload: bool = False,
        wait: float | None = None,
        status: int | None = None,
    ) -> None:
        super().__init__(message)
        self.retry, self.whole, self.overload, self.wait, self.status = retry, whole, overload, wait, status


def status_fault(url: str, status: int, body: bytes, wait: float | None = None) -> Fault:
    """The fault that a reply with an HTTP status other than 200 stands for; ``url`` is what was asked."""
    said, code = server_words(body)
    what = f"{url} answered {status}{f' ({said})' if said else ''}"
    if status in (401, 403):
        return Fault(
            f"{what}: the key is missing, wrong or not allowed to do this. Put it into the environment variable that "
            "--option api_key_env=NAME names",
            whole=True,
        )
    if status == 404 or code == "model_not_found":
        return Fault(
            f"{what}: no such model or address. The address usually ends in /v1 (--option url=…); "
            "--model is a name that the server lists under /models",
            whole=True,
            status=status,
        )
    if 300 <= status < 400 or status == 405:
        way_out = "this is not the address of the endpoint itself. Correct --option url=…"
        return Fault(f"{what}: {way_out}", whole=True, status=status)
    if code == "insufficient_quota":
        return Fault(
            f"{what}: the quota is used up. What was answered is stored; resume when there is more", whole=True
        )
    if status in (429, 503):
        hint = "the server is overloaded. Resume later, or ask less at once with --option concurrency=…"
        return Fault(f"{what}: {hint}", retry=True, whole=True, overload=True, wait=wait)
    if status == 502:
        return Fault(f"{what}: the server behind it does not answer", retry=True, whole=True, wait=wait)
    if status >= 500 or status in (408, 409, 425):
        return Fault(what, retry=True, overload=status == 504, wait=wait)
    return Fault(what)


def server_words(body: bytes) -> tuple[str, str]:
    """(message, code) of an error reply in one of the usual forms; else the start of its text, and no code."""
    try:
        content: Any = json.loads(body)
    except (ValueError, RecursionError):
        return _short(body[: 4 * SHOWN].decode("utf-8", "replace")), ""
    found = content.get("error", content) if isinstance(content, dict) else content
    if not isinstance(found, dict):
        return _short(str(found)), ""
    message = found.get("message") or found.get("detail") or ""
    return _short(str(message)), str(found.get("code") or found.get("type") or "")


def _short(text: str) -> str:
    """On one line, printable, cut to SHOWN characters."""
    line = " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
    return line if len(line) <= SHOWN else f"{line[:SHOWN]}…"
