"""All task specs that can be run: those that ship, those of installed packages, those of ``--specs``."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.errors import SpecError, UnknownName, UsageError
from evalsuite.files.yaml_reader import Document, read_yaml, shown
from evalsuite.specs.groups import GroupSpec, unknown_members
from evalsuite.specs.loader import checked_spec, is_group, lines, parse_group
from evalsuite.specs.schema import TaskSpec

ENTRY_POINTS = "evalsuite.tasks"
"""A package adds tasks with an entry point of this group: a path (text or Path) to a YAML file or to a folder of
them, or a function without arguments that returns such a path."""


@dataclass(frozen=True, slots=True)
class RegisteredTask:
    """A spec and where it comes from. ``origin``: ``shipped``, ``--specs``, or the name of a package."""

    spec: TaskSpec
    path: Path
    origin: str


class TaskRegistry:
    """Looks tasks up by id and by selection, and averages over them (groups) by id.

    An id stands for one file only: a second one is refused, not preferred.

    folders: more YAML files or folders of them (``--specs``), searched below.
    shipped, plugins: whether the suite's own tasks and those of installed packages belong to it.
    Raises SpecError with the mistakes of all files together.
    """

    def __init__(
        self, folders: Sequence[str | os.PathLike[str]] = (), *, shipped: bool = True, plugins: bool = True
    ) -> None:
        self._tasks: dict[str, RegisteredTask] = {}
        self._groups: dict[str, GroupSpec] = {}
        self._places: dict[str, Path] = {}
        problems: list[str] = []
        groups: list[Document] = []
        for path, origin in _files(folders, shipped, plugins, problems):
            try:
                document = read_yaml(path)
                if is_group(document):
                    groups.append(document)
                    continue
                # Shipped specs have passed the name check in the tests; skipping it keeps the start light.
                spec = checked_spec(document, check_names=origin != "shipped")
            except SpecError as error:
                problems.extend(error.problems)
                continue
            if self._is_new(spec.id, path, problems):
                self._tasks[spec.id] = RegisteredTask(spec, path, origin)
        if not problems:  # a member may be missing only because its file is wrong
            for document in groups:
                self._add_group(document, problems)
        if problems:
            raise SpecError(problems)

    def _is_new(self, id: str, path: Path, problems: list[str]) -> bool:
        """Whether the id is free; the same file named twice is neither new nor a problem."""
        first = self._places.setdefault(id, path)
        if first is not path and not path.samefile(first):
            problems.append(f"{shown(path)}: task id {id!r} is taken by {shown(first)}; choose another id")
        return first is path

    def _add_group(self, document: Document, problems: list[str]) -> None:
        try:
            group = parse_group(document)
        except SpecError as error:
            problems.extend(error.problems)
            return
        found = unknown_members(group, {id: task.spec for id, task in self._tasks.items()})
        problems.extend(lines(document, found))
        if self._is_new(group.id, document.path, problems):
            self._groups[group.id] = group

    def get(self, id: str) -> TaskSpec:
        """The spec called ``id``. Raises UnknownName."""
        return self.entry(id).spec

    def entry(self, id: str) -> RegisteredTask:
        """The spec called ``id`` with its file and origin. Raises UnknownName."""
        if id not in self._tasks:
            raise UnknownName("task", id, self._tasks)
        return self._tasks[id]

    def ids(self) -> list[str]:
        """All ids, ordered by family, then id."""
        return sorted(self._tasks, key=lambda id: (self._tasks[id].spec.family, id))

    def groups(self) -> list[GroupSpec]:
        """All averages, ordered by family, then id."""
        return sorted(self._groups.values(), key=lambda group: (group.family, group.id))

    def families(self) -> list[str]:
        return sorted({task.spec.family for task in self._tasks.values()})

    def select(self, selection: str | Iterable[str]) -> list[TaskSpec]:
        """Specs in the order they are named, each once.

        selection: ids, ``family:NAME`` and ``all``, separated by commas; the id of a group stands for its tasks. A
            leading ``-`` takes tasks out again, as in ``all,-pubtabnet``.
        Raises UnknownName, and UsageError when nothing is left.
        """
        text = selection if isinstance(selection, str) else ",".join(selection)
        words = [word.strip() for word in text.split(",") if word.strip()]
        chosen = [id for word in words if not word.startswith("-") for id in self._named(word)]
        dropped = {id for word in words if word.startswith("-") for id in self._named(word[1:].strip())}
        ids = [id for id in dict.fromkeys(chosen) if id not in dropped]
        if not ids:
            raise UsageError(f"no task is selected by {','.join(words)!r}: name ids, family:NAME or all")
        return [self._tasks[id].spec for id in ids]

    def _named(self, word: str) -> list[str]:
        if word == "all":
            return self.ids()
        if word.startswith("family:"):
            ids = [id for id in self.ids() if self._tasks[id].spec.family == word.removeprefix("family:")]
            if ids:
                return ids
        elif word in self._tasks:
            return [word]
        elif word in self._groups:
            return list(dict.fromkeys(member.task for member in self._groups[word].members))
        raise UnknownName(
            "task", word, [*self._tasks, *self._groups, *(f"family:{name}" for name in self.families()), "all"]
        )


def shipped_folder() -> Path:
    """Where the suite's own specs lie."""
    from importlib.resources import files

    return Path(str(files("evalsuite.task_specs")))


def _files(
    folders: Sequence[str | os.PathLike[str]], shipped: bool, plugins: bool, problems: list[str]
) -> Iterator[tuple[Path, str]]:
    if shipped:
        for path in _yaml_files(shipped_folder()):
            yield path, "shipped"
    if plugins:
        for entry in importlib.metadata.entry_points(group=ENTRY_POINTS):
            package = entry.dist.name if entry.dist else "unknown"
            for path in _plugin_files(entry, package, problems):
                yield path, package
    for folder in folders:
        place = Path(folder)
        paths = _yaml_files(place)
        if not paths:
            reason = "no *.yaml file in this folder" if place.is_dir() else "no such file or folder"
            problems.append(f"--specs {place}: {reason}")
        for path in paths:
            yield path, "--specs"


def _plugin_files(entry: importlib.metadata.EntryPoint, package: str, problems: list[str]) -> list[Path]:
    """Files of one entry point. Whatever goes wrong in another package becomes a message that names it."""
    where = f"package {package!r}, entry point {entry.name!r} of group {ENTRY_POINTS}"
    try:
        target: Any = entry.load()
        if callable(target):
            target = target()
    except Exception as error:
        problems.append(f"{where}: {type(error).__name__}: {error}. Update or uninstall the package")
        return []
    if not isinstance(target, str | os.PathLike):
        problems.append(f"{where}: must give the path of a YAML file or folder, not {type(target).__name__}")
        return []
    paths = _yaml_files(Path(target))
    if not paths:
        problems.append(f"{where}: no *.yaml file at {target}")
    return paths


def _yaml_files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    return sorted(path for ending in ("*.yaml", "*.yml") for path in place.rglob(ending) if path.is_file())
