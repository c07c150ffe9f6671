"""Golden files of radiology reports: RadGraph F1."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

from evalsuite.metrics.radiology.radgraph import LEVELS, RadGraphF1, radgraph_rewards
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
