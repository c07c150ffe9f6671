"""What the checkers of questions share: the examples of a golden line, and comparisons with its programs."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalsuite.metrics import Metric
from evalsuite.metrics.verification import Comparison, Line, is_error

Lines = list[Line]
Checked = Iterator[tuple[Line, list[Comparison]]]
Inputs = Mapping[str, Any]
Example = Mapping[str, Any]
References = Callable[[Example], Sequence[Any]]


class Found:
    """Comparisons of one line; what the official program leaves out or raises on is not compared."""

    def __init__(self, expected: Mapping[str, Any]) -> None:
        self._expected = expected
        self.comparisons: list[Comparison] = []

    def add(self, program: str, key: str, ours: Any) -> None:
        """Compare with ``expected[program]``, or with its entry ``key``."""
        official = self.expected(program)
        if key:
            official = official.get(key) if isinstance(official, Mapping) and not is_error(official) else None
        if official is not None and ours is not None and not is_error(official):
            self.compare(f"{program} {key}".strip(), ours, official)

    def expected(self, program: str) -> Any:
        """What a program says, errors included; None where it was not run."""
        return self._expected.get(program)

    def compare(self, what: str, ours: Any, official: Any) -> None:
        self.comparisons.append(Comparison(what, ours, official))


def each_line(check: Callable[[Inputs, Found], None]) -> Callable[[Lines, Path], Checked]:
    """A checker from what compares one line. A line of a form not known here is not compared."""

    @functools.wraps(check)
    def checker(lines: Lines, folder: Path) -> Checked:
        for line in lines:
            found = Found(line["expected"])
            if any(key in line["inputs"] for key in ("examples", "prediction", "text", "gpt_grades", "dataset")):
                check(line["inputs"], found)
            yield line, found.comparisons

    return checker


def examples_of(inputs: Inputs) -> Sequence[Example]:
    examples: Sequence[Example] = inputs.get("examples", [inputs])
    return examples


def _columns(examples: Iterable[Example], references: References) -> tuple[list[str], list[Sequence[Any]]]:
    """Predictions, empty where one is missing, and references."""
    pairs = [(example.get("prediction") or "", references(example)) for example in examples]
    return [prediction for prediction, _ in pairs], [group for _, group in pairs]


def value(metric: Metric, examples: Sequence[Example], references: References) -> float:
    """The metric's first value."""
    return metric.score(*_columns(examples, references))[metric.values[0].name]


def grouped(examples: Sequence[Example], key: str) -> dict[Any, list[Example]]:
    groups: dict[Any, list[Example]] = defaultdict(list)
    for example in examples:
        if key in example:
            groups[example[key]].append(example)
    return dict(groups)


def answers(example: Example) -> Sequence[str]:
    answers: Sequence[str] = example["answers"]
    return answers


def answer(example: Example) -> Sequence[str]:
    return [example["answer"]]
