"""The manifest of a run: everything needed to repeat it, and to refuse mixing two runs in one folder."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite._version import __version__
from evalsuite.engine.identity import changes, changes_of_splits
from evalsuite.errors import StoreError
from evalsuite.redaction import redacted, redacted_command, without_secrets
from evalsuite.runs.failures import now
from evalsuite.runs.folder import MANIFEST, STORE
from evalsuite.runs.manifest import MANIFEST_VERSION, read_answered, read_manifest, write_manifest
from evalsuite.runs.store import PredictionStore
from evalsuite.specs.digest import inference_digest, spec_digest

if TYPE_CHECKING:
    from evalsuite.engine.plan import Plan, TaskPlan
    from evalsuite.settings.run import RunConfig

PACKAGES = (
    "numpy",
    "scipy",
    "numba",
    "pillow",
    "datasets",
    "pyarrow",
    "lxml",
    "rapidfuzz",
    "rdkit",
    "shapely",
    "torch",
    "transformers",
    "tokenizers",
    "jax",
)
VOLATILE = ("versions", "notes")  # facts of a backend that may change between two starts of one run

BEGUN, DONE, FAILED = "begun", "done", "failed"
"""State of a task. BEGUN until it ends, however its process ends; DONE: every example that was asked for was tried and
no more failed than allowed."""


def check_resumable(plan: Plan) -> None:
    """Refuse to continue a run folder with another model, task, data set or attribute than it was begun with.

    Raises StoreError that says what differs.
    """
    if not (plan.folder / MANIFEST).exists():
        _refuse_answers_of_unknown_origin(plan.folder)
        return
    manifest = read_answered(plan.folder)
    config = plan.config
    now_asked = redacted(json.loads(json.dumps(config.identity())))
    differences = [
        f"{name} was {manifest['run'][name]!r}, now {now_asked[name]!r}"
        for name in ("backend", "attributes", "data", "options")
        if name in manifest["run"] and manifest["run"][name] != now_asked[name]
    ]
    for task in plan.tasks:
        if task.spec.id in manifest["tasks"]:
            differences += _differences(manifest["tasks"][task.spec.id], task)
    _refuse(plan.folder, differences)
    changed = dict.fromkeys(
        clause
        for task in plan.tasks
        if task.spec.id in manifest["tasks"]
        for clause in _changed_models(manifest["tasks"][task.spec.id], task)
    )
    if changed:
        raise StoreError(
            f"{plan.folder}: {'; '.join(changed)} since this run was begun on {str(manifest.get('created'))[:10]}. Its "
            "answers stay as they are. Choose another --out for the new ones (without --out every model gets a folder "
            "of its own), or move the folder away."
        )


def _changed_models(before: Mapping[str, Any], task: TaskPlan) -> list[str]:
    """What decides the answers of a task and is not what it was when the run was begun."""
    now = {split.name: split.identity for split in task.splits}
    whole = redacted(dict(task.identity))
    return [
        *changes(redacted(task.model), before.get("identity", whole), whole),
        *changes_of_splits(before.get("identity_of_splits", {}), redacted(now)),
    ]


def _refuse_answers_of_unknown_origin(folder: Path) -> None:
    """A store that holds answers while no manifest says whose they are."""
    if not (folder / STORE).exists():
        return
    with PredictionStore(folder / STORE, read_only=True) as store:
        if store.counts():
            raise StoreError(
                f"{folder}: holds answers but no {MANIFEST}, which says whose they are. Restore it from a copy, or "
                "move the whole folder away to begin anew."
            )


def _differences(before: Mapping[str, Any], task: TaskPlan) -> list[str]:
    name, differences = task.spec.id, []
    model = redacted(task.model)
    if before["model"] != model:
        differences.append(f"the model of task {name} was {before['model']!r}, now {model!r}")
    if before["inference_digest"] != inference_digest(task.spec):
        differences.append(f"the spec of task {name} changed")
    now_read = redacted(json.loads(json.dumps(task.fingerprint)))
    both = before["data"]["splits"].keys() & now_read["splits"].keys()  # each command may ask for other splits
    if any(before["data"]["splits"][split] != now_read["splits"][split] for split in both):
        differences.append(f"the data of task {name} changed")
    return differences


class Session:
    """One start of a run, written into its manifest at every step: a killed process leaves what was true then.

    Tasks, models and sessions of earlier starts stay in the manifest.
    """

    def __init__(self, plan: Plan, command: Sequence[str]) -> None:
        self._folder = plan.folder
        self._asked = {task.spec.id for task in plan.tasks}
        known = read_manifest(plan.folder) if (plan.folder / MANIFEST).exists() else None
        self._manifest: dict[str, Any] = known or {
            "manifest_version": MANIFEST_VERSION,
            "evalsuite": __version__,
            "name": plan.folder.absolute().name,
            "created": now(),
            "run": {},
            "tasks": {},
            "models": {},
            "environment": {},
            "sessions": [],
        }
        tasks: dict[str, Any] = self._manifest["tasks"]
        tasks.update({task.spec.id: _entry(task, plan.config, tasks.get(task.spec.id)) for task in plan.tasks})
        limits = sorted({entry["limit"] for entry in tasks.values() if entry.get("limit")})
        self._manifest["run"] = {
            **plan.config.recorded(),
            "limit": ", ".join(limits) or None,  # of any task that the folder holds
        }
        self._manifest["environment"] = environment()
        self._manifest["sessions"].append(
            {
                "started": now(),
                "ended": None,
                "status": "running",
                "command": redacted_command(command),
                "directory": os.getcwd(),
                "evalsuite": __version__,
            }
        )
        self._write()

    def model_loaded(self, model: str | None, description: Mapping[str, Any]) -> None:
        """Record what a backend says of itself. Raises StoreError when other weights answered before."""
        description = redacted(json.loads(json.dumps(dict(description))))
        before = self._manifest["models"].get(without_secrets(model or ""))
        if before is not None:
            _check_same_model(self._folder, before, description)
        self._manifest["models"][without_secrets(model or "")] = description
        self._write()

    def task_ended(self, task: str, failure: str | None) -> None:
        self._manifest["tasks"][task].update(state=FAILED if failure else DONE, failure=failure)
        self._write()

    def ended(self, status: str, answered: int, errors: int) -> None:
        """How the session ended, and which tasks of the folder, of this session or an earlier one, are not done."""
        self._manifest["sessions"][-1].update(
            ended=now(), status=status, answered=answered, errors=errors, failures=self._failures()
        )
        self._write()

    def _failures(self) -> dict[str, str]:
        tasks = self._manifest["tasks"].items()
        failures = {name: entry["failure"] for name, entry in tasks if entry.get("state") == FAILED}
        left = [name for name, entry in tasks if entry.get("state") == BEGUN and name not in self._asked]
        return failures | dict.fromkeys(left, "an earlier session began it and was interrupted")

    def _write(self) -> None:
        write_manifest(self._folder, redacted(self._manifest))


def _entry(task: TaskPlan, config: RunConfig, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """What the manifest says of a task; splits that only an earlier command asked for stay."""
    stops = before["stops"] if before else {}
    splits = before["data"]["splits"] if before else {}
    return {
        "version": task.spec.version,
        "spec_digest": spec_digest(task.spec),
        "inference_digest": inference_digest(task.spec),
        "model": task.model,
        "identity": dict(task.identity) or (before or {}).get("identity", {}),
        "identity_of_splits": {
            **(before or {}).get("identity_of_splits", {}),
            **{split.name: dict(split.identity) for split in task.splits if split.identity},
        },
        "data": {**task.fingerprint, "splits": {**splits, **task.fingerprint["splits"]}},
        "limit": str(config.limit) if config.limit else None,
        "stops": {**stops, **{split.name: split.stop for split in task.splits}},
        "state": BEGUN,
        "failure": None,
        "spec": task.spec.model_dump(mode="json", exclude_none=True),
    }


def environment() -> dict[str, Any]:
    """Versions of Python, the platform and the packages that numbers may depend on."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "machine": platform.machine(),
        "packages": versions,
    }


def _check_same_model(folder: Path, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    names = sorted({*before, *after} - set(VOLATILE))
    changed = [name for name in names if before.get(name) != after.get(name)]
    _refuse(folder, [f"{name} was {before.get(name)!r}, now {after.get(name)!r}" for name in changed])


def _refuse(folder: Path, differences: Sequence[str]) -> None:
    if differences:
        raise StoreError(
            f"{folder}: holds another run ({'; '.join(differences)}). Choose another --out, or move the folder away."
        )
