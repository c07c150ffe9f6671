"""Group specs: averages that papers print over several tasks or splits, such as one over languages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from evalsuite.errors import did_you_mean
from evalsuite.files.places import Problem
from evalsuite.specs.parts import Identifier, Model, SplitName, Text
from evalsuite.specs.schema import TaskSpec


class Member(Model):
    """Splits of one task that count, each by its headline value."""

    task: Identifier = Field(description="id of a task")
    splits: list[SplitName] = Field(min_length=1, description="splits of that task, each with the same weight")


class GroupRow(Model):
    """A row of a published table that this average reproduces."""

    name: Text = Field(description="label of the row, as printed")
    reference: Identifier = Field(default="paligemma2_table13", description="published table that holds the row")


class GroupSpec(Model):
    """An average: the unweighted mean of the headline values of its members' splits."""

    kind: Literal["group"]
    id: Identifier = Field(description="name on the command line, where it selects its tasks, and in reports")
    version: int = Field(ge=1, description="raise it when a value could change")
    title: Text
    family: Identifier = Field(description="group of tasks it belongs to")
    description: Text = Field(description="what is averaged, in a sentence")
    rows: list[GroupRow] = Field(default_factory=list, description="rows of published tables")
    members: list[Member] = Field(min_length=1)
    deviations: list[Text] = Field(default_factory=list, description="known differences from the published average")

    def parts(self) -> list[tuple[str, str]]:
        """(task, split) of every value that is averaged, in order."""
        return [(member.task, split) for member in self.members for split in member.splits]

    def paper_name(self) -> str:
        """Labels of the published rows, or the title where there are none."""
        return ", ".join(row.name for row in self.rows) or self.title


def unknown_members(group: GroupSpec, tasks: Mapping[str, TaskSpec]) -> list[Problem]:
    """Tasks and splits that do not exist, a split that is named twice, and headline metrics that differ."""
    problems: list[Problem] = []
    seen: set[tuple[str, str]] = set()
    metrics = set()
    for i, member in enumerate(group.members):
        if member.task not in tasks:
            hint = did_you_mean(member.task, tasks)
            problems.append((("members", i, "task"), f"unknown task {member.task!r}. {hint}"))
            continue
        metrics.add(tasks[member.task].headline().name)
        names = [split.name for split in tasks[member.task].splits]
        for j, split in enumerate(member.splits):
            place = ("members", i, "splits", j)
            if split not in names:
                problems.append((place, f"unknown split {split!r} of {member.task}. {did_you_mean(split, names)}"))
            if (member.task, split) in seen:
                problems.append((place, f"split {split!r} of {member.task} is named twice"))
            seen.add((member.task, split))
    if len(metrics) > 1:
        named = ", ".join(sorted(metrics))
        problems.append((("members",), f"headline values of different metrics cannot be averaged: {named}"))
    return problems
