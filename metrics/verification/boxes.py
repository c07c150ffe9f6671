"""Golden files of polygons, boxes, text spotting and box AP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from evalsuite.metrics.base import Answer
from evalsuite.metrics.boxes.box_ap import BoxAP
from evalsuite.metrics.boxes.clipping import EPSILON
from evalsuite.metrics.boxes.geometry import (
    Polygons,
    box_intersections,
    box_ioas,
    box_ious,
    polygon_overlaps,
)
from evalsuite.metrics.boxes.text_spotting import TextSpotting
from evalsuite.metrics.verification import Comparison, Line, is_error

Lines = Iterator[tuple[Line, list[Comparison]]]

_RATES = {
    "Fscore": "f1",
    "Precision": "precision",
    "Recall": "recall",
    "Tightness": "tightness",
    "PQ": "pq",
}
_COUNTS = (
    "tp_det_cnt",
    "num_prediction",
    "num_groundtruth",
    "tp_det_tightness_sum",
    "tp_e2e_cnt",
    "tp_e2e_tightness_sum",
)
_STATISTICS = {
    "AP": "ap",
    "AP50": "ap_50",
    "AP75": "ap_75",
    "APs": "ap_small",
    "APm": "ap_medium",
    "APl": "ap_large",
    "AR1": "ar_1",
    "AR10": "ar_10",
    "AR100": "ar_100",
    "ARs": "ar_small",
    "ARm": "ar_medium",
    "ARl": "ar_large",
}


def box_iou(lines: list[Line], folder: Path) -> Lines:
    """``iou``, ``intersection`` and ``ioa`` of plain boxes y1, x1, y2, x2."""
    functions = {"iou": box_ious, "intersection": box_intersections, "ioa": box_ioas}
    for line in lines:
        first, second, expected = line["inputs"]["boxes1"], line["inputs"]["boxes2"], line["expected"]
        if is_error(expected):
            yield line, []
            continue
        yield (
            line,
            [
                Comparison(name, f(first, second).ravel().tolist(), _flat(expected[name]))
                for name, f in functions.items()
            ],
        )


def polygon_iou(lines: list[Line], folder: Path) -> Lines:
    """Areas, intersection, IoU and the share of the second polygon that is covered, with HierText's epsilon."""
    for line in lines:
        expected = line["expected"]
        if is_error(expected):
            yield line, []
            continue
        first, second = (Polygons.of([np.array(line["inputs"][side], float)]) for side in "ab")
        shared = float(polygon_overlaps(first, second)[2].sum())
        area_a, area_b = float(first.areas[0]), float(second.areas[0])
        ours = {
            "area_a": area_a,
            "area_b": area_b,
            "intersection": shared,
            "iou": shared / (area_a + area_b - shared + EPSILON),
            "ioa_b": shared / (area_b + EPSILON),
        }
        yield line, [Comparison(name, ours[name], value) for name, value in expected.items()]


def hiertext_word_f1(lines: list[Line], folder: Path) -> Lines:
    """Counts and rates of the official evaluator, predictions being given as JSON."""
    metric = TextSpotting()
    for line in lines:
        expected = line["expected"]
        if is_error(expected):
            yield line, []
            continue
        images = line["inputs"]["images"]
        predictions = [json.dumps(image["pred"]) for image in images]
        total = metric.batch_statistics(predictions, [[{"words": image["gt"]}] for image in images]).sum(axis=0)
        values = metric.finalize(total)
        comparisons = [Comparison(name, float(total[k]), expected["counts"][name]) for k, name in enumerate(_COUNTS)]
        for name, official in expected["metrics"].items():
            level, _, rate = name.partition("-")
            ours = f"{'e2e' if level == 'E2E' else 'detection'}_{_RATES[rate]}"
            comparisons.append(Comparison(name, float(values[ours]), official))
        yield line, comparisons


def coco_map(lines: list[Line], folder: Path) -> Lines:
    """The twelve statistics of pycocotools and AP per category; -1 there is NaN here."""
    for line in lines:
        expected = line["expected"]
        if is_error(expected):
            yield line, []
            continue
        predictions, references = _corpus(line["inputs"])
        if not predictions:  # no images: nothing to score, and officially -1 throughout
            yield line, []
            continue
        comparisons: list[Comparison] = []
        ready = BoxAP().prepare(predictions, references)
        weights = np.ones(len(predictions))
        values = ready.weighted_values(weights)
        for name, official in expected["stats"].items():
            comparisons.append(Comparison(name, _official(values[_STATISTICS[name]]), official))
        per_category = ready.category_values(weights)
        for category, official in expected["ap_per_category"].items():
            ours = per_category.get(f"c{category}", np.nan)
            comparisons.append(Comparison(f"category {category}", _official(ours), official))
        yield line, comparisons


def _corpus(inputs: dict[str, Any]) -> tuple[list[Answer], list[list[dict[str, Any]]]]:
    """Answers and references of a COCO ground truth and its detections, images in the order of their ids."""
    truth = inputs["gt"]
    answers, references = [], []
    for image in sorted(truth["images"], key=lambda image: int(image["id"])):
        detections = [
            {"bbox": d["bbox"], "category": f"c{d['category_id']}", "score": d["score"]}
            for d in inputs["dt"]
            if d["image_id"] == image["id"]
        ]
        objects = [
            {
                "id": a["id"],
                "bbox": a["bbox"],
                "category": f"c{a['category_id']}",
                "iscrowd": a.get("iscrowd", 0),
                "area": a["area"],
            }
            for a in truth["annotations"]
            if a["image_id"] == image["id"]
        ]
        answers.append(Answer(json.dumps(detections), id=str(image["id"])))
        references.append([{"objects": objects, "size": [image.get("height", 1), image.get("width", 1)]}])
    return answers, references


def _official(value: Any) -> float:
    return -1.0 if np.isnan(value) else float(value)


def _flat(rows: list[Any]) -> list[Any]:
    return [value for row in rows for value in row]
