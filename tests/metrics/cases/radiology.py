"""A corpus of reports with their annotations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

REPORTS = {
    "no pneumothorax": [("pneumothorax", "Observation::definitely absent", [])],
    "small left effusion": [
        ("small", "Observation::definitely present", [["modify", "3"]]),
        ("left", "Anatomy::definitely present", []),
        ("effusion", "Observation::definitely present", [["located_at", "2"]]),
    ],
    "small effusion": [
        ("small", "Observation::definitely present", [["modify", "2"]]),
        ("effusion", "Observation::definitely present", []),
    ],
    "possible pneumothorax": [("pneumothorax", "Observation::uncertain", [])],
    "the heart is large": [("heart", "Anatomy::definitely present", []), ("large", "Observation::uncertain", [])],
}


def reports() -> dict[str, Any]:
    def parameters(folder: Path) -> dict[str, Any]:
        annotations = {text: {"entities": entities(found)} for text, found in REPORTS.items()}
        (folder / "annotations.json").write_text(json.dumps(annotations), encoding="utf-8")
        return {"annotations": str(folder / "annotations.json")}

    references = ["no pneumothorax", "small left effusion", "the heart is large"]
    predictions = ["possible pneumothorax", "small effusion", ""]
    return {
        "predictions": predictions,
        "references": [[report] for report in references],
        "perfect": references,
        "parameters": parameters,
    }


def entities(found: list[tuple[str, str, list[list[str]]]]) -> dict[str, Any]:
    return {
        str(number): {"tokens": tokens, "label": label, "relations": relations}
        for number, (tokens, label, relations) in enumerate(found, 1)
    }


CASES = {"radgraph_f1": reports}
