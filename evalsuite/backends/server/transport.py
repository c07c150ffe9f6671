"""One HTTP exchange with the server: a time limit that holds, a size limit that holds, connections kept open."""

from __future__ import annotations

import contextlib
import email.utils
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from evalsuite.backends.server.endpoint import Endpoint, find_proxy
from evalsuite.backends.server.faults import Fault

MAX_REPLY = 8 << 20
"""Bytes. An answer with log-probabilities needs far less; what is longer is not read."""
MAX_IDLE = 2.0
"""Seconds after which an open connection is not used again: servers close idle ones, some after 5 seconds."""


@dataclass(frozen=True, slots=True)
class Reply:
    """status: of HTTP. wait: seconds of its Retry-After header, where it has one."""

    status: int
    body: bytes
    wait: float | None = None


class Transport:
    """Exchanges from any number of threads, each over a connection of its own. Redirects are not followed."""

    def __init__(self, endpoint: Endpoint, key: str | None) -> None:
        self._endpoint = endpoint
        self._headers = {"Accept": "application/json", "User-Agent": "evalsuite"}
        if key:
            self._headers["Authorization"] = f"Bearer {key}"
        self._tls = ssl.create_default_context() if endpoint.scheme == "https" else None
        self._proxy = find_proxy(endpoint)
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._open: set[http.client.HTTPConnection] = set()
        self._busy: set[socket.socket] = set()

    def exchange(self, method: str, path: str, body: bytes | None, seconds: float) -> Reply:
        """Send a request and read the whole reply within ``seconds``, whatever its status. Raises Fault."""
        connection = self._connection(max(seconds, 0.001))
        headers = self._headers if body is None else {**self._headers, "Content-Type": "application/json"}
        try:
            with self._watched(connection.sock, seconds) as watch:
                try:
                    # A server may answer before it has read everything, and then closes its side.
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        connection.request(method, self._endpoint.path + path, body, headers)
                    response = connection.getresponse()
                    data = self._read(response)
                except (OSError, http.client.HTTPException) as error:
                    if watch.expired or isinstance(error, TimeoutError):
                        raise self._too_slow(seconds) from None
                    reason = getattr(error, "strerror", None) or type(error).__name__
                    raise Fault(
                        f"{self._endpoint} broke off in the middle of an answer ({reason})", retry=True
                    ) from None
                if watch.expired:
                    raise self._too_slow(seconds)
        except BaseException:
            connection.close()
            raise
        if response.will_close:
            connection.close()
        self._mine.used = time.monotonic()
        return Reply(response.status, data, _seconds(response.headers.get("Retry-After")))

    def abort(self) -> None:
        """End what is under way in other threads, with a Fault there."""
        with self._lock:
            for busy in self._busy:
                _shut(busy)

    def close(self) -> None:
        self.abort()
        with self._lock:
            for connection in self._open:
                connection.close()
            self._open.clear()

    def _connection(self, seconds: float) -> http.client.HTTPConnection:
        """This thread's connection, open. Raises Fault when nothing listens there."""
        place = self._endpoint
        connection: http.client.HTTPConnection | None = getattr(self._mine, "connection", None)
        if connection is None:
            connection = self._mine.connection = self._new_connection()
            with self._lock:
                self._open.add(connection)
        if connection.sock is not None and time.monotonic() - self._mine.used > MAX_IDLE:
            connection.close()
        if connection.sock is None:
            connection.timeout = seconds
            try:
                connection.connect()
            except ssl.SSLCertVerificationError as error:
                raise Fault(f"{place}: its certificate is not valid ({error.verify_message})", whole=True) from None
            except (OSError, UnicodeError) as error:
                reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
                raise Fault(
                    f"nothing answers at {place} ({reason}). Start the server, or correct --option url=…",
                    retry=True,
                    whole=True,
                ) from None
        connection.sock.settimeout(seconds)
        return connection

    def _new_connection(self) -> http.client.HTTPConnection:
        place = self._endpoint
        if self._tls is None:
            return http.client.HTTPConnection(place.host, place.port)
        if self._proxy is None:
            return http.client.HTTPSConnection(place.host, place.port, context=self._tls)
        connection = http.client.HTTPSConnection(self._proxy.host, self._proxy.port, context=self._tls)
        connection.set_tunnel(place.host, place.port, self._proxy.headers)
        return connection

    def _read(self, response: http.client.HTTPResponse) -> bytes:
        """The body. Raises Fault when it is longer than MAX_REPLY, IncompleteRead when it is cut off."""
        if (response.length or 0) <= MAX_REPLY:
            data = response.read(MAX_REPLY + 1)
            if len(data) <= MAX_REPLY:
                if response.length:  # what a Content-Length promised and did not come
                    raise http.client.IncompleteRead(data, response.length)
                return data
        raise Fault(f"{self._endpoint} answered with more than {MAX_REPLY >> 20} MB, which were not read")

    def _too_slow(self, seconds: float) -> Fault:
        message = f"{self._endpoint} gave no answer within {seconds:.3g} s (--option timeout=…)"
        return Fault(message, retry=True, overload=True)

    @contextlib.contextmanager
    def _watched(self, sock: socket.socket, seconds: float) -> Iterator[_Watch]:
        """Cut the connection after ``seconds``: a socket's own limit starts anew with every byte that drips in."""
        watch = _Watch(sock, seconds)
        with self._lock:
            self._busy.add(sock)
        try:
            yield watch
        finally:
            watch.cancel()
            with self._lock:
                self._busy.discard(sock)


class _Watch(threading.Timer):
    def __init__(self, sock: socket.socket, seconds: float) -> None:
        super().__init__(seconds, self._expire)
        self.daemon = True
        self.expired = False
        self._sock = sock
        self.start()

    def _expire(self) -> None:
        self.expired = True
        _shut(self._sock)


def _shut(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        # That of the base class: the one of TLS sockets takes the encryption away under the reading thread.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _seconds(header: str | None) -> float | None:
    """Retry-After: seconds, or an HTTP date. None for none, or for something else."""
    if header is None:
        return None
    try:
        seconds = float(header)
    except ValueError:
        try:
            date = email.utils.parsedate_to_datetime(header)
        except (ValueError, TypeError):
            return None
        seconds = ((date if date.tzinfo else date.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if seconds < float("inf") else None
