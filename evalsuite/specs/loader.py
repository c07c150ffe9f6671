"""From one YAML file to a TaskSpec, with every mistake named by file, line and field."""

from __future__ import annotations

import os
from typing import TypeVar

from pydantic import ValidationError

from evalsuite.errors import SpecError
from evalsuite.files.yaml_reader import Document, read_yaml
from evalsuite.specs.groups import GroupSpec
from evalsuite.specs.messages import problems_from
from evalsuite.specs.names import unknown_names
from evalsuite.specs.schema import TaskSpec

Spec = TypeVar("Spec", TaskSpec, GroupSpec)


def load_spec(path: str | os.PathLike[str], *, check_names: bool = True) -> TaskSpec:
    """The spec in a YAML file.

    check_names: also look up metrics, their parameters, JMESPath expressions and the synthetic generator.
    Raises SpecError with one problem per mistake, as ``file:line: field: what is wrong. What is right.``
    """
    return checked_spec(read_yaml(path), check_names=check_names)


def checked_spec(document: Document, *, check_names: bool = True) -> TaskSpec:
    """:func:`load_spec` for a file that is read already."""
    spec = parse_spec(document)
    problems = unknown_names(spec) if check_names else []
    if problems:
        raise SpecError(lines(document, problems))
    return spec


def is_group(document: Document) -> bool:
    """Whether a file holds an average over tasks (``kind: group``) and not a task."""
    return document.data.get("kind") == "group"


def parse_spec(document: Document) -> TaskSpec:
    """The spec in a file that is read already. Raises SpecError."""
    return _parsed(TaskSpec, document)


def parse_group(document: Document) -> GroupSpec:
    """The average over tasks in a file that is read already. Raises SpecError."""
    return _parsed(GroupSpec, document)


def validate_file(path: str | os.PathLike[str]) -> list[str]:
    """Everything that is wrong with a spec file, one line per mistake; empty when it is right.

    Of a group, whether its members exist is left to the registry, which knows all tasks.
    """
    try:
        document = read_yaml(path)
        if is_group(document):
            parse_group(document)
        else:
            checked_spec(document)
    except SpecError as error:
        return error.problems
    return []


def _parsed(model: type[Spec], document: Document) -> Spec:
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        problems = problems_from(error.errors(include_url=False), document.data, model)
        raise SpecError(lines(document, problems)) from None


def lines(document: Document, problems: list[tuple[tuple[str | int, ...], str]]) -> list[str]:
    """Problems as messages, in the order of the file."""
    ordered = sorted(problems, key=lambda problem: document.line(problem[0]))
    return [document.problem(place, message) for place, message in ordered]
