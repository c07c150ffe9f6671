"""The file that describes a study. ``docs/studies.md`` explains every field with an example."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from evalsuite.errors import SpecError, UsageError, did_you_mean
from evalsuite.files.places import Problem, dotted
from evalsuite.files.yaml_reader import read_yaml
from evalsuite.settings.file import read_settings
from evalsuite.settings.giving import ALL, Given, run_config
from evalsuite.settings.run import RunConfig
from evalsuite.specs.messages import problems_from
from evalsuite.specs.parts import Identifier, Model, Text
from evalsuite.specs.templates import placeholders

AxisValue = str | int | float
Values = Annotated[list[AxisValue], Field(min_length=1)]


class Rule(Model):
    """What differs in some cells. The first rule that fits a cell counts."""

    when: dict[str, AxisValue | list[AxisValue]] = Field(
        description="axis -> value or values; the rule is for the cells that fit all of them"
    )
    tasks: str | None = Field(default=None, description="tasks of these cells instead of the study's")
    skip: bool = Field(default=False, description="leave these cells out")


class Select(Model):
    """Choose one value of an axis for each task, as the papers choose the learning rate."""

    axis: Text = Field(description="axis whose values compete")
    splits: list[Text] = Field(min_length=1, description="splits on which they compete, each task by those it has")
    per: list[Text] = Field(default_factory=list, description="other axes; a value is chosen for each of their cells")


class StudySpec(Model):
    """A study: axes, and how each cell of their grid is run."""

    name: Text
    settings: dict[str, Any] = Field(
        default_factory=dict,
        description="settings of every run, which stand beside these fields in the file; model and options may be "
        "templates over the axes",
    )
    axes: dict[Identifier, Values] = Field(min_length=1, description="name -> values, the slowest first")
    rules: list[Rule] = Field(default_factory=list)
    select: Select | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_settings(cls, data: Any) -> Any:
        """Whatever is no field of a study is a setting of its runs."""
        if not isinstance(data, dict):
            return data
        fields = [name for name in cls.model_fields if name != "settings"]
        rest = {name: value for name, value in data.items() if name not in fields}
        given, problems = read_settings(rest, without=OF_CELLS, beside=fields)
        if problems:
            shown = "; ".join(f"{dotted(place)}: {message}" for place, message in problems)
            raise PydanticCustomError("inconsistent", "{shown}", {"shown": shown, "problems": problems})
        return {**{name: data[name] for name in fields if name in data}, "settings": dict(given)}

    def plain(self) -> dict[str, Any]:
        """The study as its file would hold it."""
        fields = self.model_dump(mode="json", exclude_none=True, exclude={"settings"})
        return {**{ALL[name].key: ALL[name].kind.plain(value) for name, value in self.settings.items()}, **fields}

    def asked(self, *given: Given) -> RunConfig:
        """What a run of the study is asked, with more settings over those of all runs. Raises UsageError."""
        return run_config(self.settings, *given)


OF_CELLS = ("attributes", "out", "shard")
"""Settings that the grid gives: the attributes of a cell are its axes' values, its folder has their name."""


def load_study(path: Path) -> StudySpec:
    """Raises SpecError with file, line and field of every mistake."""
    document = read_yaml(path)
    try:
        spec = StudySpec.model_validate(document.data)
        problems = _inconsistencies(spec)
    except ValidationError as error:
        problems = problems_from(error.errors(include_url=False), document.data, StudySpec)
    if problems:
        ordered = sorted(problems, key=lambda problem: document.line(problem[0]))
        raise SpecError([document.problem(place, message) for place, message in ordered])
    return spec


def fits(rule: Rule, attributes: Mapping[str, AxisValue]) -> bool:
    """Whether the rule is for the cell with these attributes."""
    return all(
        attributes[axis] in (wanted if isinstance(wanted, list) else [wanted]) for axis, wanted in rule.when.items()
    )


def _inconsistencies(spec: StudySpec) -> list[Problem]:
    problems: list[Problem] = []
    try:
        spec.asked()
    except UsageError as error:
        problems.append((tuple(error.setting.split(".")), str(error)))

    def known(axis: str, place: tuple[str | int, ...]) -> bool:
        if axis not in spec.axes:
            problems.append((place, f"unknown axis {axis!r}. {did_you_mean(axis, spec.axes)}"))
        return axis in spec.axes

    for axis, values in spec.axes.items():
        if len(set(map(str, values))) < len(values):
            problems.append((("axes", axis), "a value is listed twice"))
    for i, rule in enumerate(spec.rules):
        for axis, wanted in rule.when.items():
            place = ("rules", i, "when", axis)
            if known(axis, place):
                for value in wanted if isinstance(wanted, list) else [wanted]:
                    if value not in spec.axes[axis]:
                        shown = ", ".join(map(str, spec.axes[axis]))
                        problems.append((place, f"axis {axis} has no value {value!r}. Known: {shown}"))
    for name in placeholders(spec.settings.get("model", "")):
        if name not in (*spec.axes, "transfer", "task"):
            problems.append((("model",), f"{{{name}}} is neither an axis nor transfer nor task"))
    if spec.select is not None:
        known(spec.select.axis, ("select", "axis"))
        for i, axis in enumerate(spec.select.per):
            known(axis, ("select", "per", i))
    return problems
