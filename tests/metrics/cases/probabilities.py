"""Answers with the probabilities of their tokens."""

from __future__ import annotations

from typing import Any

from evalsuite.metrics import Answer


def answers_with_probabilities(best: float) -> dict[str, Any]:
    sure = [Answer("yes", str(n), log_probabilities=(0.0,)) for n in range(3)]
    unsure = [Answer("a cat", "0", log_probabilities=(-0.1, -2.0))]
    unsure += [Answer("no", "1", log_probabilities=(-0.5,)), Answer("a", "2", log_probabilities=(-1.0, 0.0, -3.0))]
    return {"predictions": unsure, "references": [["yes"]] * 3, "perfect": sure, "best": best}


CASES = {
    "answer_log_likelihood": lambda: answers_with_probabilities(0.0),
    "perplexity": lambda: answers_with_probabilities(1.0),
}
