"""Locking many tasks, and comparing them with a lock file. One that cannot be read does not cost the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.data import has_kind
from evalsuite.errors import EvalsuiteError, UnknownName, UsageError
from evalsuite.inspection.lock import LOCKED_KINDS, Lock, LockedTask, differences, lock_task

if TYPE_CHECKING:
    from evalsuite.specs import TaskRegistry
    from evalsuite.specs.schema import TaskSpec

Observer = Callable[[str, LockedTask], None]
"""Called with a task's id and what was read of it."""


@dataclass
class Locking:
    """What came of locking or comparing.

    tasks: what was read. failures: task -> why it could not be read. differences: task -> what is not as it was locked.
    """

    tasks: dict[str, LockedTask] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    differences: dict[str, list[str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return not self.failures and not self.differences

    def over(self, before: Lock) -> Lock:
        """The lock with these tasks in the place of what it held of them; others stay."""
        return Lock({**before.tasks, **self.tasks})


def lock_tasks(
    specs: Iterable[TaskSpec],
    kind: str,
    *,
    data_dir: Path | None = None,
    splits: Sequence[str] | None = None,
    observe: Observer | None = None,
) -> Locking:
    """Read these tasks to their ends. splits: the reported ones when None.

    Raises UsageError when none of them has one of the splits.
    """
    done = Locking()
    for spec in specs:
        names = None if splits is None else [split.name for split in spec.splits if split.name in splits]
        if names == []:
            continue
        _read(done, spec, kind, data_dir, names, observe)
    if not done.tasks and not done.failures:
        raise UsageError(f"no task has a split named {' or '.join(splits or ())}")
    return done


def compare_with_lock(
    lock: Lock,
    registry: TaskRegistry,
    selection: str | None = None,
    *,
    data_dir: Path | None = None,
    observe: Observer | None = None,
) -> Locking:
    """Read the locked splits again, from the kind of data they were locked from, and say what differs.

    A spec without a pinned revision is read at the newest one. selection: None for all tasks of the lock.
    """
    done = Locking()
    ids = list(lock.tasks) if selection is None else [spec.id for spec in registry.select(selection)]
    for task in ids:
        before = lock.tasks.get(task)
        if before is None:
            done.failures[task] = "not in the lock file"
            continue
        try:
            spec = registry.get(task)
        except UnknownName as error:
            done.failures[task] = str(error)
            continue
        _read(done, spec, before.data, data_dir, list(before.splits), observe)
        if task in done.tasks and (found := differences(before, done.tasks[task])):
            done.differences[task] = found
    return done


def _read(
    done: Locking,
    spec: TaskSpec,
    kind: str,
    data_dir: Path | None,
    splits: Sequence[str] | None,
    observe: Observer | None,
) -> None:
    try:
        done.tasks[spec.id] = lock_task(spec, kind, data_dir=data_dir, splits=splits)
    except EvalsuiteError as error:
        done.failures[spec.id] = str(error).removeprefix(f"{spec.id}: ")
        return
    if observe is not None:
        observe(spec.id, done.tasks[spec.id])


def lockable(specs: Sequence[TaskSpec], kind: str, data_dir: Path | None, named: Iterable[str]) -> list[TaskSpec]:
    """Of all tasks, those that have this kind of data; for files, those with a folder. Those ``named`` by id stay.

    Raises UsageError when none is left and for synthetic data, which follow from their seed; UnknownName.
    """
    if kind == "synthetic":
        raise UsageError("--data synthetic needs no lock: these data follow from their seed. Use hub or files")
    if kind not in LOCKED_KINDS:
        raise UnknownName("data source", kind, LOCKED_KINDS, "--data")
    kept = [spec for spec in specs if spec.id in named or _is_there(spec, kind, data_dir)]
    if not kept:
        where = f" below {data_dir}" if kind == "files" else ""
        raise UsageError(f"none of these tasks has {kind} data{where}; name tasks by their ids")
    return kept


def _is_there(spec: TaskSpec, kind: str, data_dir: Path | None) -> bool:
    if kind == "files":
        return data_dir is not None and (data_dir / spec.id).is_dir()
    return has_kind(spec, kind)


def described(locked: Mapping[str, LockedTask]) -> list[list[str]]:
    """A line for each split: task, split, examples, source, fingerprint of the content."""
    return [
        [task, name, f"{split.examples:,}", _source(split.source), split.content[:16]]
        for task, entry in locked.items()
        for name, split in entry.splits.items()
    ]


def _source(source: Mapping[str, object]) -> str:
    if "revision" in source:
        return f"{source['id']} at {str(source['revision'])[:12]}"
    files = source.get("files")
    if isinstance(files, list):
        return ", ".join(str(file["name"]) for file in files[:3]) + (", …" if len(files) > 3 else "")
    return f"{files['count']} files" if isinstance(files, dict) else ""
