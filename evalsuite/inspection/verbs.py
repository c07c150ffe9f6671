"""Looking at data from Python, as ``evalsuite data`` does: check, lock, preview. Part of :mod:`evalsuite.api`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from evalsuite.errors import UnknownName
from evalsuite.specs import TaskRegistry

if TYPE_CHECKING:
    from evalsuite.inspection.checking import DataCheck
    from evalsuite.inspection.lock import LockedTask
    from evalsuite.inspection.locking import Locking
    from evalsuite.specs import TaskSpec


def check_data(
    tasks: str,
    *,
    data: str = "synthetic",
    data_dir: Path | str | None = None,
    data_seed: int = 0,
    splits: Sequence[str] | None = None,
    limit: int | None = None,
    html: Path | str | None = None,
    specs: Sequence[Path | str] = (),
) -> list[DataCheck]:
    """Compare the data of tasks with their specs before a run: ``evalsuite data check``.

    html: write a page with the images too. limit: read at most so many examples of each split.
    """
    from evalsuite.inspection.checking import check_data as check
    from evalsuite.inspection.page import check_page, write_page

    folder = Path(data_dir) if data_dir is not None else None
    chosen = [(spec, _splits_of(spec, splits)) for spec in _registry(specs).select(tasks)]
    found = [
        check(spec, data, data_dir=folder, seed=data_seed, splits=names, limit=limit, pictures=html is not None)
        for spec, names in chosen
    ]
    if html is not None:
        write_page(Path(html), check_page(found))
    return found


def lock_data(
    tasks: str = "all",
    *,
    data: str = "hub",
    data_dir: Path | str | None = None,
    splits: Sequence[str] | None = None,
    out: Path | str = "evalsuite.lock.json",
    specs: Sequence[Path | str] = (),
    observe: Callable[[str, LockedTask], None] | None = None,
) -> Locking:
    """Pin the data of tasks in a lock file, beside the tasks that it holds already: ``evalsuite data lock``."""
    from evalsuite.inspection.lock import Lock, read_lock, write_lock
    from evalsuite.inspection.locking import lock_tasks, lockable

    path, folder = Path(out), Path(data_dir) if data_dir is not None else None
    before = read_lock(path) if path.exists() else Lock()
    named = {word.strip() for word in tasks.split(",")}
    chosen = lockable(_registry(specs).select(tasks), data, folder, named)
    done = lock_tasks(chosen, data, data_dir=folder, splits=splits, observe=observe)
    if done.tasks:
        write_lock(path, done.over(before))
    return done


def check_lock(
    tasks: str | None = None,
    *,
    lock: Path | str = "evalsuite.lock.json",
    data_dir: Path | str | None = None,
    specs: Sequence[Path | str] = (),
    observe: Callable[[str, LockedTask], None] | None = None,
) -> Locking:
    """Read locked tasks (None: all of them) again and say what differs: ``evalsuite data lock --check``."""
    from evalsuite.inspection.lock import read_lock
    from evalsuite.inspection.locking import compare_with_lock

    folder = Path(data_dir) if data_dir is not None else None
    return compare_with_lock(read_lock(Path(lock)), _registry(specs), tasks, data_dir=folder, observe=observe)


def preview_data(
    task: str,
    *,
    data: str = "synthetic",
    data_dir: Path | str | None = None,
    data_seed: int = 0,
    count: int = 24,
    split: str | None = None,
    out: Path | str | None = None,
    specs: Sequence[Path | str] = (),
) -> Path:
    """Write an HTML page with the first examples of a task: ``evalsuite data preview``. Returns its path."""
    from evalsuite.inspection.page import preview_page, write_page

    path = Path(out) if out is not None else Path(f"{task}-{data}.html")
    folder = Path(data_dir) if data_dir is not None else None
    spec = _registry(specs).get(task)
    write_page(path, preview_page(spec, data, data_dir=folder, seed=data_seed, split=split, count=count))
    return path


def _splits_of(spec: TaskSpec, names: Sequence[str] | None) -> list[str] | None:
    """Those of the names that are splits of the task; None for the reported ones. Raises UnknownName without any."""
    if names is None:
        return None
    known = [split.name for split in spec.splits]
    if not set(names) & set(known):
        raise UnknownName("split", names[0], known, spec.id)
    return [name for name in known if name in names]


def _registry(specs: Sequence[Path | str]) -> TaskRegistry:
    return TaskRegistry(tuple(Path(folder) for folder in specs))
