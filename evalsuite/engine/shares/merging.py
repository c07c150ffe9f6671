"""The shards of a run become the run that one process would have made."""

from __future__ import annotations

import copy
import heapq
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import Any

from evalsuite.engine.shares.state import shares_in
from evalsuite.errors import StoreError
from evalsuite.redaction import redacted_command
from evalsuite.runs.folder import STORE
from evalsuite.runs.lock import is_locked, locked
from evalsuite.runs.manifest import read_answered, read_manifest, write_manifest
from evalsuite.runs.store import PredictionStore
from evalsuite.settings.recorded import recorded_config
from evalsuite.types import Prediction

_BATCH = 512
_SHOWN = 3


def merge_shards(folder: Path, command: Sequence[str] = ()) -> int:
    """Put the predictions of all shards below ``folder`` into one store there; returns how many it holds then.

    The folder becomes the run that one process would have made. Doing it again, or after a kill, changes nothing else.
    An id that two shards have is found here, and counts against the error budget. command: what started all of them,
    where one command did. Raises StoreError when a shard is missing, still running, or not of the same run.
    """
    shards = shard_folders(folder)
    manifests = [read_answered(shard) for shard in shards]
    _check_same(shards, manifests)
    with locked(folder, "merge"):
        manifest = {**_merged(folder, manifests, command), **_kept_results(folder)}
        write_manifest(folder, manifest)
        with PredictionStore(folder / STORE) as store, ExitStack() as stack:
            parts = [stack.enter_context(PredictionStore(shard / STORE, read_only=True)) for shard in shards]
            for task, split in sorted({place for part in parts for place in part.counts()}):
                _copy(store, parts, task, split)
                if failure := _over_budget(store, parts, manifest, task, split):
                    _mark_failed(manifest, task, failure)
                    write_manifest(folder, manifest)
            return sum(count.stored for count in store.counts().values())


def _kept_results(folder: Path) -> dict[str, Any]:
    """What an earlier merge noted of its results, which are there until this one is scored."""
    try:
        manifest = read_manifest(folder)
    except StoreError:  # the shards say all that it says
        return {}
    return {"results": manifest["results"]} if "results" in manifest else {}


def _over_budget(
    store: PredictionStore, parts: Sequence[PredictionStore], manifest: Mapping[str, Any], task: str, split: str
) -> str:
    """Why the split has too many failed examples, when some of them were found by merging; else ""."""
    stop = manifest["tasks"][task]["stops"].get(split)
    count, budget = store.count(task, split, stop), recorded_config(manifest).max_errors
    allowed = budget.allowed(count.stored)
    if count.errors == sum(part.count(task, split, stop).errors for part in parts) or allowed is None:
        return ""
    if count.errors <= allowed:
        return ""
    shown = "; ".join(f"{key.split}/{key.id}: {error}" for key, error in store.errors(task, _SHOWN))
    return (
        f"{count.errors} of {count.stored} examples of split {split} failed, more than --max-errors {budget} allows "
        f"({shown})"
    )


def _mark_failed(manifest: dict[str, Any], task: str, failure: str) -> None:
    entry, session = manifest["tasks"][task], manifest["sessions"][-1]
    if entry["state"] == "done":
        entry.update(state="failed", failure=failure)
        session["failures"] = {**session.get("failures", {}), task: failure}
        session["status"] = "failed"


def _copy(store: PredictionStore, parts: Sequence[PredictionStore], task: str, split: str) -> None:
    """In the order of the data, so that of two examples with one id the first one keeps it, as in a single process."""
    done = store.done(task, split)
    streams = [part.read(task, split) for part in parts]
    ordered: Iterator[Prediction] = heapq.merge(*streams, key=lambda prediction: prediction.position)
    missing = (item for item in ordered if item.position >= len(done) or not done[item.position])
    while batch := list(islice(missing, _BATCH)):
        store.add(batch)


def shard_folders(folder: Path) -> list[Path]:
    """The folders of all shards, in order. Raises StoreError when they are not complete."""
    found = shares_in(folder)
    if not found:
        raise StoreError(f"{folder}: holds no shards; make them with: evalsuite run --shard 0/N --out {folder}")
    if len(found) > 1:
        counts = ", ".join(str(shares.count) for shares in found)
        raise StoreError(f"{folder}: holds shards of runs in {counts} parts; move all but one kind away")
    (shares,) = found
    if shares.missing:
        numbers = ", ".join(map(str, shares.missing))
        raise StoreError(
            f"{folder}: shard {numbers} of {shares.count} is missing: it was never begun. Give the same command with "
            f"--shard {shares.missing[0]}/{shares.count}; or, when a launcher's variables cut the run and nobody "
            "answers the rest, give it with --shard none and another --out for a whole run"
        )
    busy = [path.name for path in shares.folders.values() if is_locked(path)]
    if busy:
        raise StoreError(f"{folder}: {', '.join(sorted(busy))} still runs")
    return [shares.folders[number] for number in range(shares.count)]


def _check_same(shards: Sequence[Path], manifests: Sequence[Mapping[str, Any]]) -> None:
    """Raises StoreError that names what differs between a shard and the first one."""
    first = manifests[0]
    for shard, manifest in zip(shards, manifests, strict=True):
        differing = [name for name in first["run"] if manifest["run"].get(name) != first["run"][name]]
        tasks = {*first["tasks"], *manifest["tasks"]}
        differing += [f"task {name}" for name in sorted(tasks) if _kept(first, name) != _kept(manifest, name)]
        models = {*first["models"]} & {*manifest["models"]}  # a shard that had nothing to do loaded none
        differing += [f"model {name}" for name in sorted(models) if _facts(first, name) != _facts(manifest, name)]
        if differing:
            raise StoreError(f"{shard}: is not of the same run as {shards[0].name}: {', '.join(differing)} differ")


def _kept(manifest: Mapping[str, Any], task: str) -> Any:
    entry = manifest["tasks"].get(task)
    return entry and {name: entry[name] for name in ("model", "identity", "inference_digest", "data", "stops")}


def _facts(manifest: Mapping[str, Any], model: str) -> Mapping[str, Any]:
    """What must agree: versions of packages may differ between machines, and are noted with each session."""
    return {name: value for name, value in manifest["models"][model].items() if name != "versions"}


def _merged(folder: Path, manifests: Sequence[Mapping[str, Any]], command: Sequence[str]) -> dict[str, Any]:
    """The manifest of the whole run: a task is done when it is done in every shard."""
    merged: dict[str, Any] = copy.deepcopy(dict(manifests[0]))
    merged["name"] = folder.absolute().name
    for name, entry in merged["tasks"].items():
        states = [manifest["tasks"][name] for manifest in manifests]
        worst = next((state for state in states if state["state"] != "done"), states[0])
        entry.update(state=worst["state"], failure=worst["failure"])
    for manifest in manifests:
        merged["models"] = {**manifest["models"], **merged["models"]}
    sessions = [session for manifest in manifests for session in manifest["sessions"]]
    failures = {name: text for manifest in manifests for name, text in _last(manifest).get("failures", {}).items()}
    statuses = {_last(manifest).get("status") for manifest in manifests}
    last = {**sessions[-1], "failures": failures, "status": statuses.pop() if len(statuses) == 1 else "interrupted"}
    if command:
        last["command"] = redacted_command(command)
    merged["sessions"] = [*sessions[:-1], last]
    return merged


def _last(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    session: Mapping[str, Any] = manifest["sessions"][-1] if manifest["sessions"] else {}
    return session
