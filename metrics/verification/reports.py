"""Golden files of generated reports and captions: RadGraph F1, human and Perspective ratings."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evalsuite.metrics.base import Answer
from evalsuite.metrics.non_entailment import NonEntailment, majority, rating_statistics
from evalsuite.metrics.radgraph import LEVELS, RadGraphF1, radgraph_rewards
from evalsuite.metrics.toxicity import ATTRIBUTES, GROUPINGS, Toxicity
from evalsuite.metrics.verification import Comparison, Line, is_error


def radgraph_f1(lines: list[Line], folder: Path) -> Iterator[tuple[Line, list[Comparison]]]:
    """Rewards of single annotated reports, case-sensitive (``pypi``) and not (``git``)."""
    for line in lines:
        pair = line["inputs"]["hyp"]["entities"], line["inputs"]["ref"]["entities"]
        comparisons = []
        for case, official in line["expected"].items():
            if not is_error(official):
                ours = dict(zip(LEVELS, radgraph_rewards(*pair, case), strict=True))
                comparisons += [Comparison(f"{case} {level}", ours[level], official[level]) for level in official]
        yield line, comparisons


def radgraph_f1_corpus(lines: list[Line], folder: Path) -> Iterator[tuple[Line, list[Comparison]]]:
    """Means and rewards of corpora with their annotations, as the package's wrapper gives them."""
    for line in lines:
        inputs, expected = line["inputs"], line["expected"]
        if is_error(expected):
            yield line, []
            continue
        with tempfile.TemporaryDirectory() as temporary:
            file = Path(temporary) / "annotations.jsonl"
            records = ({"text": text, "entities": found["entities"]} for text, found in inputs["annotations"].items())
            file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
            metric = RadGraphF1(annotations=str(file))
            references = [[reference] for reference in inputs["refs"]]
            values = metric.score(inputs["hyps"], references)
            rows = metric.batch_statistics(inputs["hyps"], references)
        columns = [[info.name for info in metric.values].index(f"radgraph_{level}") for level in LEVELS]
        yield (
            line,
            [
                Comparison("mean", [values[f"radgraph_{level}"] for level in LEVELS], expected["mean"]),
                Comparison("per_report", [rows[:, column].tolist() for column in columns], expected["per_report"]),
            ],
        )


def non_entailment(lines: list[Line], folder: Path) -> Iterator[tuple[Line, list[Comparison]]]:
    """Majorities, counts and the two shares; from the paper's definition, there is no official code."""
    metric = NonEntailment()
    for line in lines:
        ratings, expected = line["inputs"]["ratings"], line["expected"]
        if is_error(expected) or not ratings:
            yield line, []
            continue
        values = metric.finalize(np.sum([rating_statistics(votes) for votes in ratings], axis=0))
        majorities = [majority(votes) or "tie" for votes in ratings]
        counts = {
            "n_non_entailment": sum(m in ("Neutral", "Contradiction") for m in majorities),
            "n_entailment": majorities.count("Entailment"),
            "n_nothing": majorities.count("Nothing to assess"),
            "n_tie": majorities.count("tie"),
        }
        ours = {
            "majority": majorities,
            **counts,
            "nes_percent_over_all": 100 * float(values["nes"]),
            "nes_percent_over_assessable": 100 * float(values["nes_assessable"]),
        }
        yield line, [Comparison(what, ours[what], expected[what]) for what in ours if expected.get(what) is not None]


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
