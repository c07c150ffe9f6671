"""Box AP: equal to pycocotools on recorded and on random corpora, confidences, weights, and what is no detection."""

from __future__ import annotations

import contextlib
import io
import json
import time

import numpy as np
import pytest

from evalsuite.errors import ScoringError, UsageError
from evalsuite.metrics import Answer, load_metric
from evalsuite.metrics.boxes.box_ap import BoxAP
from evalsuite.metrics.verification import shipped_golden_files, verify_file

GOLDEN = shipped_golden_files()
TWELVE = [value.name for value in BoxAP.values[:12]]


def answer(*objects):
    """Objects are (category, bbox, score)."""
    return Answer(json.dumps([{"category": c, "bbox": box, "score": score} for c, box, score in objects]))


def reference(*objects, size=(480, 640)):
    return [{"objects": [{"category": c, "bbox": box} for c, box, *_ in objects], "size": list(size)}]


# --- agreement --------------------------------------------------------------------------------------------------


def test_equals_pycocotools_on_the_recorded_corpora():
    verdict = verify_file(GOLDEN / "coco_map.jsonl.gz")
    assert verdict.passed, verdict.failures
    assert verdict.compared > 700


def random_corpus(random, images, first_id=1):
    """Crowds, repeated scores, shifted and doubled boxes, areas that differ from the box. Ids count from first_id."""
    truth, detections = [], []
    for image in range(1, images + 1):
        for _ in range(random.integers(0, 12)):
            w, h = random.choice([8, 32, 40, 96, 200], 2) * random.choice([1.0, random.uniform(0.5, 1.5)])
            x, y = random.integers(0, 400, 2)
            common = {"image_id": image, "category_id": int(random.integers(3))}
            area, crowd = float(w * h * random.choice([1, 0.6])), int(random.random() < 0.1)
            box = [float(x), float(y), float(w), float(h)]
            truth.append({**common, "id": first_id + len(truth), "bbox": box, "area": area, "iscrowd": crowd})
            for _ in range(random.integers(0, 4)):
                moved = np.array(box) + random.normal(0, 1, 4) * random.choice([0, 0, 2, 6])
                score = float(np.round(random.random(), 1))
                detections.append({**common, "bbox": np.maximum(moved, 1).tolist(), "score": score})
    return truth, detections


def official(images, truth, detections):
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image} for image in range(1, images + 1)],
            "annotations": [dict(one) for one in truth],
            "categories": [{"id": category} for category in range(3)],
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes([dict(one) for one in detections]), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return np.where(evaluation.stats == -1, np.nan, evaluation.stats)


def as_examples(images, truth, detections):
    answers, references = [], []
    for image in range(1, images + 1):
        found = [{**one, "category": one["category_id"]} for one in detections if one["image_id"] == image]
        objects = [{**one, "category": one["category_id"]} for one in truth if one["image_id"] == image]
        answers.append(Answer(json.dumps(found), id=str(image)))
        references.append([{"objects": objects}])
    return answers, references


@pytest.mark.parametrize("seed", range(12))
def test_equals_pycocotools_on_random_corpora(seed):
    """Every other corpus has an annotation with id 0, which pycocotools cannot match."""
    random = np.random.default_rng(seed)
    corpus = random_corpus(random, 8, first_id=seed % 2)
    values = BoxAP().score(*as_examples(8, *corpus))
    np.testing.assert_allclose([values[name] for name in TWELVE], official(8, *corpus), rtol=0, atol=1e-12)


# --- weights ----------------------------------------------------------------------------------------------------


def distinct_scores(detections, random):
    return [
        {**one, "score": float(score)} for one, score in zip(detections, random.random(len(detections)), strict=True)
    ]


def test_a_weight_of_k_is_k_copies_of_the_image():
    """Also in pycocotools, where copies are further images."""
    random = np.random.default_rng(3)
    truth, detections = random_corpus(random, 6)
    detections = distinct_scores(detections, random)
    weights = [2, 0, 1, 3, 1, 1]
    copies = [image for image, weight in enumerate(weights, 1) for _ in range(weight)]
    copied_truth = [{**a, "image_id": k} for k, image in enumerate(copies, 1) for a in truth if a["image_id"] == image]
    copied_truth = [{**a, "id": k} for k, a in enumerate(copied_truth, 1)]
    copied = [{**d, "image_id": k} for k, image in enumerate(copies, 1) for d in detections if d["image_id"] == image]
    ready = BoxAP().prepare(*as_examples(6, truth, detections))
    values = ready.weighted_values(np.array(weights, float))
    np.testing.assert_allclose(
        [values[name] for name in TWELVE], official(len(copies), copied_truth, copied), atol=1e-12
    )


def test_many_weightings_at_once_are_each_alone():
    random = np.random.default_rng(4)
    ready = BoxAP().prepare(*as_examples(5, *random_corpus(random, 5)))
    weights = random.integers(0, 3, (2, 3, 5)).astype(float)
    together = ready.weighted_values(weights)
    assert together["ap"].shape == (2, 3)
    alone = [[float(ready.weighted_values(row)["ap"]) for row in block] for block in weights]
    np.testing.assert_array_equal(together["ap"], alone)


def test_without_any_weight_nothing_is_defined():
    ready = BoxAP().prepare([answer(("a", [0, 0, 50, 50], 1))], [reference(("a", [0, 0, 50, 50]))])
    values = ready.weighted_values(np.zeros(1))
    assert np.isnan([values[name] for name in TWELVE]).all()


def test_categories_have_values_of_their_own():
    found = answer(("a", [0, 0, 50, 50], 0.9), ("b", [300, 300, 50, 50], 0.8), ("unknown", [0, 0, 9, 9], 0.7))
    ready = BoxAP().prepare([found], [reference(("a", [0, 0, 50, 50]), ("b", [0, 0, 50, 50]))])
    assert ready.category_values(np.ones(1)) == {"a": pytest.approx(1), "b": 0}
    assert ready.score([found], [reference(("a", [0, 0, 50, 50]), ("b", [0, 0, 50, 50]))])["ap"] == pytest.approx(0.5)


def test_an_unprepared_metric_says_so():
    with pytest.raises(TypeError, match="prepare"):
        BoxAP().weighted_values(np.ones(1))


# --- answers in location tokens ---------------------------------------------------------------------------------

LEFT, RIGHT = "<loc0000><loc0000><loc1023><loc0512>", "<loc0000><loc0512><loc1023><loc1023>"
BOTH = reference(("cat", [0, 0, 320, 480]), ("cat", [320, 0, 320, 480]))


def with_logs(text, *class_logs):
    """An answer of one-token classes with these log-probabilities, all boxes and separators being certain."""
    ids, logs = [], []
    for box, log in zip((LEFT, RIGHT), class_logs, strict=True):
        ids += [256000 + int(token) for token in box.replace("<loc", " ").replace(">", "").split()] + [7, 2161, 235248]
        logs += [0.0] * 4 + [log, -9.0, -9.0]
    return Answer(text, token_ids=tuple(ids), log_probabilities=tuple(logs))


def test_location_tokens_are_boxes_of_the_image():
    values = BoxAP().score([Answer(f"{LEFT} cat ; {RIGHT} cat")], [BOTH])
    assert values["ap_75"] == pytest.approx(1)
    assert values["ap_large"] == values["ap"] > 0.9
    assert values["unscored"] == 1


def test_the_likelihood_of_the_class_ranks_the_boxes():
    """The wrong box costs nothing when it comes last, and half of the precision when it comes first."""
    truth = reference(("cat", [0, 0, 320, 480]))
    text = f"{LEFT} cat ; {RIGHT} cat ; "
    right_first = BoxAP().score([with_logs(text, -0.1, -3.0)], [truth])
    wrong_first = BoxAP().score([with_logs(text, -3.0, -0.1)], [truth])
    assert right_first["ap_50"] == pytest.approx(1)
    assert wrong_first["ap_50"] == pytest.approx(0.5)
    assert right_first["unscored"] == 0


def test_mean_and_product_rank_long_names_otherwise():
    """A category of two tokens at 0.6 each: 0.36 together, 0.6 on average; the wrong box has 0.5."""
    box = (256000, 256000, 257023, 256512)
    other = (256000, 256512, 257023, 257023)
    wrong, half = np.log(0.5), np.log(0.6)
    given = Answer(
        f"{LEFT} fire hydrant ; {RIGHT} fire hydrant",
        token_ids=(*box, 7, 8, 2161, 235248, *other, 9, 1),
        log_probabilities=(0, 0, 0, 0, half, half, 0, 0, 0, 0, 0, 0, wrong, 0),
    )
    truth = reference(("fire hydrant", [0, 0, 320, 480]))
    assert BoxAP(confidence="product").score([given], [truth])["ap_50"] == pytest.approx(0.5)
    assert BoxAP(confidence="mean").score([given], [truth])["ap_50"] == pytest.approx(1)


def test_texts_are_taken_like_answers():
    text = f"{LEFT} cat ; {RIGHT} cat"
    assert BoxAP().score([text], [BOTH]) == pytest.approx(BoxAP().score([Answer(text)], [BOTH]), nan_ok=True)


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0),
        ("[]", 0),
        ("there are two cats", 1),
        ("<loc1023><loc0000><loc0000><loc0512> cat", 1),
        (f"{LEFT} cat ; <loc0000><loc05", 2 / 3),
        ('[{"category": "cat", "bbox": [0, 0, NaN, 5], "score": 1}]', 1),
        ('[{"category": "cat", "bbox": [0, 0, -4, 5], "score": 1}]', 1),
        ('[{"category": "cat", "bbox": [0, 0, 5], "score": 1}]', 1),
        ('[{"category": "cat", "bbox": [0, 0, 5, 5], "score": NaN}]', 1),
        ('[{"category": "cat", "bbox": [0, 0, 5, 5], "score": "high"}]', 1),
        ('[{"category": null, "bbox": [0, 0, 5, 5], "score": 1}, null]', 1),
        ('[{"category": "cat", "bbox": [0, 0, 5, 5]}, {"category": "ca', 0.5),
    ],
)
def test_pieces_that_are_no_detections_are_counted(text, share):
    values = BoxAP().score([Answer(text)], [BOTH])
    assert values["malformed"] == pytest.approx(share)
    assert values["ap_50"] < 1


@pytest.mark.parametrize(
    "text",
    [
        f"{LEFT} cat ; " * 2500,
        "<loc0000>" * 11_000,
        "[" * 100_000,
        '[{"category": "' + "x" * 100_000,
        f"{LEFT} \ud800 ; " * 2000,
        json.dumps([{"category": "cat", "bbox": [0, 0, 320, 480], "score": 0.5}] * 2000),
    ],
)
def test_long_answers_take_no_more_than_a_second(text):
    BoxAP().score([answer(("cat", [0, 0, 9, 9], 1))], [BOTH])  # compiled
    start = time.perf_counter()
    BoxAP().score([Answer(text, token_ids=(1,) * 5000, log_probabilities=(-1.0,) * 5000)], [BOTH])
    assert time.perf_counter() - start < 2


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        ([], "one reference, a dict that has 'objects'"),
        ([{"size": [1, 1]}], "one reference, a dict that has 'objects'"),
        ([{"objects": [{"category": "a"}]}], "needs 'bbox'"),
        ([{"objects": [{"bbox": [0, 0, 1, 1]}]}], "needs 'bbox'"),
        ([{"objects": [{"category": "a", "bbox": [0, 0, 1]}]}], "needs 'bbox'"),
        ([{"objects": []}], "need the reference's 'size'"),
    ],
)
def test_a_reference_that_is_none_is_named(truth, said):
    with pytest.raises(ScoringError, match=said):
        BoxAP().score([Answer(f"{LEFT} cat")], [truth])


@pytest.mark.parametrize("parameters", [{"confidence": "sum"}, {"box_scale": 0}])
def test_parameters_that_cannot_be_are_refused(parameters):
    with pytest.raises(UsageError, match=next(iter(parameters))):
        load_metric("box_ap", **parameters)
