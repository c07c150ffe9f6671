"""From one YAML file to a TaskSpec, with every mistake named by file, line and field."""

from __future__ import annotations

import os

from pydantic import ValidationError

from evalsuite.errors import SpecError
from evalsuite.specs.messages import problems_from
from evalsuite.specs.names import unknown_names
from evalsuite.specs.schema import TaskSpec
from evalsuite.specs.yaml_reader import Document, read_yaml


def load_spec(path: str | os.PathLike[str], *, check_names: bool = True) -> TaskSpec:
    """The spec in a YAML file.

    check_names: also look up metrics, their parameters, JMESPath expressions and the synthetic generator.
    Raises SpecError with one problem per mistake, as ``file:line: field: what is wrong. What is right.``
    """
    document = read_yaml(path)
    spec = parse_spec(document)
    problems = unknown_names(spec) if check_names else []
    if problems:
        raise SpecError(_lines(document, problems))
    return spec


def parse_spec(document: Document) -> TaskSpec:
    """The spec in a file that is read already. Raises SpecError."""
    try:
        return TaskSpec.model_validate(document.data)
    except ValidationError as error:
        problems = problems_from(error.errors(include_url=False), document.data)
        raise SpecError(_lines(document, problems)) from None


def validate_file(path: str | os.PathLike[str]) -> list[str]:
    """Everything that is wrong with a spec file, one line per mistake; empty when it is right."""
    try:
        load_spec(path)
    except SpecError as error:
        return error.problems
    return []


def _lines(document: Document, problems: list[tuple[tuple[str | int, ...], str]]) -> list[str]:
    """Problems as messages, in the order of the file."""
    ordered = sorted(problems, key=lambda problem: document.line(problem[0]))
    return [document.problem(place, message) for place, message in ordered]
