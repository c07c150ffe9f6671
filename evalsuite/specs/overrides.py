"""Metric parameters that a user gives beside the spec, such as the file of mask decoder weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from evalsuite.errors import UnknownName, UsageError, concerning
from evalsuite.metrics import metric_class
from evalsuite.specs.schema import TaskSpec

MetricOptions = Mapping[str, Mapping[str, str]]
"""Metric name -> parameter -> value as text."""


def with_metric_options(spec: TaskSpec, options: MetricOptions) -> TaskSpec:
    """The spec with these parameters for its metrics, less the optional metrics that are given none.

    Predictions do not depend on metrics. Raises UnknownName for a parameter the metric does not have, UsageError for a
    value of another type.
    """
    metrics = [
        use.model_copy(update={"parameters": {**use.parameters, **_parsed(use.name, options[use.name])}})
        if use.name in options
        else use
        for use in spec.metrics
        if use.name in options or not use.optional
    ]
    if metrics == spec.metrics:
        return spec
    return spec.model_copy(update={"metrics": metrics})


def check_metric_options(specs: Iterable[TaskSpec], options: MetricOptions) -> None:
    """Raise UnknownName for a metric that none of the tasks uses."""
    used = {use.name for spec in specs for use in spec.metrics}
    for name in options:
        if name not in used:
            raise UnknownName("metric of these tasks", name, used, "--metric-option")


def _parsed(metric: str, values: Mapping[str, str]) -> dict[str, Any]:
    defaults = {field.name: field.default for field in dataclasses.fields(metric_class(metric)) if field.init}
    parsed = {}
    for name, text in values.items():
        if name not in defaults:
            raise UnknownName(f"parameter of metric {metric}", name, defaults, "--metric-option")
        with concerning(f"metric_option.{metric}.{name}"):
            parsed[name] = _typed(f"--metric-option {metric}.{name}={text}", text, defaults[name])
    return parsed


def _typed(place: str, text: str, default: Any) -> Any:
    """``text`` as the type of the parameter's default."""
    if isinstance(default, bool):
        if text.lower() not in ("true", "false"):
            raise UsageError(f"{place}: must be true or false")
        return text.lower() == "true"
    if isinstance(default, (int, float)):
        try:
            return type(default)(text)
        except ValueError:
            raise UsageError(
                f"{place}: must be {'a whole number' if isinstance(default, int) else 'a number'}"
            ) from None
    if isinstance(default, tuple):
        return text.split(",")
    return text
