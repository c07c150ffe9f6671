"""Asking until there is an answer: retries with backoff and jitter, within a limit on number and time."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from evalsuite.backends.server.faults import Fault, status_fault
from evalsuite.backends.server.gate import Gate
from evalsuite.backends.server.transport import Transport

Answer = TypeVar("Answer")
LONGEST_BACKOFF = 60.0  # seconds


class Stopped(Exception):
    """The batch was given up while this request was waiting; nothing is known about its example."""


class Asker:
    """Asks one endpoint.

    timeout: seconds for one attempt. deadline: seconds for all attempts of one request. retries: attempts after the
    first. backoff: seconds; before retry n a random time up to backoff * 2 ** n is waited (full jitter), or what the
    server asks for in Retry-After.
    """

    def __init__(
        self,
        transport: Transport,
        url: str,
        gate: Gate,
        *,
        timeout: float,
        deadline: float,
        retries: int,
        backoff: float,
    ) -> None:
        self._transport, self._url, self._gate = transport, url, gate
        self._timeout, self._deadline = timeout, deadline
        self._retries, self._backoff = retries, backoff
        self._down = False

    def ask(
        self,
        method: str,
        path: str,
        body: bytes | None,
        read: Callable[[bytes], Answer],
        stop: threading.Event | None = None,
    ) -> tuple[Answer, float]:
        """What ``read`` makes of the reply, and the seconds that the attempt took which brought it.

        Raises Fault when no attempt helped, and Stopped when ``stop`` was set before that. After a fault of the whole
        server one attempt is made, until one succeeds: a server that is gone is not waited for again and again.
        """
        stop = stop or threading.Event()
        given_up, attempts, fault = None, 0, None
        while True:
            with self._gate.passage(stop) as started:
                if stop.is_set():
                    raise Stopped
                given_up = given_up or started + self._deadline
                if fault is not None and started >= given_up:
                    raise fault
                try:
                    seconds = min(self._timeout, max(given_up - started, 0.001))
                    reply = self._transport.exchange(method, path, body, seconds)
                    if reply.status != 200:
                        raise status_fault(self._url + path, reply.status, reply.body, reply.wait)
                    answer = read(reply.body)
                except Fault as met:
                    if met.overload:
                        self._gate.overloaded(started)
                    # An attempt that the deadline cut short says less than the one before it.
                    fault = met if fault is None or time.monotonic() < given_up else fault
                else:
                    self._gate.succeeded()
                    self._down = False
                    return answer, time.monotonic() - started
            attempts += 1
            self._wait(fault, attempts, given_up, stop)

    def _wait(self, fault: Fault, attempts: int, given_up: float, stop: threading.Event) -> None:
        """Sleep before the next attempt. Raises the fault when there is none, Stopped when others gave up."""
        if fault.retry and stop.is_set():
            raise Stopped
        if fault.retry and attempts <= (0 if self._down and fault.whole else self._retries):
            seconds = random.uniform(0, min(LONGEST_BACKOFF, self._backoff * 2.0**attempts))
            seconds += fault.wait or 0.0
            if time.monotonic() + seconds < given_up:
                if fault.overload and fault.wait:
                    self._gate.close_for(fault.wait)
                if stop.wait(seconds):
                    raise Stopped
                return
            if fault.wait:
                fault = Fault(
                    f"{fault}. It asks to wait {fault.wait:.0f} s, longer than --option deadline=… allows",
                    whole=fault.whole,
                )
        if fault.whole:
            self._down = True
        raise fault
