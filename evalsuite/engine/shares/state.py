"""The shares of a run that lie in its folder: which there are, how far each is, and what is left before a merge."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from evalsuite.errors import StoreError
from evalsuite.runs.folder import MANIFEST
from evalsuite.runs.lock import is_locked
from evalsuite.runs.manifest import read_manifest
from evalsuite.settings.shards import Shard

_FOLDER = re.compile(r"shard-(\d+)-of-(\d+)")
DONE, RUNNING, UNFINISHED = "done", "running", "unfinished"


@dataclass(frozen=True)
class Shares:
    """The shares of a run that was cut into ``count``: number -> folder of each that was begun."""

    count: int
    folders: dict[int, Path]

    @property
    def missing(self) -> list[int]:
        """Numbers of those that were never begun."""
        return [number for number in range(self.count) if number not in self.folders]

    def state(self, number: int) -> str:
        """DONE, RUNNING or UNFINISHED."""
        folder = self.folders[number]
        if is_locked(folder):
            return RUNNING
        try:
            tasks = read_manifest(folder)["tasks"].values()
        except StoreError:
            return UNFINISHED
        return DONE if all(entry.get("state") == "done" for entry in tasks) else UNFINISHED

    def waits_for(self, without: int | None = None) -> str:
        """What is to come before a merge, in a clause, leaving one share out: ``shares 1 and 2 were never begun``."""
        others = [number for number in self.folders if number != without]
        states = {number: self.state(number) for number in others}
        parts = [
            _clause([number for number in self.missing if number != without], "never begun"),
            _clause([number for number in others if states[number] == UNFINISHED], "not finished"),
            _clause([number for number in others if states[number] == RUNNING], "still running"),
        ]
        return "; ".join(part for part in parts if part)


def _clause(numbers: Iterable[int], how: str) -> str:
    names = [str(number) for number in sorted(numbers)]
    if not names:
        return ""
    verb = ("is" if how == "still running" else "was") if len(names) == 1 else ("are" if "run" in how else "were")
    return f"share{'' if len(names) == 1 else 's'} {_and(names)} {verb} {how}"


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def shares_in(folder: Path) -> list[Shares]:
    """The shares below a run folder, by the number of parts that the run was cut into."""
    found: dict[int, dict[int, Path]] = {}
    for path in sorted(folder.glob("shard-*-of-*")):
        if (match := _FOLDER.fullmatch(path.name)) and path.is_dir():
            found.setdefault(int(match[2]), {})[int(match[1])] = path
    return [Shares(count, folders) for count, folders in sorted(found.items())]


def share_note(shard: Shard | None, folder: Path) -> str:
    """What a user must know at the start, of the share that is taken and of others in the folder; "" where nothing.

    folder: of the whole run.
    """
    if shard is not None:
        reason = f"because {shard.said_by}" if shard.said_by else "as --shard asks"
        return (
            f"this process answers share {shard.number} of {shard.count} alone, {reason}. The others are for other "
            f"processes, and `evalsuite merge {folder}` gives the results; --shard none takes the whole run"
        )
    begun = shares_in(folder)
    if not begun or (folder / MANIFEST).exists():  # the latter: merged, or run as a whole before
        return ""
    waiting = begun[0].waits_for()
    return (
        f"{folder} holds shares of this run ({len(begun[0].folders)} of {begun[0].count}), which a whole run does not "
        f"use: `evalsuite merge {folder}` puts them together{f' when they are complete: {waiting}' if waiting else ''}"
    )


def merge_note(shard: Shard, folder: Path) -> str:
    """What a user must know at the end of a share. folder: of the whole run."""
    shares = next((shares for shares in shares_in(folder) if shares.count == shard.count), None)
    waiting = shares.waits_for(without=shard.number) if shares else ""
    due = f"before that: {waiting}" if waiting else "all shares are there"
    return f"share {shard} is answered, without results of its own: evalsuite merge {folder} gives them ({due})"
