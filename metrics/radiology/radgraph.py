"""RadGraph F1 of radiology reports: entities and relations that two reports share."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from evalsuite.errors import DataError, ScoringError, UnknownName, UsageError
from evalsuite.metrics.base import Array, Flags, Metric, Value, ratio
from evalsuite.metrics.radiology.annotator import (
    MODELS,
    check_weights,
    describe_weights,
    is_oversized,
    shared_annotator,
)
from evalsuite.metrics.shared.side_files import describe_file, read_records, version_of

Entities = Mapping[str, Mapping[str, Any]]
"""Entities of one report by their id: ``tokens``, ``label`` and ``relations``, a list of [type, id of the target]."""

LEVELS = ("simple", "partial", "complete")
_CASES = ("pypi", "git")


def radgraph_rewards(prediction: Entities, reference: Entities, case: str = "pypi") -> tuple[float, float, float]:
    """F1 of two annotated reports at the levels simple, partial and complete, each in [0, 1]; see RadGraphF1.

    Where neither report has an entity it is 0. A relation to an entity that does not exist is left out.
    """
    simple, partial, complete = (
        _f1(set(items(prediction, case)), set(items(reference, case))) for items in (_simple, _partial, _complete)
    )
    return simple, partial, complete


def has_dangling_relation(entities: Entities) -> bool:
    """Whether a relation leads to an entity that does not exist (the official code stops there)."""
    return any(target not in entities for entity in entities.values() for _, target in entity["relations"])


@dataclass(frozen=True)
class RadGraphF1(Metric):
    """Mean F1 between the RadGraph entities of generated and true reports. In [0, 1]; printed in percent.

    - ``radgraph_partial`` (often called RG_ER): an entity is its tokens, its label and whether it has a relation.
    - ``radgraph_simple``: tokens and label.
    - ``radgraph_complete``: tokens and label; an entity with relations instead gives one item per relation: tokens,
      label, type of the relation and tokens of its target.
    - ``empty``: share of pairs in which one report is empty (or white space, on which the official code stops). They
      score 0 and stay in the mean, as officially.
    - ``dangling``: share of pairs with a relation to an entity that does not exist. The official code stops there;
      here that relation is left out.
    - ``oversized``: share of pairs with a report of more than 1,000 words, of which the package annotates the first
      1,000.

    The F1 is that of the two sets of items, so repeated items count once; 0 where neither report has an entity.
    Labels name the kind (anatomy, observation) and presence, absence or uncertainty. The PaliGemma 2 paper does not
    say which level it reports.

    case: ``pypi``, the ``radgraph`` package up to 0.1.18: upper and lower case differ, except in the items of
    relations. ``git``, the repository since May 2026: case never counts.
    annotations: JSON object from report text to its annotation, or JSONL with ``text`` and ``entities`` a line.
    weights: folder ``<weights>/<model_type>`` with ``config.json``, ``vocabulary`` and ``weights.th`` of an unpacked
    RadGraph model; reports without annotation are then annotated by the ``radgraph`` package.
    cache: JSONL file that keeps what was annotated; it can serve as ``annotations`` later.
    References: a list with the one true report.

    Source: Jain et al. 2021, https://arxiv.org/abs/2106.14463; Delbrouck et al. 2022,
    https://aclanthology.org/2022.findings-emnlp.319; https://github.com/Stanford-AIMI/radgraph ``rewards.py``.
    """

    name: ClassVar[str] = "radgraph_f1"
    values: ClassVar[tuple[Value, ...]] = (
        Value("radgraph_partial"),
        Value("radgraph_simple"),
        Value("radgraph_complete"),
        Value("empty", higher_is_better=False),
        Value("dangling", higher_is_better=False),
        Value("oversized", higher_is_better=False),
    )
    source: ClassVar[str] = "https://github.com/Stanford-AIMI/radgraph"
    file_parameters: ClassVar[Mapping[str, tuple[str, ...]]] = {"annotations": (), "weights": (), "cache": ()}

    case: str = "pypi"
    annotations: str = ""
    weights: str = ""
    model_type: str = "radgraph-xl"
    cache: str = ""

    def __post_init__(self) -> None:
        if self.case not in _CASES:
            raise UnknownName("case of metric radgraph_f1", self.case, _CASES)
        if self.cache and not self.cache.endswith(".jsonl"):
            raise ValueError(f"cache is written to: its name must end in .jsonl, which {self.cache!r} does not")
        if self.model_type not in MODELS:
            raise UnknownName("model_type of metric radgraph_f1", self.model_type, MODELS)

    def check(self) -> None:
        """Raises UsageError, DataError or MissingDependency when reports could not be annotated."""
        if self.annotations:
            _read_annotations(version_of(self.annotations))
        if self.weights:
            check_weights(self.weights, self.model_type)
        if not self.annotations and not self.weights:
            raise UsageError(
                "metric radgraph_f1: give annotations (a JSON or JSONL file, report text -> entities) or weights (the "
                "folder of an unpacked RadGraph model; needs pip install 'evalsuite[radgraph]')"
            )

    def parameters(self) -> dict[str, Any]:
        """As given, with files by content; ``cache`` does not change a score and is left out."""
        given = super().parameters()
        del given["cache"]
        described = describe_weights(self.weights, self.model_type) if self.weights else ""
        return {**given, "annotations": describe_file(self.annotations), "weights": described}

    def statistics(self, prediction: str, references: Sequence[str]) -> Array:
        """(partial, simple, complete, empty, dangling, oversized, 1)."""
        row: Array = self.batch_statistics([prediction], [references])[0]
        return row

    def batch_statistics(self, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> Array:
        """Shape (n, 7). Raises ScoringError for reports that have no annotation and cannot be annotated."""
        pairs = [(prediction, _only(group)) for prediction, group in zip(predictions, references, strict=True)]
        entities = self._annotate({report for pair in pairs if all(map(str.strip, pair)) for report in pair})
        rows = np.zeros((len(pairs), 7))
        rows[:, -1] = 1
        for row, (prediction, reference) in zip(rows, pairs, strict=True):
            if not prediction.strip() or not reference.strip():
                row[3] = 1
                continue
            ours, true = entities[prediction], entities[reference]
            simple, partial, complete = radgraph_rewards(ours, true, self.case)
            row[:3] = partial, simple, complete
            row[4] = has_dangling_relation(ours) or has_dangling_relation(true)
            row[5] = is_oversized(prediction) or is_oversized(reference)
        return rows

    def unread(self, predictions: Sequence[str], references: Sequence[Sequence[Any]], statistics: Array) -> Flags:
        """Answers of which only the first 1,000 words are annotated."""
        return np.asarray([is_oversized(prediction) for prediction in predictions], bool)

    def finalize(self, total: Array) -> dict[str, Array]:
        return {value.name: ratio(total[..., k], total[..., -1]) for k, value in enumerate(self.values)}

    def _annotate(self, reports: set[str]) -> Mapping[str, Entities]:
        known = _read_annotations(version_of(self.annotations)) if self.annotations else {}
        missing = sorted(reports - known.keys())
        if not missing:
            return known
        if not self.weights:
            raise ScoringError(
                f"radgraph_f1: {len(missing)} reports have no annotation in {self.annotations or 'any file'}, the "
                f"first is {missing[0]!r:.60}. Annotate them, or give weights to have it done"
            )
        annotator = shared_annotator(self.weights, self.model_type, self.cache)
        return {**{report: known[report] for report in reports & known.keys()}, **annotator.entities(missing)}


def entities_of(record: Mapping[str, Any], place: str) -> Entities:
    """The ``entities`` of an annotation, checked. Raises DataError that names ``place``."""
    entities = record.get("entities")
    try:
        for entity in entities.values():  # type: ignore[union-attr]
            if not isinstance(entity["tokens"], str) or not isinstance(entity["label"], str):
                raise TypeError
            for _, target in entity["relations"]:
                if not isinstance(target, str):
                    raise TypeError
    except (AttributeError, KeyError, TypeError, ValueError):
        raise DataError(
            f"{place}: 'entities' must map ids to objects with tokens, label and relations [[type, id], …]"
        ) from None
    checked: Entities = entities  # type: ignore[assignment]
    return checked


@functools.lru_cache(4)
def _read_annotations(version: tuple[str, int, int]) -> dict[str, Entities]:
    return {str(record["text"]): entities_of(record, place) for place, record in read_records(version[0], "text")}


def _f1(predicted: set[Any], true: set[Any]) -> float:
    common = len(predicted & true)
    return 2 * common / (len(predicted) + len(true)) if common else 0.0


def _simple(entities: Entities, case: str) -> Iterator[tuple[str, ...]]:
    for entity in entities.values():
        yield _tokens(entity, case), entity["label"]


def _partial(entities: Entities, case: str) -> Iterator[tuple[str, ...]]:
    for entity in entities.values():
        related = ("related",) if entity["relations"] else ()
        yield _tokens(entity, case), entity["label"], *related


def _complete(entities: Entities, case: str) -> Iterator[tuple[str, ...]]:
    for entity in entities.values():
        for kind, target in entity["relations"]:
            if target in entities:
                yield entity["tokens"].lower(), entity["label"], kind, entities[target]["tokens"].lower()
        if not entity["relations"]:
            yield _tokens(entity, case), entity["label"]


def _tokens(entity: Mapping[str, Any], case: str) -> str:
    tokens: str = entity["tokens"]
    return tokens.lower() if case == "git" else tokens


def _only(references: Iterable[str]) -> str:
    reports = list(references)
    if len(reports) != 1 or not isinstance(reports[0], str):
        raise ScoringError(f"radgraph_f1: needs one reference report, not {reports!r:.80}")
    return reports[0]
