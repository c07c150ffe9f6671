"""Corpora for the metrics of reports and captions that need annotations, ratings or scores beside the answers."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from evalsuite.metrics import Answer

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


def answers_with_probabilities(best: float) -> dict[str, Any]:
    sure = [Answer("yes", str(n), log_probabilities=(0.0,)) for n in range(3)]
    unsure = [Answer("a cat", "0", log_probabilities=(-0.1, -2.0))]
    unsure += [Answer("no", "1", log_probabilities=(-0.5,)), Answer("a", "2", log_probabilities=(-1.0, 0.0, -3.0))]
    return {"predictions": unsure, "references": [["yes"]] * 3, "perfect": sure, "best": best}


CASES = {
    "answer_log_likelihood": lambda: answers_with_probabilities(0.0),
    "caption_length": long_captions,
    "non_entailment": rated_captions,
    "perplexity": lambda: answers_with_probabilities(1.0),
    "radgraph_f1": reports,
    "toxicity": scored_captions,
}
