"""What a metric is: a vector of statistics per example, and named values from the sum of those vectors.

From this one idea follow streaming and sharded scoring (addition), confidence intervals and paired tests
(re-weighting the sum), and per-example values. A metric is a frozen dataclass; its fields are its parameters.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Value:
    """One number that a metric reports.

    scale: what the official value is multiplied by to be in the unit that papers print.
    bounds: smallest and largest official value (None: unbounded).
    """

    name: str
    unit: str = "%"
    scale: float = 100.0
    higher_is_better: bool = True
    bounds: tuple[float | None, float | None] = (0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Answer:
    """A prediction with more than its text, for metrics that set ``takes_answers``.

    id: the example's id. log_probabilities: of the generated tokens (natural log, raw softmax), where the backend
    gave them; token_ids beside them.
    """

    text: str
    id: str = ""
    token_ids: tuple[int, ...] | None = None
    log_probabilities: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Metric(ABC):
    """Base of all metrics.

    name, version: identify the rule; raise the version whenever a score could change.
    values: what ``finalize`` returns, the headline first.
    needs_corpus: ``prepare`` must see the whole corpus before ``statistics`` is called.
    takes_answers: predictions are :class:`Answer` records instead of texts.
    heavy: scoring may spread the examples over processes; needs ``statistics`` that see one example at a time.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1
    values: ClassVar[tuple[Value, ...]]
    needs_corpus: ClassVar[bool] = False
    takes_answers: ClassVar[bool] = False
    heavy: ClassVar[bool] = False
    file_parameters: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    source: ClassVar[str] = ""

    def check(self) -> None:  # noqa: B027 (most metrics need nothing)
        """Raise an error now if something the metric needs (a file, a program) is missing."""

    def caution(self) -> str:
        """Why values under these parameters must not be set beside published ones; "" when they may."""
        return ""

    def prepare(self, predictions: Sequence[Any], references: Sequence[Sequence[Any]]) -> Metric:
        """The metric made ready for this corpus, in data set order; most return themselves."""
        return self

    @abstractmethod
    def statistics(self, prediction: Any, references: Sequence[Any]) -> Array:
        """Shape (k,), float64: adds up over examples. ``prediction`` is a text, or an Answer (``takes_answers``)."""

    def batch_statistics(self, predictions: Sequence[Any], references: Sequence[Sequence[Any]]) -> Array:
        """Shape (n, k): ``statistics`` of many examples; metrics that gain from a batch override it."""
        return np.stack([self.statistics(p, r) for p, r in zip(predictions, references, strict=True)])

    def unread(
        self, predictions: Sequence[Any], references: Sequence[Sequence[Any]], statistics: Array
    ) -> Flags | None:
        """Which answers the rule could not read for what it asks for, such as one that names none of the choices.

        Shape (n,), True also for an answer that was read in part. They score as the rule says; scoring counts them
        beside the value. statistics: shape (n, k), those of these examples, so that nothing has to be read twice.
        None, the default: the rule takes any text, or cannot tell.
        """
        return None

    @abstractmethod
    def finalize(self, total: Array) -> dict[str, Array]:
        """Named official values from summed statistics. ``total`` has shape (..., k), each value shape (...)."""

    def score(self, predictions: Sequence[Any], references: Sequence[Sequence[Any]]) -> dict[str, float]:
        """Official values of a whole corpus, in the official unit.

        Raises ValueError when there are no examples or the lengths differ.
        """
        if len(predictions) != len(references):
            raise ValueError(f"{len(predictions)} predictions but {len(references)} reference lists")
        if not len(predictions):
            raise ValueError(f"{self.name}: no examples to score")
        ready = self.prepare(predictions, references)
        if isinstance(ready, WeightedMetric):
            values = ready.weighted_values(np.ones(len(predictions)))
        else:
            values = ready.finalize(ready.batch_statistics(predictions, references).sum(axis=0))
        return {name: float(value) for name, value in values.items()}

    def parameters(self) -> dict[str, Any]:
        """Parameters by name, without those that a metric marks as working state (leading underscore)."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if not f.name.startswith("_")}

    def signature(self) -> str:
        """What must be quoted with a number so that it can be reproduced, such as ``anls|v1|threshold:0.5``."""
        parameters = [f"{name}:{_short(value)}" for name, value in sorted(self.parameters().items())]
        return "|".join([self.name, f"v{self.version}", *parameters])


@dataclass(frozen=True)
class MeanMetric(Metric):
    """A metric whose value is the mean of a score per example: statistics are (score, 1)."""

    @abstractmethod
    def example(self, prediction: Any, references: Sequence[Any]) -> float:
        """The score of one example, in the official unit."""

    def statistics(self, prediction: Any, references: Sequence[Any]) -> Array:
        return np.array([self.example(prediction, references), 1.0])

    def batch_statistics(self, predictions: Sequence[Any], references: Sequence[Sequence[Any]]) -> Array:
        scores = [self.example(p, r) for p, r in zip(predictions, references, strict=True)]
        return np.column_stack([np.array(scores, dtype=np.float64), np.ones(len(scores))])

    def finalize(self, total: Array) -> dict[str, Array]:
        return {self.values[0].name: ratio(total[..., 0], total[..., 1])}


@dataclass(frozen=True)
class WeightedMetric(Metric):
    """A metric that is no function of a sum over examples, such as average precision.

    Its prepared form gives its values under any weighting of the examples: a stratum is a weighting with zeros, a
    bootstrap resample one with counts.
    """

    needs_corpus: ClassVar[bool] = True

    @abstractmethod
    def weighted_values(self, weights: Array) -> dict[str, Array]:
        """Official values when example i counts ``weights[..., i]`` times, for a prepared metric.

        ``weights`` has shape (..., n), each value shape (...).
        """

    def statistics(self, prediction: Any, references: Sequence[Any]) -> Array:
        """An example counts once; nothing else of it adds up."""
        return np.ones(1)

    def finalize(self, total: Array) -> dict[str, Array]:
        raise TypeError(f"{self.name} is no function of a sum: use weighted_values")


def ratio(numerator: Any, denominator: Any, empty: float = float("nan")) -> Array:
    """``numerator / denominator`` elementwise, ``empty`` where the denominator is 0."""
    numerator, denominator = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    safe = np.where(denominator == 0, 1.0, denominator)
    return np.where(denominator == 0, empty, numerator / safe)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, Mapping):
        return ",".join(f"{k}={_short(v)}" for k, v in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ",".join(_short(v) for v in value)
    return str(value)
