"""A checked run, as data: which examples of which split are left, on which model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalsuite.backends.base import Facts
from evalsuite.data import TaskData
from evalsuite.settings.run import RunConfig
from evalsuite.specs.schema import TaskSpec


@dataclass(frozen=True, slots=True)
class SplitPlan:
    """One split of one task.

    total: examples to answer (None: known at the end), all of them or those of a shard. end: positions below which
    they lie, where known. stop: the position at which a limit ends it. stored: answers among them that are there
    already; errors: error rows among them, which are tried again. identity: what decides the answers of this split
    alone (a file of predictions).
    """

    name: str
    total: int | None
    stop: int | None
    stored: int
    errors: int
    end: int | None = None
    identity: Facts = field(default_factory=dict)

    @property
    def left(self) -> int | None:
        return None if self.total is None else max(0, self.total - self.stored)


@dataclass(frozen=True, slots=True)
class TaskPlan:
    """One task. fingerprint: of its data. identity: which model answers, by its files."""

    spec: TaskSpec
    data: TaskData
    model: str | None
    fingerprint: Mapping[str, Any]
    splits: tuple[SplitPlan, ...]
    identity: Facts = field(default_factory=dict)

    @property
    def work(self) -> int | None:
        """New tokens at most, summed over the examples that are left."""
        left = [split.left for split in self.splits]
        if any(count is None for count in left):
            return None
        return sum(count or 0 for count in left) * self.spec.decoding.max_new_tokens


@dataclass(frozen=True)
class Plan:
    """A checked run: tasks grouped by the checkpoint they share, in the order in which they run.

    whole_folder: of the run. folder: the same, or that of the shard inside of it.
    """

    config: RunConfig
    whole_folder: Path
    folder: Path
    tasks: tuple[TaskPlan, ...]
    warnings: tuple[str, ...] = field(default=())

    def by_model(self) -> dict[str | None, list[TaskPlan]]:
        groups: dict[str | None, list[TaskPlan]] = {}
        for task in self.tasks:
            groups.setdefault(task.model, []).append(task)
        return groups
