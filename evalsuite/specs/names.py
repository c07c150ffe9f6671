"""Names in a spec that only other rooms know: metrics, their parameters, generators, JMESPath functions.

Separate from the schema because it imports those rooms; shipped specs pass it in the tests, not at every start.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

from evalsuite.errors import EvalsuiteError, SpecError, UnknownName, did_you_mean
from evalsuite.files.places import Place, Problem
from evalsuite.specs.parts import FieldOverrides, Fields, MetricUse
from evalsuite.specs.schema import TaskSpec

if TYPE_CHECKING:
    from evalsuite.metrics import Metric


def unknown_names(spec: TaskSpec) -> list[Problem]:
    """Metrics, parameters, expressions and generators that do not exist or cannot be read."""
    return [*_metrics(spec), *_expressions(spec), *_file_format(spec), *_generator(spec)]


def _metrics(spec: TaskSpec) -> Iterator[Problem]:
    for i, metric in enumerate(spec.metrics):
        yield from _metric(("metrics", i), metric)


def _metric(place: Place, use: MetricUse) -> Iterator[Problem]:
    from evalsuite.metrics import load_metric, metric_class

    try:
        cls = metric_class(use.name)
    except UnknownName as error:
        yield (*place, "name"), str(error)
        return
    except Exception as error:  # an entry point of another package may fail in any way
        yield (*place, "name"), f"metric {use.name!r} cannot be loaded: {error}"
        return
    known = [field.name for field in dataclasses.fields(cls) if field.init and not field.name.startswith("_")]
    if use.only and cls.needs_corpus:
        yield (*place, "only"), f"metric {use.name} is computed over the whole corpus and cannot leave examples out"
    unknown = [name for name in use.parameters if name not in known]
    for name in unknown:
        yield (*place, "parameters", name), f"metric {use.name} has no such parameter. {did_you_mean(name, known)}"
    for name, message in files_named(cls, use):
        yield (*place, "parameters", name), message
    if not unknown:
        try:
            load_metric(use.name, **use.parameters)
        except EvalsuiteError as error:
            yield (*place, "parameters"), str(error)


def files_named(cls: type[Metric], use: MetricUse) -> Iterator[tuple[str, str]]:
    """(parameter, message) for every file or folder that a spec names: only who runs it may do so."""
    for name, words in cls.file_parameters.items():
        if use.parameters.get(name, "") not in ("", *words):
            yield name, f"names a file, which a spec may not: give --metric-option {use.name}.{name}=PLACE"


def _expressions(spec: TaskSpec) -> Iterator[Problem]:
    yield from _lookups(spec)
    mappings: list[tuple[Place, Fields | FieldOverrides | None]] = [(("fields",), spec.fields)]
    for name, source in (("hub", spec.data.hub), ("files", spec.data.files)):
        mappings.append((("data", name, "fields"), source.fields if source else None))
    for place, mapping in mappings:
        for inside, expression in _each_expression(mapping):
            message = _expression_problem(expression)
            if message:
                yield (*place, *inside), message


def _each_expression(mapping: Fields | FieldOverrides | None) -> Iterator[tuple[Place, str]]:
    if mapping is None:
        return
    for name in ("explode", "where", "id", "video", "segment", "outline", "references"):
        expression = getattr(mapping, name)
        if expression:  # None: as in fields; False: switched off
            yield (name,), expression
    for i, expression in enumerate(mapping.images or ()):
        yield ("images", i), expression
    for group in ("values", "strata"):
        for name, expression in (getattr(mapping, group) or {}).items():
            yield (group, name), expression


def _lookups(spec: TaskSpec) -> Iterator[Problem]:
    for source in ("hub", "files"):
        for i, lookup in enumerate(getattr(getattr(spec.data, source), "lookups", ())):
            for name in ("on", "key"):
                message = _expression_problem(getattr(lookup, name))
                if message:
                    yield ("data", source, "lookups", i, name), message


def _file_format(spec: TaskSpec) -> Iterator[Problem]:
    files = spec.data.files
    if files is None:
        return
    from evalsuite.data.formats import format_names

    known = format_names()
    if files.format not in known:
        message = f"unknown format {files.format!r}. {did_you_mean(files.format, known)}"
        yield ("data", "files", "format"), message


def _expression_problem(expression: str) -> str | None:
    from evalsuite.data.expressions import compile_expression

    try:
        compile_expression(expression)
    except SpecError as error:
        return error.problems[0]
    return None


def _generator(spec: TaskSpec) -> Iterator[Problem]:
    synthetic = spec.data.synthetic
    if synthetic is None:
        return
    from evalsuite.data.synthetic import generators

    place: Place = ("data", "synthetic")
    generator = generators().get(synthetic.generator)
    if generator is None:
        message = f"unknown generator {synthetic.generator!r}. {did_you_mean(synthetic.generator, generators())}"
        yield (*place, "generator"), message
        return
    try:
        generator.complete(synthetic.parameters)
    except UnknownName as error:
        yield (*place, "parameters", error.name), str(error)
    except EvalsuiteError as error:
        yield (*place, "parameters"), str(error)
