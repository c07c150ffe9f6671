"""The manifest of a run: everything needed to repeat it, and to refuse mixing two runs in one folder."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from evalsuite._version import __version__
from evalsuite.engine.config import RunConfig
from evalsuite.errors import StoreError
from evalsuite.runfolder import MANIFEST, MANIFEST_VERSION, read_manifest, write_json
from evalsuite.specs.digest import inference_digest
from evalsuite.specs.schema import TaskSpec

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
VOLATILE = ("versions",)  # facts of a backend that may change between two starts of one run


def check_resumable(
    folder: Path, specs: Sequence[TaskSpec], config: RunConfig, fingerprints: Mapping[str, Mapping[str, Any]]
) -> None:
    """Refuse to continue a run folder with another task, data set or attribute than it was begun with.

    Raises StoreError that says what differs.
    """
    if not (folder / MANIFEST).exists():
        return
    manifest = read_manifest(folder)
    differences = []
    for name, ours in (("backend", config.backend), ("attributes", dict(config.attributes)), ("data", config.data)):
        if manifest["run"][name] != ours:
            differences.append(f"{name} was {manifest['run'][name]!r}, now {ours!r}")
    for spec in specs:
        before = manifest["tasks"].get(spec.id)
        if before is None:
            continue
        if before["inference_digest"] != inference_digest(spec):
            differences.append(f"the spec of task {spec.id} changed")
        if before["data"] != json.loads(json.dumps(fingerprints[spec.id])):
            differences.append(f"the data of task {spec.id} changed")
    _refuse(folder, differences)


def check_same_backend(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Refuse to mix answers of two models in one run folder. Raises StoreError."""
    names = sorted({*before, *now} - set(VOLATILE))
    _refuse(
        folder,
        [
            f"{name} was {before.get(name)!r}, now {now.get(name)!r}"
            for name in names
            if before.get(name) != now.get(name)
        ],
    )


def begin(
    folder: Path, config: RunConfig, tasks: Mapping[str, Mapping[str, Any]], command: Sequence[str]
) -> dict[str, Any]:
    """Write the manifest at the start of a session; tasks of earlier sessions stay in it."""
    known = read_manifest(folder) if (folder / MANIFEST).exists() else None
    manifest: dict[str, Any] = known or {
        "manifest_version": MANIFEST_VERSION,
        "evalsuite": __version__,
        "name": folder.absolute().name,
        "created": now(),
        "run": {**config.identity(), "max_errors": str(config.max_errors)},
        "tasks": {},
        "models": {},
        "sessions": [],
    }
    manifest["tasks"].update(tasks)
    manifest["environment"] = environment()
    manifest["sessions"].append(
        {"started": now(), "ended": None, "status": "running", "command": list(command), "evalsuite": __version__}
    )
    write_json(folder / MANIFEST, manifest)
    return manifest


def finish(folder: Path, manifest: dict[str, Any], status: str, outcome: Mapping[str, Any]) -> None:
    """Record how the session ended."""
    manifest["sessions"][-1].update({"ended": now(), "status": status, **outcome})
    write_json(folder / MANIFEST, manifest)


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


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _refuse(folder: Path, differences: Sequence[str]) -> None:
    if differences:
        raise StoreError(
            f"{folder}: holds another run ({'; '.join(differences)}). Choose another --out, or move the folder away."
        )
