"""Where a server is, and the key that opens it."""

from __future__ import annotations

import base64
import ipaddress
import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from evalsuite.errors import UsageError

DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"
ADDRESS = "--option url=http://127.0.0.1:8000/v1"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The base URL of an OpenAI-compatible server, such as ``http://127.0.0.1:8000/v1``. It holds no secrets."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Raises UsageError, which never repeats a URL that may hold a secret.

        >>> str(Endpoint.parse("https://Example.org/v1/"))
        'https://example.org/v1'
        """
        if not url:
            raise UsageError(f"backend server: give its address, such as {ADDRESS}")
        wrong = "backend server: option url is not valid."
        try:
            parts = urllib.parse.urlsplit(url.strip())
            port = parts.port
        except ValueError:
            raise UsageError(f"{wrong} Give an address such as http://127.0.0.1:8000/v1") from None
        if parts.username is not None or parts.password is not None or "@" in parts.netloc:
            raise UsageError(
                f"{wrong} It holds a name or password; these would end up in the manifest. Put a key into the "
                f"environment variable {DEFAULT_KEY_VARIABLE}, or into another one that --option api_key_env=NAME names"
            )
        if parts.query or parts.fragment:
            raise UsageError(f"{wrong} It has a part after '?' or '#', which may hold a secret. Leave that part out")
        if parts.scheme not in ("http", "https") or not parts.hostname or not parts.path.isprintable():
            raise UsageError(f"{wrong} Give an address such as http://127.0.0.1:8000/v1")
        path = urllib.parse.quote(parts.path.rstrip("/"), safe="/%:@!$&'()*+,;=~-._")
        if path.endswith("/completions"):
            raise UsageError(f"{wrong} Give the base of the server, without /chat/completions or /completions")
        return cls(parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80), path)

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == (443 if self.scheme == "https" else 80)
        return f"{self.scheme}://{host}{'' if usual else f':{self.port}'}{self.path}"


def read_key(variable: str | None, endpoint: Endpoint) -> str | None:
    """The key in an environment variable; None where there is none.

    variable: the one that was named; None for OPENAI_API_KEY, whose key goes to https addresses and to this machine
    only, never in clear text to another one. Raises UsageError when a named variable is not set, or holds no key.
    """
    if variable is None and endpoint.scheme == "http" and not endpoint.is_local:
        return None
    key = os.environ.get(variable or DEFAULT_KEY_VARIABLE, "").strip()
    if variable is not None and not key:
        raise UsageError(f"backend server: option api_key_env={variable}: this environment variable is not set")
    if not key.isascii() or not key.isprintable():
        raise UsageError(f"the environment variable {variable or DEFAULT_KEY_VARIABLE} holds no key, but other signs")
    return key or None


@dataclass(frozen=True, slots=True)
class Proxy:
    """headers: what opens the proxy, where its address holds a name and password."""

    host: str
    port: int
    headers: Mapping[str, str]


def find_proxy(endpoint: Endpoint) -> Proxy | None:
    """The proxy of HTTPS_PROXY that an https address is reached through, unless NO_PROXY says otherwise; else None."""
    import urllib.request

    if endpoint.scheme != "https" or endpoint.is_local or urllib.request.proxy_bypass(endpoint.host):
        return None
    address = urllib.request.getproxies().get("https")
    if not address:
        return None
    try:
        parts = urllib.parse.urlsplit(address if "://" in address else f"http://{address}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host:
        raise UsageError("the environment variable HTTPS_PROXY holds no address such as http://proxy:3128")
    headers = {}
    if parts.username is not None:
        pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        headers["Proxy-Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
    return Proxy(host, port or 80, headers)
