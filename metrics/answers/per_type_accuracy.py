"""Accuracy averaged over question types, not over questions: RSVQA."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from evalsuite.errors import ScoringError
from evalsuite.metrics.base import Array, Metric, Value, ratio


@dataclass(frozen=True)
class PerTypeAccuracy(Metric):
    """Mean over question types of the share of right answers, and the share over all. In [0, 1]; printed in percent.

    Lobry et al. 2020 (RSVQA), https://arxiv.org/abs/2003.07333. An answer is right when it equals one of the accepted
    ones (``acc_any`` of big_vision, which is the paper's overall accuracy).

    References: dicts with ``answer``, a text or a list of texts, and ``type``.

    ignore_case: compare in lower case; on, as big_vision does for RSVQA.
    types: the types to average over. Empty, the default: those that occur, which is big_vision's ``acc_avg``; a
    resample or a stratum averages over what it has. The official script averages over four fixed types and divides by
    zero where one is absent; with types named here, an absent one makes the value 0. big_vision logs as
    ``acc_avg_nonum`` the mean over comp, presence and rural_urban, and under the same name that over comp and presence.
    ``accuracy`` is over all questions, of whatever type.

    The official script first puts counts into ranges (0, up to 10, up to 100, ...); here counts are compared as they
    are. PaliGemma's data have none.

    Source: https://github.com/syvlo/RSVQA, big_vision ``evaluators/proj/paligemma/transfers/rsvqa.py``.

    >>> references = [[{"answer": "yes", "type": "presence"}]] * 3 + [[{"answer": "rural", "type": "rural_urban"}]]
    >>> PerTypeAccuracy().score(["yes", "yes", "yes", "urban"], references)
    {'mean_over_types': 0.5, 'accuracy': 0.75}
    """

    name: ClassVar[str] = "per_type_accuracy"
    values: ClassVar[tuple[Value, ...]] = (Value("mean_over_types"), Value("accuracy"))
    needs_corpus: ClassVar[bool] = True
    source: ClassVar[str] = "https://arxiv.org/abs/2003.07333"

    ignore_case: bool = True
    types: tuple[str, ...] = ()
    _columns: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    def __post_init__(self) -> None:
        if isinstance(self.types, str):
            raise ValueError(f"types is a list of question types, not the text {self.types!r}")
        object.__setattr__(self, "types", tuple(self.types))

    def prepare(self, predictions: Sequence[str], references: Sequence[Sequence[Any]]) -> PerTypeAccuracy:
        occurring = {_type(group) for group in references}
        names = [*self.types, *sorted(occurring.difference(self.types))]
        return dataclasses.replace(self, _columns={name: column for column, name in enumerate(names)})

    def statistics(self, prediction: str, references: Sequence[Mapping[str, Any]]) -> Array:
        """For every type (right, 1), zeros for those that the question is not of."""
        column = self._columns.get(_type(references))
        if column is None:
            raise ScoringError(
                f"per_type_accuracy has not seen type {_type(references)!r}: prepare it with the whole corpus first"
            )
        row = np.zeros(2 * len(self._columns))
        row[2 * column : 2 * column + 2] = self._right(prediction, references), 1.0
        return row

    def finalize(self, total: Array) -> dict[str, Array]:
        right, count = total[..., 0::2], total[..., 1::2]
        averaged = slice(None, len(self.types) or None)
        accuracies = ratio(right[..., averaged], count[..., averaged], empty=0.0)
        occur = np.count_nonzero(count[..., averaged], axis=-1)
        defined = (occur == len(self.types)) | (not self.types)
        return {
            "mean_over_types": np.where(defined, ratio(accuracies.sum(axis=-1), occur, empty=0.0), 0.0),
            "accuracy": ratio(right.sum(axis=-1), count.sum(axis=-1)),
        }

    def _right(self, prediction: str, references: Sequence[Mapping[str, Any]]) -> bool:
        answer = prediction.lower() if self.ignore_case else prediction
        for reference in references:
            accepted = reference["answer"]
            for text in [accepted] if isinstance(accepted, str) else accepted:
                if answer == (text.lower() if self.ignore_case else text):
                    return True
        return False


def _type(references: Sequence[Any]) -> str:
    if references and all(isinstance(r, Mapping) and "answer" in r and "type" in r for r in references):
        return str(references[0]["type"])
    raise ScoringError(
        f"per_type_accuracy needs references with 'answer' and 'type', not {str(list(references))[:200]}"
    )
