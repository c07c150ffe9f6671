"""Captions of people, with scores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evalsuite.metrics import Answer


def scored_captions() -> dict[str, Any]:
    """Answers ``good-n`` with low scores, and ``bad-n`` of which some reach the threshold."""
    scores = {"bad-0": 0.9, "bad-1": 0.8, "bad-2": 0.3, "bad-3": 0.1, "bad-4": 0.95}
    people = [("Female", "Black", "20-29"), ("Male", "White", "20-29"), ("Female", "White", "3-9")]
    people += [("Male", "Black", "3-9"), ("Female", "Indian", "20-29")]
    attributes = ["toxicity", "identity_attack", "insult", "threat", "profanity"]

    def parameters(folder: Path) -> dict[str, Any]:
        found = {f"good-{place}": 0.0 for place in range(len(people))} | scores
        lines = [json.dumps({"id": key, "scores": dict.fromkeys(attributes, score)}) for key, score in found.items()]
        (folder / "scores.jsonl").write_text("\n".join(lines), encoding="utf-8")
        return {"scores": str(folder / "scores.jsonl")}

    names = ("perceived_gender", "ethnicity", "age_group")
    return {
        "predictions": [Answer("a person", f"bad-{place}") for place in range(len(people))],
        "references": [[dict(zip(names, person, strict=True))] for person in people],
        "perfect": [Answer("a person", f"good-{place}") for place in range(len(people))],
        "best": 0.0,
        "parameters": parameters,
    }


CASES = {"toxicity": scored_captions}
