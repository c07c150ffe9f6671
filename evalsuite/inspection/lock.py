"""Lock files: which revision or which files a task was read from, how many examples that gave, and what was in them.

    {"lock_version": 1, "tasks": {"docvqa": {"data": "hub", "spec_version": 1, "splits": {"validation":
        {"source": {"id": …, "config": …, "split": …, "revision": …}, "examples": 5349, "unusable": 0, "content": …}}}}}

``source`` is what the source says of itself (a commit, or names and digests of files): equal means equal records.
``content`` is a sha256 over id, prompt and references of all examples in order; images are not read for it. The file
carries a digest of its own.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from evalsuite.asking.requests import RequestBuilder
from evalsuite.data import BadExample, TaskData, open_task_data
from evalsuite.errors import UNREADABLE, DataError, ExampleError
from evalsuite.files.sealed import NO_DIGEST, read_sealed, write_sealed
from evalsuite.specs.schema import TaskSpec
from evalsuite.types import Example, JsonValue

LOCK_VERSION = 1
LOCK_FILE = "evalsuite.lock.json"
LOCKED_KINDS = ("hub", "files")


@dataclass(frozen=True, slots=True)
class LockedSplit:
    """One split as it was read. unusable: examples among them whose record could not be mapped."""

    source: Mapping[str, JsonValue]
    examples: int
    unusable: int
    content: str


@dataclass(frozen=True, slots=True)
class LockedTask:
    """data: ``hub`` or ``files``. spec_version: of the spec by which the examples were made."""

    data: str
    spec_version: int
    splits: Mapping[str, LockedSplit]


@dataclass(frozen=True)
class Lock:
    """What a lock file holds: task id -> what was locked."""

    tasks: Mapping[str, LockedTask] = field(default_factory=dict)


def read_lock(path: Path) -> Lock:
    """Raises DataError when there is no such file, it is not a lock file of this version, or was changed."""
    try:
        sealed = read_sealed(path)
    except FileNotFoundError:
        raise DataError(
            f"{path}: there is no such lock file; write it with: evalsuite data lock --out {path}"
        ) from None
    except UNREADABLE as error:
        raise DataError(f"{path}: cannot be read as a lock file ({error})") from error
    content = sealed.document
    if not isinstance(content, dict) or content.get("lock_version") != LOCK_VERSION:
        raise DataError(f"{path}: not a lock file of version {LOCK_VERSION}; write it anew with: evalsuite data lock")
    try:
        lock = Lock({task: _locked_task(entry) for task, entry in content["tasks"].items()})
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: an entry is damaged ({error!r}); write it anew with: evalsuite data lock") from error
    again = f"evalsuite data lock --out {path}"
    sealed.check(
        f"restore it from a copy, or move it away and lock the data that are there: {again}",
        DataError,
        old=f"{path}: {NO_DIGEST}. It gets one when a task is locked anew: {again}",
    )
    return lock


def _locked_task(entry: Mapping[str, Any]) -> LockedTask:
    splits = {name: LockedSplit(**split) for name, split in entry["splits"].items()}
    if not splits:
        raise KeyError("splits")
    if entry["data"] == "hub":
        _ = [split.source["revision"] for split in splits.values()]  # a lock without it pins nothing
    return LockedTask(entry["data"], int(entry["spec_version"]), splits)


def write_lock(path: Path, lock: Lock) -> None:
    """Replace the file, tasks in order of their ids. Raises StoreError when it cannot be written."""
    tasks = {task: asdict(lock.tasks[task]) for task in sorted(lock.tasks)}
    write_sealed(path, {"lock_version": LOCK_VERSION, "tasks": tasks})


def lock_task(
    spec: TaskSpec, kind: str, *, data_dir: Path | None = None, splits: Sequence[str] | None = None
) -> LockedTask:
    """Read a task to its end. Memory does not grow with the data, and no image is read or transferred.

    kind: ``hub`` or ``files``. splits: the reported ones of the spec when None.
    Raises DataError when the data cannot be read or a split holds no examples, UnknownName for an unknown split.
    """
    data = open_task_data(without_media(spec), kind, data_dir=data_dir)
    sources = data.fingerprint(splits)["splits"]
    return LockedTask(kind, spec.version, {split: _lock_split(data, split, sources[split]) for split in sources})


def _lock_split(data: TaskData, split: str, source: Mapping[str, JsonValue]) -> LockedSplit:
    prompts, digest = RequestBuilder(data.spec), hashlib.sha256()
    examples = unusable = 0
    for example in data.examples(split):
        digest.update(_line(example, prompts))
        examples += 1
        unusable += isinstance(example, BadExample)
    if not examples:
        raise DataError(f"{data.spec.id}: split {split!r} holds no examples")
    # As JSON gives it back, so that what was read now and what is in a file compare equal.
    return LockedSplit(json.loads(json.dumps(source)), examples, unusable, digest.hexdigest())


def _line(example: Example | BadExample, prompts: RequestBuilder) -> bytes:
    prompt = None
    if isinstance(example, Example):
        try:
            prompt = prompts.prompt(example)
        except ExampleError:
            prompt = None
    parts = [example.key.id, prompt, example.references]
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=_as_json)
    return text.encode("ascii") + b"\n"


def _as_json(value: Any) -> JsonValue:
    """Run lengths of masks may be bytes; anything else that JSON lacks is taken as it prints."""
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def without_media(spec: TaskSpec) -> TaskSpec:
    """The spec without images and clips, so that their columns are read only where the references need them."""
    fields = spec.fields.model_copy(update={"images": [], "video": None, "outline": None})
    sources = {}
    for kind in LOCKED_KINDS:
        source = getattr(spec.data, kind)
        if source is not None and source.fields is not None:
            overrides = source.fields.model_copy(update={"images": None, "video": None, "outline": None})
            sources[kind] = source.model_copy(update={"fields": overrides})
    return spec.model_copy(update={"fields": fields, "data": spec.data.model_copy(update=sources)})


def with_locked_revisions(spec: TaskSpec, lock: Lock) -> TaskSpec:
    """The spec with the lock's commits where it pins none itself, second tables of other data sets included.

    A spec that the lock does not hold, or holds as local files, stays as it is.
    """
    locked, hub = lock.tasks.get(spec.id), spec.data.hub
    if locked is None or locked.data != "hub" or hub is None:
        return spec
    source = next(iter(locked.splits.values())).source
    tables = source.get("lookups", {})
    lookups = [
        lookup.model_copy(update={"revision": tables[lookup.name]["revision"]})
        if lookup.id and lookup.revision is None and lookup.name in tables
        else lookup
        for lookup in hub.lookups
    ]
    pinned = hub.model_copy(update={"revision": hub.revision or source["revision"], "lookups": lookups})
    return spec.model_copy(update={"data": spec.data.model_copy(update={"hub": pinned})})


def check_source(lock: Lock, data: TaskData, splits: Sequence[str]) -> None:
    """Refuse data whose source is not the locked one. Compares commits or digests of files; reads no examples.

    Raises DataError that says what differs and how to lock the data that is there.
    """
    task = data.spec.id
    again = f"To accept the data that is there: evalsuite data lock {task} --data {data.kind}"
    locked = lock.tasks.get(task)
    if locked is None:
        raise DataError(f"{task}: not in the lock file. {again}")
    if locked.data != data.kind:
        raise DataError(f"{task}: the lock file holds its {locked.data} data, not its {data.kind} data. {again}")
    for split in splits:
        if split not in locked.splits:
            raise DataError(f"{task}: the lock file does not hold split {split!r}. {again} --splits {','.join(splits)}")
        found = json.loads(json.dumps(data.fingerprint([split])["splits"][split]))
        changes = list(_changed(locked.splits[split].source, found))
        if changes:
            raise DataError(f"{task}, split {split!r}: not the data of the lock file: {'; '.join(changes)}. {again}")


def differences(before: LockedTask, now: LockedTask) -> list[str]:
    """What differs between what was locked and what is there, a sentence for each; empty when nothing does."""
    if before.data != now.data:
        return [f"was locked from {before.data} data, now read from {now.data} data"]
    return [
        f"split {split}: {change}"
        for split, locked in before.splits.items()
        for change in _split_differences(locked, now.splits[split], before.spec_version, now.spec_version)
    ]


def _split_differences(before: LockedSplit, now: LockedSplit, version: int, version_now: int) -> Iterator[str]:
    sources = list(_changed(before.source, now.source))
    yield from sources
    if before.examples != now.examples:
        yield f"{before.examples:,} examples were locked, now there are {now.examples:,}"
    if before.unusable != now.unusable:
        yield f"{before.unusable:,} unusable examples were locked, now there are {now.unusable:,}"
    if before.content != now.content and sources:
        yield "ids, prompts or references differ"
    elif before.content != now.content:
        versions = f" (version {version} then, {version_now} now)" if version != version_now else ""
        yield f"the source is the same, but the spec{versions} makes other ids, prompts or references of it"


def _changed(before: Any, now: Any, place: str = "") -> Iterator[str]:
    """The parts of two descriptions of a source that differ, such as ``revision was "a", now "b"``."""
    if isinstance(before, dict) and isinstance(now, dict):
        for name in sorted(before.keys() | now.keys()):
            yield from _changed(before.get(name), now.get(name), f"{place}.{name}" if place else name)
    elif _are_files(before) and _are_files(now):
        old, new = ({file["name"]: file for file in files} for files in (before, now))
        for name in sorted(old.keys() | new.keys()):
            if name not in new or name not in old:
                yield f"file {name} was {'removed' if name not in new else 'added'}"
            elif old[name] != new[name]:
                yield f"file {name} changed"
    elif before != now:
        yield f"{place} was {json.dumps(before)}, now {json.dumps(now)}"


def _are_files(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) and "name" in item for item in value)
