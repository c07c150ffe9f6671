"""Small corpora for the caption metrics that are Java programs."""

from __future__ import annotations

from typing import Any


def captions() -> dict[str, Any]:
    references = [
        ["a man rides a brown horse", "a person on a horse"],
        ["two cats sleep on a red sofa"],
        ["a plate of food with broccoli on a table"],
        ["people wait for the train at night"],
    ]
    predictions = ["a man on a horse", "two dogs sleep on a red sofa", "food", "people wait for the train"]
    return {"predictions": predictions, "references": references, "perfect": [group[0] for group in references]}


CASES = {"meteor": captions, "spice": captions}
