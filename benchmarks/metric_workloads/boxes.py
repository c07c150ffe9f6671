"""Workloads of text spotting, box AP and mask IoU, each beside the official or the obvious way to compute it."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from evalsuite.metrics import Answer, load_metric
from evalsuite.scoring.workers import StatisticsWorkers

Workload = tuple[str, Callable[[], object], Callable[[], object], float]

_EPSILON = 1e-5


def workloads(scale: float) -> Iterator[Workload]:
    """(label, ours, theirs, share of the workload that theirs is given) at ``scale`` times the full size."""
    yield text_spotting(max(2, round(1500 * scale)))
    yield box_ap(max(2, round(5000 * scale)))
    yield from mask_iou(max(32, round(10_000 * scale)))


# --- text spotting ----------------------------------------------------------------------------------------------


def text_spotting(images: int) -> Workload:
    """HierText's sizes: 94 words an image, exponentially spread; turned quadrilaterals, an eighth don't-care."""
    random = np.random.default_rng(0)
    scenes = [_scene(random) for _ in range(images)]
    predictions = [json.dumps(predicted) for _, predicted in scenes]
    references = [[{"words": words, "size": [1200, 1600]}] for words, _ in scenes]
    fraction = 0.2

    def ours() -> object:
        return load_metric("text_spotting").score(predictions, references)

    def official() -> object:
        chosen = round(images * fraction)
        return _hiertext(predictions[:chosen], references[:chosen])

    label = f"text_spotting, {images} images x 94 words (HierText's loop over polygons, on a fifth)"
    return label, ours, official, fraction


def _scene(random: np.random.Generator) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """True words on a loose grid, and predictions: most of them near a true one, some read wrongly."""
    count = int(min(random.exponential(94) + 1, 385))
    places = random.permutation(400)[:count]
    words, predicted = [], []
    for place in places:
        centre = np.array([place % 20 * 80 + 40, place // 20 * 60 + 30]) + random.uniform(-10, 10, 2)
        half = np.array([random.uniform(10, 38), random.uniform(6, 14)])
        corners = _turned(centre, half, random.normal(0, 0.1))
        text = "".join(chr(97 + letter) for letter in random.integers(0, 26, random.integers(1, 10)))
        words.append({"vertices": corners.round(1).tolist(), "text": text, "legible": bool(random.random() > 0.12)})
        if random.random() < 0.85:
            near = corners + random.normal(0, 1.5, (4, 2))
            read = text if random.random() < 0.8 else text[::-1] + "x"
            predicted.append({"vertices": near.round(1).tolist(), "text": read})
    return words, predicted


def _turned(centre: np.ndarray, half: np.ndarray, angle: float) -> np.ndarray:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half @ turn.T + centre


def _hiertext(predictions: list[str], references: list[list[dict[str, Any]]]) -> np.ndarray:
    """The work of HierText's evaluator, restated: a shapely polygon a word, and a loop over all pairs of each image."""
    total = np.zeros(6)
    for prediction, (reference,) in zip(predictions, references, strict=True):
        found = json.loads(prediction)
        answers, bounds = _polygons(found)
        truths, true_bounds = _polygons(reference["words"])
        weights = np.array([1.0 if word["legible"] else 0.0 for word in reference["words"]])
        texts = np.array([word["text"] for word in reference["words"]])
        read = np.array([word["text"] for word in found])
        ignored, valid = np.where(weights < 0.5)[0], np.where(weights >= 0.5)[0]
        if ignored.size and answers:
            covered, areas, _ = _intersections(answers, bounds, [truths[i] for i in ignored], true_bounds[ignored])
            kept = np.where((covered / (areas[:, None] + _EPSILON)).max(axis=1) < 0.5)[0]
            answers, bounds, read = [answers[j] for j in kept], bounds[kept], read[kept]
        truths, true_bounds, texts = [truths[i] for i in valid], true_bounds[valid], texts[valid]
        total[1:3] += len(answers), len(truths)
        if answers and truths:
            total += _count(*_intersections(truths, true_bounds, answers, bounds), texts, read)
    return total


def _count(
    shared: np.ndarray, areas1: np.ndarray, areas2: np.ndarray, texts: np.ndarray, read: np.ndarray
) -> np.ndarray:
    overlap = shared / (areas1[:, None] + areas2[None] - shared + _EPSILON)
    best, back = overlap.argmax(axis=1), overlap.argmax(axis=0)
    counts = np.zeros(6)
    true_texts, read_texts = [str(text) for text in texts], [str(text) for text in read]
    for i in range(len(overlap)):
        score = overlap[i, best[i]]
        if score >= 0.5 and back[best[i]] == i:
            counts[[0, 3]] += 1, score
            if true_texts[i] == read_texts[best[i]]:
                counts[[4, 5]] += 1, score
    return counts


def _polygons(words: list[dict[str, Any]]) -> tuple[list[Any], np.ndarray]:
    from shapely.geometry import Polygon
    from shapely.validation import make_valid

    raw = [Polygon(np.array(word["vertices"], float)) for word in words]
    bounds = []
    for polygon in raw:
        x, y = polygon.exterior.coords.xy
        bounds.append([np.min(y), np.min(x), np.max(y), np.max(x)])
    return [polygon if polygon.is_valid else make_valid(polygon) for polygon in raw], np.array(bounds).reshape(-1, 4)


def _intersections(
    first: list[Any], bounds1: np.ndarray, second: list[Any], bounds2: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    areas1, areas2 = np.array([p.area for p in first]), np.array([p.area for p in second])
    low = np.maximum(bounds1[:, None, :2], bounds2[None, :, :2])
    high = np.minimum(bounds1[:, None, 2:], bounds2[None, :, 2:])
    meet = np.maximum(high - low, 0.0).prod(axis=2)
    shared = np.zeros((len(first), len(second)))
    for i in range(len(first)):
        for j in range(len(second)):
            if meet[i, j] > 0 and areas1[i] >= _EPSILON and areas2[j] >= _EPSILON:
                shared[i, j] = first[i].intersection(second[j]).area
            else:
                shared[i, j] = 0.0
    return shared, areas1, areas2


# --- box AP -----------------------------------------------------------------------------------------------------


def box_ap(images: int) -> Workload:
    """COCO val2017's sizes: some 7 true objects of 80 categories and 40 detections an image."""
    random = np.random.default_rng(1)
    answers, references, truth, detections = [], [], [], []
    for image in range(1, images + 1):
        objects, found = _boxes(random)
        answers.append(Answer(json.dumps(found), id=str(image)))
        references.append([{"objects": objects, "size": [480, 640]}])
        truth += [{**_with_id(one, image), "id": len(truth) + k} for k, one in enumerate(objects, 1)]
        detections += [_with_id(one, image) for one in found]

    def ours() -> object:
        return load_metric("box_ap").score(answers, references)

    def official() -> object:
        return _pycocotools(images, truth, detections)

    label = f"box_ap, {images} images, {len(detections)} detections (pycocotools)"
    return label, ours, official, 1.0


def _boxes(random: np.random.Generator) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    objects, found = [], []
    for _ in range(random.poisson(6.85)):
        width, height = np.exp(random.uniform(np.log(10), np.log(300), 2))
        box = np.array([random.uniform(0, 640 - width), random.uniform(0, 480 - height), width, height])
        category = f"category {int(80 * random.random() ** 2)}"
        area = float(width * height * random.uniform(0.5, 1))
        objects.append({"bbox": box.round(2).tolist(), "category": category, "area": area, "iscrowd": 0})
        for _ in range(random.poisson(2)):
            near = box * (1 + random.normal(0, 0.05, 4))
            found.append({"bbox": near.round(2).tolist(), "category": category, "score": random.random() ** 0.5})
    while len(found) < 40:
        width, height = random.uniform(10, 200, 2)
        box = [random.uniform(0, 640 - width), random.uniform(0, 480 - height), width, height]
        category = f"category {int(random.integers(80))}"
        found.append({"bbox": np.round(box, 2).tolist(), "category": category, "score": random.random() ** 2})
    return objects, found[:40]


def _with_id(one: dict[str, Any], image: int) -> dict[str, Any]:
    return {**one, "image_id": image, "category_id": int(one["category"].split()[1])}


def _pycocotools(images: int, truth: list[dict[str, Any]], detections: list[dict[str, Any]]) -> object:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image} for image in range(1, images + 1)],
            "annotations": [dict(one) for one in truth],
            "categories": [{"id": category} for category in range(80)],
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes([dict(one) for one in detections]), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation.stats


# --- mask IoU ---------------------------------------------------------------------------------------------------


def mask_iou(expressions: int) -> Iterator[Workload]:
    """RefCOCO's sizes: masks of 480 x 640, an ellipse each, answers near its box with random mask codes."""
    random = np.random.default_rng(2)
    texts, references = [], []
    for _ in range(expressions):
        box, reference = _ellipse(random)
        corners = np.clip(np.round((np.array(box) + random.normal(0, 0.02, 4)) * 1023), 0, 1023).astype(int)
        codes = random.integers(0, 128, 16)
        texts.append("".join(f"<loc{c:04d}>" for c in corners) + "".join(f"<seg{c:03d}>" for c in codes))
        references.append([reference])
    fraction = 0.05
    decode = _torch_decoder()

    def ours() -> object:
        return load_metric("mask_iou").score(texts, references)

    def ours_in_processes() -> object:
        """As ``evalsuite score`` does it on two cores."""
        metric = load_metric("mask_iou")
        with StatisticsWorkers(2) as workers:
            return metric.finalize(workers.batch_statistics(metric, texts, references).sum(axis=0))

    def obvious() -> object:
        chosen = round(expressions * fraction)
        return _naive_masks(decode, texts[:chosen], references[:chosen])

    against = "torch decoder, full-size masks, on a twentieth"
    yield f"mask_iou, {expressions} expressions, 480 x 640, one process ({against})", ours, obvious, fraction
    yield f"the same, two processes ({against})", ours_in_processes, obvious, fraction


def _ellipse(random: np.random.Generator) -> tuple[tuple[float, ...], dict[str, Any]]:
    from evalsuite.metrics.boxes.masks import mask_to_rle

    y, x = random.uniform(0.25, 0.75, 2)
    h, w = random.uniform(0.05, 0.24, 2)
    rows, columns = np.mgrid[:480, :640]
    inside = ((rows / 480 - y) / h) ** 2 + ((columns / 640 - x) / w) ** 2 <= 1
    box = (y - h, x - w, y + h, x + w)
    return box, {"mask": {"size": [480, 640], "counts": mask_to_rle(inside)}, "box_yxyx": list(box)}


def _naive_masks(
    decode: Callable[[np.ndarray], np.ndarray], texts: list[str], references: list[list[dict[str, Any]]]
) -> float:
    """One example at a time: decode, resize, paste into a full-size mask, compare."""
    import re

    from PIL import Image

    total = 0.0
    for text, (reference,) in zip(texts, references, strict=True):
        numbers = [int(number) for number in re.findall(r"\d+", text)]
        height, width = reference["mask"]["size"]
        runs = reference["mask"]["counts"]
        truth = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(width, height).T
        y1, x1, y2, x2 = (int(n / 1023 * side) for n, side in zip(numbers[:4], [height, width] * 2, strict=True))
        if y2 <= y1 or x2 <= x1:
            continue
        mask = decode(np.array(numbers[4:20]))
        predicted = np.zeros((height, width), bool)
        predicted[y1:y2, x1:x2] = np.asarray(Image.fromarray(mask).resize((x2 - x1, y2 - y1), Image.BILINEAR)) > 0
        total += (predicted & truth).sum() / (predicted | truth).sum()
    return total / len(texts)


def _torch_decoder() -> Callable[[np.ndarray], np.ndarray]:
    """The decoder as a torch network with the same untrained weights; with scipy where torch is not installed."""
    from evalsuite.metrics.boxes.vqvae import random_weights

    weights = random_weights(0)
    try:
        import torch
    except ImportError:
        return lambda codes: _scipy_decode(weights, codes)
    from torch.nn import functional

    torch.set_num_threads(1)  # faster than several for one mask at a time
    tensors = {name: torch.tensor(array) for name, array in weights.items()}

    def layer(x: Any, name: str, padding: int = 0) -> Any:
        return functional.conv2d(x, tensors[f"{name}.weight"], tensors[f"{name}.bias"], padding=padding)

    def decode(codes: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            x = tensors["_vq_vae._embedding"][torch.tensor(codes)].reshape(1, 4, 4, 512).permute(0, 3, 1, 2)
            x = layer(x, "decoder.0").relu()
            for block in ("decoder.2.net", "decoder.3.net"):
                y = layer(layer(x, f"{block}.0", 1).relu(), f"{block}.2", 1).relu()
                x = x + layer(y, f"{block}.4")
            for name in ("decoder.4", "decoder.6", "decoder.8", "decoder.10"):
                weight, bias = tensors[f"{name}.weight"], tensors[f"{name}.bias"]
                x = functional.conv_transpose2d(x, weight, bias, stride=2, padding=1).relu()
            return layer(x, "decoder.12")[0, 0].numpy()

    return decode


def _scipy_decode(weights: dict[str, np.ndarray], codes: np.ndarray) -> np.ndarray:
    """The same network by scipy's correlation, channel by channel."""
    from scipy.signal import correlate2d

    def layer(x: np.ndarray, weight: np.ndarray, bias: np.ndarray) -> np.ndarray:
        mode = "same" if weight.shape[-1] == 3 else "valid"
        return np.array(
            [sum(correlate2d(a, k, mode) for a, k in zip(x, kernel, strict=True)) + b
             for kernel, b in zip(weight, bias, strict=True)]
        )  # fmt: skip

    def plain(x: np.ndarray, name: str) -> np.ndarray:
        return layer(x, weights[f"{name}.weight"], weights[f"{name}.bias"])

    x = weights["_vq_vae._embedding"][codes].reshape(4, 4, 512).transpose(2, 0, 1)
    x = np.maximum(plain(x, "decoder.0"), 0)
    for block in ("decoder.2.net", "decoder.3.net"):
        y = np.maximum(plain(np.maximum(plain(x, f"{block}.0"), 0), f"{block}.2"), 0)
        x = x + plain(y, f"{block}.4")
    for name in ("decoder.4", "decoder.6", "decoder.8", "decoder.10"):
        spread = np.zeros((len(x), 2 * x.shape[1] + 3, 2 * x.shape[2] + 3), np.float32)
        spread[:, 2:-2:2, 2:-2:2] = x  # zeros between the pixels turn the transposed layer into a plain one
        kernels = weights[f"{name}.weight"].transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]
        x = np.maximum(layer(spread, kernels, weights[f"{name}.bias"]), 0)
    return plain(x, "decoder.12")[0].astype(np.float32)
