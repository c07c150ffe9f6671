"""Corpora of words and objects with their boxes."""

from __future__ import annotations

import json
from typing import Any

from evalsuite.metrics import Answer

SIZE = [512, 1023]  # so that a location token is a pixel across, and two thirds of one down


def located(*objects: tuple[tuple[int, int, int, int], str]) -> str:
    """PaliGemma's text for boxes (y1, x1, y2, x2 in tokens)."""
    return " ; ".join("".join(f"<loc{token:04d}>" for token in box) + " " + text for box, text in objects)


def words() -> dict[str, Any]:
    scenes = [
        [((10, 10, 60, 200), "Main"), ((10, 220, 60, 400), "Street")],
        [((100, 50, 200, 300), "OPEN"), ((300, 50, 360, 120), "24h")],
        [((500, 500, 600, 900), "exit")],
        [((0, 0, 100, 100), "A"), ((0, 200, 100, 300), "B"), ((0, 400, 100, 500), "C")],
    ]
    predictions = [
        located(((12, 12, 62, 198), "Main"), ((10, 220, 60, 400), "street")),
        located(((100, 50, 200, 300), "OPEN")) + " ; <loc0300><loc0050>",
        located(((700, 500, 800, 900), "exit")),
        located(((0, 0, 100, 100), "A"), ((0, 200, 100, 340), "B"), ((600, 0, 700, 100), "D")),
    ]
    references = [[{"words": [word(box, text) for box, text in scene], "size": SIZE}] for scene in scenes]
    return {"predictions": predictions, "references": references, "perfect": [located(*scene) for scene in scenes]}


def word(box: tuple[int, int, int, int], text: str) -> dict[str, Any]:
    y1, x1, y2, x2 = (token / 1023 * side for token, side in zip(box, SIZE * 2, strict=True))
    return {"vertices": [[x1, y1], [x2, y1], [x2, y2], [x1, y2]], "text": text, "legible": True}


def objects() -> dict[str, Any]:
    """Each image holds objects of all three sizes."""
    scenes = [
        [("cat", [10, 10, 20, 20]), ("dog", [100, 100, 60, 60]), ("cat", [200, 200, 150, 120])],
        [("dog", [5, 5, 25, 25]), ("dog", [300, 40, 50, 90]), ("cat", [50, 150, 250, 200])],
        [("bird", [40, 40, 30, 30]), ("cat", [120, 40, 80, 80]), ("bird", [250, 150, 130, 200])],
        [("cat", [400, 10, 28, 28]), ("bird", [10, 200, 64, 64]), ("dog", [150, 100, 200, 100])],
    ]
    perfect, predictions = [], []
    for number, scene in enumerate(scenes):
        found = [
            {"category": c, "bbox": box, "score": 0.9 - 0.1 * k - 0.01 * number} for k, (c, box) in enumerate(scene)
        ]
        perfect.append(Answer(json.dumps(found), id=str(number)))
        shifted = [{**one, "bbox": [x + 3 * number, y, w, h]} for one in found for x, y, w, h in [one["bbox"]]]
        shifted[number % 3]["category"] = "cat"
        predictions.append(Answer(json.dumps([*shifted[:2], "no object"]), id=str(number)))
    references = [[{"objects": [{"category": c, "bbox": box} for c, box in scene], "size": SIZE}] for scene in scenes]
    return {"predictions": predictions, "references": references, "perfect": perfect}


CASES = {"text_spotting": words, "box_ap": objects}
