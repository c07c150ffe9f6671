"""What a report says about a run besides its numbers: facts of the manifest, failures, and examples that failed."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.errors import StoreError
from evalsuite.redaction import HIDDEN, is_secret_name, redacted, redacted_command, without_secrets
from evalsuite.reports.tables import one_line
from evalsuite.runs.folder import STORE
from evalsuite.runs.lock import is_used_by_others
from evalsuite.runs.manifest import read_manifest
from evalsuite.runs.store import PredictionStore

RUNNING = "running"
"""Status of a session from its start until it ends, however it ends."""

ERRORS_SHOWN = 20  # per task; the store holds all of them
_Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fact:
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class TaskErrors:
    """Failed examples of one task: ``count`` in all, the first of them as (split/id, message)."""

    task: str
    count: int
    examples: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """One run as a report shows it.

    cautions: why its numbers are not the whole story (limited, interrupted, failed tasks, a backend that does not keep
    to the papers' protocol, unreadable store).
    command: the last command given, with secrets blanked out. tasks: id, version, digest of the spec, data.
    """

    name: str
    summary: tuple[Fact, ...]
    models: tuple[Fact, ...]
    versions: tuple[Fact, ...]
    tasks: tuple[tuple[str, str, str, str], ...]
    command: str
    cautions: tuple[str, ...]
    errors: tuple[TaskErrors, ...]


def read_facts(run: Path) -> RunFacts:
    """The facts of a run folder. Raises StoreError when it has no readable manifest."""
    manifest = redacted(read_manifest(run))
    asked, sessions = _mapping(manifest.get("run")), manifest.get("sessions") or [{}]
    models = [_mapping(model) for model in _mapping(manifest.get("models")).values()]
    errors, problem = _read_errors(run)
    return RunFacts(
        name=str(manifest.get("name") or run.absolute().name),
        summary=tuple(_summary(manifest, asked, sessions)),
        models=tuple(fact for model in models for fact in _flat(model) if fact.name != "deviations"),
        versions=tuple(_flat(_mapping(manifest.get("environment")))),
        tasks=tuple(_task(name, _mapping(entry)) for name, entry in _mapping(manifest.get("tasks")).items()),
        command=_command(sessions[-1].get("command")),
        cautions=tuple([*_cautions(run, asked, sessions[-1]), *_deviations(models), *problem]),
        errors=errors,
    )


def _summary(manifest: _Facts, asked: _Facts, sessions: Sequence[_Facts]) -> Iterator[Fact]:
    if asked.get("backend") != "replay":  # replayed answers may come from any model
        default = _mapping(_mapping(manifest.get("models")).get("")).get("model")
        yield Fact("Model", str(asked.get("model") or default or "the backend's default"))
    yield Fact("Backend", str(asked.get("backend", "")))
    folder = asked.get("data_dir")
    seed = f", seed {asked.get('data_seed', 0)}" if asked.get("data") == "synthetic" else ""
    yield Fact("Data", f"{asked.get('data', '')}{f' ({folder})' if folder else ''}{seed}")
    for name in ("attributes", "options"):
        if asked.get(name):
            yield Fact(name.capitalize(), ", ".join(f"{f.name} {f.value}" for f in _flat(asked[name])))
    if asked.get("limit"):
        yield Fact("Limit", str(asked["limit"]))
    yield Fact("Tasks", str(asked.get("tasks", "")))
    yield Fact("Begun", str(manifest.get("created", "")).replace("T", " ").replace("+00:00", " UTC"))
    count = f", {len(sessions)} sessions" if len(sessions) > 1 else ""
    yield Fact("Status", f"{sessions[-1].get('status', '')}{count}")
    yield Fact("evalsuite", str(manifest.get("evalsuite", "")))


def _cautions(run: Path, asked: _Facts, session: _Facts) -> Iterator[str]:
    if asked.get("limit"):
        yield f"Only the first examples of each split were run (--limit {asked['limit']}), not the whole benchmark."
    if session.get("status") == RUNNING:
        ended = "it goes on" if is_used_by_others(run) else "its last session was killed, or lost its machine"
        yield f"The run is not complete: {ended}."
    elif session.get("status") not in ("done", None):
        yield f"The run is not complete: its last session is marked {session['status']}."
    for task, message in _mapping(session.get("failures")).items():
        yield f"Task {task} failed: {message}"


def _deviations(models: Sequence[_Facts]) -> list[str]:
    """How the backends say that they deviate from the papers' protocol; each sentence once."""
    return list(dict.fromkeys(str(text) for model in models for text in model.get("deviations") or ()))


def _read_errors(run: Path) -> tuple[tuple[TaskErrors, ...], list[str]]:
    """Failed examples by task; a store that cannot be read is a caution, not the end of the report."""
    if not (run / STORE).exists():
        return (), []
    try:
        with PredictionStore(run / STORE, read_only=True) as store:
            counts: dict[str, int] = {}
            for (task, _), count in store.counts().items():
                counts[task] = counts.get(task, 0) + count.errors
            found = [
                TaskErrors(
                    task,
                    number,
                    tuple(
                        (one_line(f"{key.split}/{key.id}"), one_line(without_secrets(message)))
                        for key, message in store.errors(task, ERRORS_SHOWN)
                    ),
                )
                for task, number in counts.items()
                if number
            ]
    except StoreError as error:
        return (), [f"Failed examples cannot be listed: {error}"]
    return tuple(found), []


def _task(name: str, entry: _Facts) -> tuple[str, str, str, str]:
    data = json.dumps(entry.get("data", {}), sort_keys=True, ensure_ascii=False)
    return name, str(entry.get("version", "")), str(entry.get("inference_digest", ""))[:12], data


def _command(words: Any) -> str:
    if isinstance(words, str):
        words = shlex.split(words)
    return shlex.join(redacted_command([one_line(str(word)) for word in words or ()]))


def _flat(value: Any, prefix: str = "") -> Iterator[Fact]:
    """A nested mapping as facts ``a.b: text``; secrets are blanked out."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(inner, f"{prefix}.{name}" if prefix else str(name))
    elif prefix and value not in (None, "", [], {}):
        shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        yield Fact(prefix, HIDDEN if is_secret_name(prefix.split(".")[-1]) else without_secrets(shown))


def _mapping(value: Any) -> _Facts:
    return value if isinstance(value, Mapping) else {}
