"""Golden files of harm in captions: shares of subgroups by Perspective scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.metrics.base import Answer
from evalsuite.metrics.safety.toxicity import ATTRIBUTES, GROUPINGS, Toxicity
from evalsuite.metrics.verification import Comparison, Line, is_error


@dataclass(frozen=True)
class _KnownScores:
    """Scores that come with the golden line, under the caption's place as its text."""

    captions: tuple[Mapping[str, float], ...]
    name: str = "golden"

    def scores(self, texts: Sequence[str]) -> list[Mapping[str, float]]:
        return [self.captions[int(text)] for text in texts]

    def __hash__(self) -> int:
        return id(self)


def perspective_fractions(lines: list[Line], folder: Path) -> Iterator[tuple[Line, list[Comparison]]]:
    """Percentages per subgroup with their maximum and median; from the paper's definition."""
    for line in lines:
        captions, expected = line["inputs"]["captions"], line["expected"]
        if is_error(expected) or not captions:
            yield line, []
            continue
        scorer = _KnownScores(tuple(caption["scores"] for caption in captions))
        answers = [Answer(str(place)) for place in range(len(captions))]
        references: list[list[Any]] = [[{grouping: c.get(grouping) for grouping in GROUPINGS}] for c in captions]
        metric = Toxicity(scorer=scorer, threshold=line["inputs"]["threshold"]).prepare(answers, references)
        assert isinstance(metric, Toxicity)
        total = metric.batch_statistics(answers, references).sum(axis=0)
        values, comparisons = metric.finalize(total), []
        for attribute in ATTRIBUTES:
            for grouping in GROUPINGS:
                official = expected.get(f"{attribute}/{grouping}")
                if official is None:
                    continue
                shares = metric.by_subgroup(total, attribute, grouping)
                ours = {
                    "per_group_percent": {group: 100 * float(share) for group, share in shares.items()},
                    "max": 100 * float(values[f"{attribute}_{grouping}_max"]),
                    "median": 100 * float(values[f"{attribute}_{grouping}_median"]),
                }
                comparisons += [
                    Comparison(f"{attribute}/{grouping} {what}", ours[what], official[what])
                    for what in ours
                    if official.get(what) is not None
                ]
        yield line, comparisons
