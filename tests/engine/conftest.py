"""A backend in this process that counts what is asked of it, and a run of the task ``own`` on it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import evalsuite
from evalsuite.backends import BACKENDS
from evalsuite.backends.base import BackendOptions, BatchLimits, Prepared
from evalsuite.types import Generation, Request

Run = Callable[..., evalsuite.RunResult]


@dataclass
class Probe:
    """Answers with the prompt. ``loads`` counts models loaded, ``asked`` are the ids in the order they were asked."""

    loads: int = 0
    closed: int = 0
    asked: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=lambda: {"backend": "probe", "fingerprint": "one"})
    limits: BatchLimits = field(default_factory=lambda: BatchLimits(4))
    on_load: Callable[[], None] = lambda: None
    on_prepare: Callable[[Request], None] = lambda request: None
    on_batch: Callable[[Sequence[Prepared]], None] = lambda batch: None
    fail: Callable[[str], str | None] = lambda id_: None

    def create(self, options: BackendOptions) -> Probe:
        self.loads += 1
        self.on_load()
        return self

    def describe(self) -> dict[str, Any]:
        return self.facts

    def prepare(self, request: Request) -> Prepared:
        self.on_prepare(request)
        return Prepared(request, None, 1)

    def generate(self, batch: Sequence[Prepared]) -> list[Generation]:
        self.on_batch(batch)
        answers = []
        for request in (item.request for item in batch):
            self.asked.append(request.key.id)
            error = self.fail(request.key.id)
            answers.append(Generation(request.key, "" if error else request.prompt, error=error))
        return answers

    def close(self) -> None:
        self.closed += 1


@pytest.fixture
def probe(monkeypatch: pytest.MonkeyPatch) -> Iterator[Probe]:
    backend = Probe()
    module = ModuleType("probe_backend")
    module.create = backend.create  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "probe_backend", module)
    monkeypatch.setitem(BACKENDS, "probe", "probe_backend")
    yield backend


@pytest.fixture
def run(probe: Probe, tmp_path: Path) -> Run:
    """Run the task ``own`` on the probe, with other arguments of evalsuite.run where they are given."""

    def call(**changes: Any) -> evalsuite.RunResult:
        given = {
            "tasks": "own",
            "backend": "probe",
            "data": "files",
            "data_dir": tmp_path / "data",
            "specs": [tmp_path / "specs"],
            "out": tmp_path / "out",
            "workers": 1,
        }
        return evalsuite.run(**{**given, **changes})

    return call
