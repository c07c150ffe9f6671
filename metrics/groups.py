"""Scores of parts of a corpus, each a corpus of its own: languages, whose document frequencies must not mix.

Scoring a stratum selects rows of one prepared metric. That is right for most metrics, but wrong where the benchmark
defines a separate corpus for each group: CIDEr of Crossmodal-3600 and COCO-35L counts document frequencies within one
language, and the official tokenizer is called once per language.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from evalsuite.metrics.base import Array, Metric, WeightedMetric

Group = TypeVar("Group", bound=Hashable)


def score_by_group(
    metric: Metric, predictions: Sequence[Any], references: Sequence[Sequence[Any]], groups: Sequence[Group]
) -> dict[Group, dict[str, float]]:
    """Official values of every group, as if its examples were the whole data set. In order of first appearance.

    groups: the group of each example, such as its language. Within a group, data set order is kept.
    Raises ValueError when the lengths differ or there are no examples.

    >>> from evalsuite.metrics import load_metric
    >>> found = score_by_group(load_metric("anls"), ["a", "b"], [["a"], ["c"]], ["en", "de"])
    >>> found["en"]["anls"], found["de"]["anls"]
    (1.0, 0.0)
    """
    return scores_by_group([metric], predictions, references, groups)[0]


def scores_by_group(
    metrics: Sequence[Metric], predictions: Sequence[Any], references: Sequence[Sequence[Any]], groups: Sequence[Group]
) -> list[dict[Group, dict[str, float]]]:
    """:func:`score_by_group` of several metrics. They share work on a group, such as tokenizing, before the next."""
    found: list[dict[Group, dict[str, float]]] = [{} for _ in metrics]
    for group, rows in _places(predictions, references, groups).items():
        part = [predictions[i] for i in rows], [tuple(references[i]) for i in rows]
        for values, metric in zip(found, metrics, strict=True):
            values[group] = metric.score(*part)
    return found


def statistics_by_group(
    metrics: Sequence[Metric],
    predictions: Sequence[Any],
    references: Sequence[Sequence[Any]],
    groups: Sequence[Hashable],
) -> list[Array]:
    """A table of statistics for each metric, every example computed within its group's own corpus.

    Shape (n, k) each, in the given order. The sum over the rows of a group gives that group's values through
    ``metric.finalize``; intervals come from re-weighting the rows.
    Raises ValueError as :func:`score_by_group`, TypeError for a metric that is no function of a sum.
    """
    for metric in metrics:
        if isinstance(metric, WeightedMetric):
            raise TypeError(f"{metric.name} has no statistics that add up: use score_by_group")
    tables: list[Array] = [np.empty((0, 0))] * len(metrics)
    for rows in _places(predictions, references, groups).values():
        part = [predictions[i] for i in rows], [tuple(references[i]) for i in rows]
        for number, metric in enumerate(metrics):
            found = metric.prepare(*part).batch_statistics(*part)
            if not tables[number].size:
                tables[number] = np.empty((len(predictions), found.shape[1]))
            tables[number][rows] = found
    return tables


def average(by_group: Mapping[Group, Mapping[str, float]], without: Collection[Group] = ()) -> dict[str, float]:
    """The plain mean over groups of every value, leaving some groups out; NaN where no group is left.

    The papers' averages over languages: ``without=("en",)`` is avg35 of Crossmodal-3600 and avg34 of COCO-35L.

    >>> average({"en": {"cider": 1.0}, "de": {"cider": 0.5}, "th": {"cider": 0.75}}, without=("en",))
    {'cider': 0.625}
    """
    kept = [values for group, values in by_group.items() if group not in without]
    names: Iterable[str] = next(iter(by_group.values()), {})
    return {name: math.fsum(values[name] for values in kept) / len(kept) if kept else math.nan for name in names}


def _places(
    predictions: Sequence[Any], references: Sequence[Sequence[Any]], groups: Sequence[Group]
) -> dict[Group, list[int]]:
    if not len(predictions) == len(references) == len(groups):
        raise ValueError(f"{len(predictions)} predictions, {len(references)} reference lists, {len(groups)} groups")
    if not len(predictions):
        raise ValueError("no examples to score")
    places: dict[Group, list[int]] = {}
    for place, group in enumerate(groups):
        places.setdefault(group, []).append(place)
    return places
