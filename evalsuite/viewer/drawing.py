"""Drawings of answers and references: molecules by RDKit, music by verovio where it is installed."""

from __future__ import annotations

import base64
import importlib.util
import json
import threading
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess

from evalsuite.viewer.renderers import LONGEST, MOLECULE, MUSIC, serve

DRAWN = {"smiles_match": MOLECULE, "kern_error_rates": MUSIC}
"""Headline metric -> what its answers and references are."""
SECONDS = 5.0
START_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Drawing:
    """uri: an image as a ``data:`` address, or "". note: a plain sentence about it, or why there is none; or ""."""

    uri: str
    note: str = ""


class Drawer:
    """Draws in a process of its own, which is ended when it takes too long, and started anew when it has ended.

    Safe to call from several threads; they wait for each other. ``seconds``: the longest that a drawing may take.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self._process: SpawnProcess | None = None
        self._connection: Connection | None = None

    def draw(self, kind: str, text: str) -> Drawing:
        """``kind``: MOLECULE or MUSIC. Never raises for a text, whatever it is."""
        if kind == MUSIC and importlib.util.find_spec("verovio") is None:
            return Drawing("", "To see it as music: pip install verovio")
        if len(text) > LONGEST[kind]:
            return Drawing("", f"No drawing: {len(text):,} characters are more than {LONGEST[kind]:,}.")
        text = text.encode("utf-8", "replace").decode()
        with self._lock:
            try:
                found = self._ask(json.dumps([kind, text]).encode())
            except (EOFError, OSError):
                self.close()
                return Drawing("", "No drawing: the program that draws ended at this text.")
        if found is None:
            return Drawing("", f"No drawing: it took longer than {self._seconds:g} seconds.")
        svg, note = json.loads(found)
        encoded = base64.b64encode(svg.encode("utf-8", "replace")).decode()
        return Drawing(f"data:image/svg+xml;base64,{encoded}" if svg else "", note)

    def close(self) -> None:
        """End the process."""
        if self._connection is not None:
            self._connection.close()
        if self._process is not None:
            self._process.kill()
            self._process.join()
        self._process = self._connection = None

    def _ask(self, request: bytes) -> bytes | None:
        """The answer, None when it did not come in time. Raises EOFError or OSError when the process ended."""
        connection = self._connection or self._start()
        connection.send_bytes(request)
        if not connection.poll(self._seconds):
            self.close()
            return None
        return connection.recv_bytes()

    def _start(self) -> Connection:
        context = get_context("spawn")
        ours, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._connection = ours
        if not ours.poll(START_SECONDS):
            raise EOFError
        ours.recv_bytes()
        return ours
