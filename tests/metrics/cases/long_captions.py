"""Long captions, and their sentences with ratings."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from evalsuite.metrics import Answer


def long_captions() -> dict[str, Any]:
    """The longest caption is the "best": no length is better as such."""
    captions = ["A red boat lies on a beach. Two gulls sit on it.", "Three cups stand on a table.", "Snow! Only snow."]
    return {
        "predictions": [caption[: 6 * n] for n, caption in enumerate(captions, 1)],
        "references": [[]] * len(captions),
        "perfect": captions,
        "best": sum(map(len, captions)) / len(captions),
    }


def rated_captions() -> dict[str, Any]:
    """Answers ``good-n`` whose sentences are all entailed, and ``bad-n`` of which some are not."""
    e, n, c, x = "Entailment", "Neutral", "Contradiction", "Nothing to assess"
    bad = [
        ("A dog runs.", [e, e, n, e, c]),
        ("It is blue.", [c, c, n, e, c]),
        ("What a day!", [x, x, e, x, n]),
        ("A man waits.", [n, n, e, e, c]),
    ]

    def parameters(folder: Path) -> dict[str, Any]:
        with open(folder / "ratings.csv", "w", encoding="utf-8", newline="") as file:
            sheet = csv.writer(file)
            sheet.writerow(["id", "number", "sentence", *(f"rating_{k}" for k in range(1, 6))])
            for place, (sentence, ratings) in enumerate(bad):
                sheet.writerow([f"bad-{place}", 1, sentence, *ratings])
                sheet.writerow([f"good-{place}", 1, sentence, e, e, e, e, n])
        return {"ratings": str(folder / "ratings.csv")}

    return {
        "predictions": [Answer(sentence, f"bad-{place}") for place, (sentence, _) in enumerate(bad)],
        "references": [[]] * len(bad),
        "perfect": [Answer(sentence, f"good-{place}") for place, (sentence, _) in enumerate(bad)],
        "best": 0.0,
        "parameters": parameters,
    }


CASES = {"caption_length": long_captions, "non_entailment": rated_captions}
