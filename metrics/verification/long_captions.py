"""Golden files of long captions that people rated, sentence by sentence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from evalsuite.metrics.captions.non_entailment import NonEntailment, majority, rating_statistics
from evalsuite.metrics.verification import Comparison, Line, is_error


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
