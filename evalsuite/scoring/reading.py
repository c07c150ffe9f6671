"""Stored predictions as metrics take them: answers, references, and the strata that each example belongs to."""

from __future__ import annotations

import itertools
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalsuite.answers.parsing import parse_answer
from evalsuite.metrics import Answer, Metric
from evalsuite.scoring.marks import marks_of
from evalsuite.specs.schema import TaskSpec
from evalsuite.types import JsonValue, Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]


CHUNK = 4096
_NO_GROUP, _ABSENT = -1, -2


@dataclass(frozen=True, slots=True)
class Scorable:
    """What scoring needs of one split, in data set order. Examples without references are only counted.

    marks: a byte per answer, see :mod:`evalsuite.scoring.marks`.
    """

    answers: list[Answer] = field(default_factory=list)
    references: list[Sequence[JsonValue]] = field(default_factory=list)
    marks: bytearray = field(default_factory=bytearray)

    def predictions(self, metric: Metric) -> list[Answer] | list[str]:
        """The answers in the form that the metric takes."""
        return self.answers if metric.takes_answers else [answer.text for answer in self.answers]


@dataclass
class Groups:
    """Which stratum value each scored example belongs to: codes by stratum name, grown while reading.

    An example whose record gave no value belongs to none of the stratum's groups, but to the whole.
    """

    names: tuple[str, ...]
    values: dict[str, dict[str, int]] = field(default_factory=dict)
    codes: dict[str, array[int]] = field(default_factory=dict)
    errors: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, prediction: Prediction) -> None:
        for name in self.names:
            value = prediction.strata.get(name)
            known = self.values.setdefault(name, {})
            code = _NO_GROUP if value is None else known.setdefault(value, len(known))
            self.codes.setdefault(name, array("i")).append(code)

    def count_error(self, prediction: Prediction) -> None:
        self.errors["", ""] += 1
        self.errors.update((name, prediction.strata[name]) for name in self.names if name in prediction.strata)

    def count_lost(self, place: int) -> None:
        """As :meth:`count_error`, for an example that was added already, as number ``place``."""
        self.errors["", ""] += 1
        for name, values in self.values.items():
            self.errors.update((name, value) for value, code in values.items() if code == self.codes[name][place])

    def part(self, start: int, n: int) -> dict[str, tuple[Mapping[str, int], NDArray[np.int32]]]:
        """Stratum name -> its values so far with their codes, and the codes of n examples from number ``start`` on."""
        import numpy as np

        return {
            name: (self.values[name], np.asarray(codes[start : start + n], np.int32))
            for name, codes in self.codes.items()
        }

    def seen(self, only: Mapping[str, str], n: int) -> Mask:
        """Which of n examples a metric sees that is for one value of a stratum alone; all without that."""
        import numpy as np

        chosen = np.ones(n, bool)
        for name, value in only.items():
            chosen &= np.asarray(self.codes.get(name, ()), np.int32) == self.values.get(name, {}).get(value, _ABSENT)
        return chosen

    def masks(self, n: int) -> Iterator[tuple[str, str, Mask]]:
        """(stratum name, value, which of n examples): first all of them under empty names, then each value."""
        import numpy as np

        yield "", "", np.ones(n, bool)
        for name in self.names:
            codes = np.asarray(self.codes.get(name, ()), np.int32)
            for value, code in self.values.get(name, {}).items():
                yield name, value, codes == code


def scorable(predictions: Iterable[Prediction], spec: TaskSpec, groups: Groups) -> Iterator[Scorable]:
    """Predictions in chunks. A failed example is scored as an empty answer, never left out."""
    stream = iter(predictions)
    while chunk := list(itertools.islice(stream, CHUNK)):
        part = Scorable()
        for prediction in chunk:
            if prediction.error is not None:
                groups.count_error(prediction)
            if prediction.references is not None:
                groups.add(prediction)
                answer = answer_of(prediction, spec)
                part.answers.append(answer)
                part.references.append(prediction.references)
                part.marks.append(marks_of(prediction, answer.text, spec.decoding.max_new_tokens))
        yield part


def noted(parts: Iterator[Scorable], ids: list[str] | None) -> Iterator[Scorable]:
    """The parts as they are; the ids of their examples are added to ``ids``."""
    for part in parts:
        if ids is not None:
            ids += [answer.id for answer in part.answers]
        yield part


def answer_of(prediction: Prediction, spec: TaskSpec) -> Answer:
    """What the metrics see of a stored answer."""
    token_ids, log_probabilities = (prediction.details.get(name) for name in ("token_ids", "log_probabilities"))
    return Answer(
        parse_answer(prediction.text, spec.parsing),
        prediction.key.id,
        None if token_ids is None else tuple(token_ids),
        None if log_probabilities is None else tuple(log_probabilities),
    )
