"""Text spotting: equal to HierText's evaluator on recorded images, and what models write instead of words."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest

from evalsuite.errors import ScoringError, UsageError
from evalsuite.metrics import load_metric
from evalsuite.metrics.boxes.text_spotting import TextSpotting
from evalsuite.metrics.verification import shipped_golden_files, verify_file

GOLDEN = shipped_golden_files()


def box(x1, y1, x2, y2):
    return [[x1, y1], [x2, y1], [x2, y2], [x1, y2]]


def reference(*words, size=(100, 200)):
    """Words are (vertices, text) or (vertices, text, legible)."""
    rows = [{"vertices": v, "text": text, "legible": [True, *rest][-1]} for v, text, *rest in words]
    return [{"words": rows, "size": list(size)}]


def listed(*words):
    return json.dumps([{"vertices": vertices, "text": text} for vertices, text in words])


def score(prediction, truth, **parameters):
    return TextSpotting(**parameters).score([prediction], [truth])


WORD = box(10, 10, 60, 30)


def test_equals_the_official_evaluator():
    verdict = verify_file(GOLDEN / "hiertext_word_f1.jsonl.gz")
    assert verdict.passed, verdict.failures
    assert verdict.compared > 1000


def test_found_but_misread_counts_for_detection_only():
    values = score(listed((WORD, "Cafe")), reference((WORD, "cafe")))
    assert (values["detection_f1"], values["e2e_f1"]) == (1, 0)


def test_the_better_of_two_predictions_wins_the_word():
    near, exact = (box(12, 10, 60, 30), "word"), (WORD, "w0rd")
    values = score(listed(near, exact), reference((WORD, "word")))
    assert (values["detection_recall"], values["detection_precision"], values["e2e_recall"]) == (1, 0.5, 0)


def test_an_overlap_of_exactly_one_half_is_no_match():
    """1e-5 is added to the union."""
    truth = reference((box(0, 0, 10, 10), "a"))
    assert score(listed((box(0, 0, 10, 5), "a")), truth)["detection_f1"] == 0
    assert score(listed((box(0, 0, 10, 5.001), "a")), truth)["detection_f1"] == 1


def test_a_prediction_on_an_illegible_word_is_dropped():
    truth = reference((WORD, "", False), (box(100, 10, 150, 30), "b"))
    values = score(listed((WORD, "guess"), (box(100, 10, 150, 30), "b")), truth)
    assert (values["e2e_precision"], values["e2e_recall"]) == (1, 1)


def test_an_image_without_words_wants_no_predictions():
    assert score("[]", reference())["e2e_f1"] == 1
    values = score(listed((WORD, "a")), reference())
    assert (values["e2e_recall"], values["e2e_precision"], values["e2e_f1"]) == (1, 0, 0)


def test_tightness_is_the_mean_overlap_and_scales_f1():
    values = score(listed((box(0, 0, 10, 8), "a")), reference((box(0, 0, 10, 10), "a")))
    assert values["e2e_tightness"] == pytest.approx(0.8, abs=1e-6)
    assert values["e2e_pq"] == pytest.approx(0.8, abs=1e-6)


# --- forms of an answer -----------------------------------------------------------------------------------------


def test_location_tokens_are_shares_of_the_image():
    truth = reference((box(0, 0, 100, 50), "Ab c"), (box(100, 50, 200, 100), "d"))
    text = "<loc0000><loc0000><loc0512><loc0512> Ab c ; <loc0512><loc0512><loc1023><loc1023> d"
    values = score(text, truth)
    assert values["e2e_f1"] == 1
    assert values["e2e_tightness"] > 0.98


def test_the_box_scale_moves_the_far_border():
    truth = reference((box(0, 0, 200, 100), "a"))
    tightness = [
        score("<loc0000><loc0000><loc1023><loc1023> a", truth, box_scale=scale)["e2e_tightness"]
        for scale in (1023, 1024)
    ]
    assert tightness[0] == pytest.approx(1, abs=1e-6)
    assert tightness[1] == pytest.approx((1023 / 1024) ** 2, abs=1e-6)


def test_the_text_may_come_first():
    truth = reference((box(0, 0, 200, 100), "a"))
    text = "a <loc0000><loc0000><loc1023><loc1023>"
    assert score(text, truth, text_first=True)["e2e_f1"] == 1
    assert score(text, truth)["e2e_f1"] == 0


def test_json_may_hold_polygons_and_boxes():
    truth = reference((WORD, "a"), ([[100, 10], [150, 10], [160, 20], [150, 30], [100, 30], [110, 20]], "b"))
    items = [
        {"box": [10, 10, 60, 30], "text": "a"},
        {"vertices": [[100, 10], [150, 10], [160, 20], [150, 30], [100, 30], [110, 20]], "text": "b"},
    ]
    assert score(json.dumps(items), truth)["e2e_tightness"] == pytest.approx(1, abs=1e-6)


def test_boxes_compares_bounding_boxes():
    """A box drawn around a diamond shares half of it with the diamond, all of it with the diamond's box."""
    diamond = [[50, 0], [100, 50], [50, 100], [0, 50]]
    text = listed((box(0, 0, 100, 100), "a"))
    assert score(text, reference((diamond, "a")))["e2e_f1"] == 0
    assert score(text, reference((diamond, "a")), boxes=True)["e2e_f1"] == 1


def test_a_reversed_box_is_the_same_rectangle():
    truth = reference((box(0, 0, 200, 100), "a"))
    assert score("<loc1023><loc0000><loc0000><loc1023> a", truth)["e2e_f1"] == 1


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("", 0),
        ("[]", 0),
        ("no words here", 1),
        ('[{"vertices": [[0, 0], [1, 1]], "text": "a"}]', 1),
        ('[{"vertices": [[0, 0], [1, 1], [NaN, 0]], "text": "a"}]', 1),
        ('[{"vertices": [[0, 0], [1, 1], [2, 0, 3]], "text": "a"}]', 1),
        ('[{"vertices": [[0, 0], [9, 0], [9, 9], [0, Infinity]], "text": "a"}]', 1),
        ('[{"box": [0, 0, 1], "text": "a"}]', 1),
        ('[{"box": [0, 0, 1e300, 1], "text": "a"}]', 1),
        ('[{"box": [0, 0, 9, 9]}]', 1),
        ('[{"box": [0, 0, 9, 9], "text": 7}, null, [], "x"]', 1),
        ('[{"box": [0, 0, 9, 9], "text": "a"}, {"box": [0, 0', 0.5),
        ("<loc0000><loc0000><loc1023><loc1023> a ; <loc0001>", 0.5),
    ],
)
def test_pieces_that_are_no_words_are_counted(text, share):
    values = score(text, reference((WORD, "a")))
    assert values["malformed"] == share
    assert values["e2e_f1"] == 0


def scribble(corners):
    return np.random.default_rng(0).integers(0, 100, (corners, 2)).tolist()


def test_a_scribble_is_malformed_and_a_ragged_outline_is_not():
    angles = np.linspace(0, 6, 200)
    ragged = np.column_stack([np.cos(angles), np.sin(angles)]) * (40 + np.arange(200) % 2)[:, None] + 50
    truth = reference((ragged.tolist(), "a"))
    values = score(listed((ragged.tolist(), "a"), (scribble(30), "b"), (ragged.repeat(2, axis=0).tolist(), "a")), truth)
    assert values["e2e_f1"] == 1
    assert values["malformed"] == pytest.approx(2 / 3)


LONG = {
    "boxes": "<loc0001><loc0001><loc0900><loc0900> a ; " * 2500,
    "half tokens": "<loc00" * 17_000,
    "location tokens": "<loc0001>" * 11_000,
    "separators": ";" * 100_000,
    "blanks": " " * 100_000,
    "brackets": "[" * 100_000,
    "surrogates": "<loc0001><loc0001><loc0900><loc0900> \ud800 ; " * 2500,
    "scribbles": json.dumps([{"vertices": scribble(250), "text": "a"}] * 40),
    "deep": '[{"text": "a", "vertices": ' + "[" * 50_000 + "]" * 50_000 + "}]",
}


@pytest.mark.parametrize("name", LONG)
def test_long_answers_take_no_more_than_a_second(name):
    words = [(box(x, y, x + 50, y + 20), "a") for x in range(0, 1000, 60) for y in range(0, 600, 30)]
    truth = reference(*words, size=(600, 1000))
    score(listed(*words[:1]), truth)  # compiled
    start = time.perf_counter()
    score(LONG[name], truth)
    assert time.perf_counter() - start < 2


# --- corpora ----------------------------------------------------------------------------------------------------


def test_counts_are_pooled_over_images():
    """2 of 3 words read in one image, 0 of 1 in another: half of all."""
    words = [(box(x, 0, x + 30, 20), "w") for x in (0, 50, 100)]
    values = TextSpotting().score([listed(*words[:2]), "[]"], [reference(*words), reference((WORD, "a"))])
    assert values["e2e_recall"] == 0.5
    assert values["e2e_precision"] == 1


def test_a_corpus_of_many_images_is_the_sum_of_its_images():
    random = np.random.default_rng(1)
    predictions, references = [], []
    for _ in range(300):
        words = [(np.array(box(x, 0, x + 18, 20)), "w") for x in range(0, 20 * int(random.integers(1, 9)), 20)]
        references.append(reference(*[(vertices.tolist(), text) for vertices, text in words]))
        noise = random.normal(0, 6, (len(words), 4, 2))
        moved = [((vertices + by).tolist(), text) for (vertices, text), by in zip(words, noise, strict=True)]
        predictions.append(listed(*moved))
    metric = TextSpotting()
    batch = metric.batch_statistics(predictions, references)
    assert 0 < batch[:, 0].sum() < batch[:, 1].sum()
    singles = np.stack([metric.statistics(p, r) for p, r in zip(predictions, references, strict=True)])
    assert batch == pytest.approx(singles, abs=1e-12)


@pytest.mark.parametrize(
    ("truth", "said"),
    [
        ([], "one reference, a dict that has 'words'"),
        ([{"size": [1, 1]}], "one reference, a dict that has 'words'"),
        ([{"words": [{"text": "a"}]}], "1 of the true words lack"),
        ([{"words": [{"vertices": WORD}]}], "1 of the true words lack"),
        ([{"words": []}], "need the reference's 'size'"),
        ([{"words": [], "size": [0, 5]}], "need the reference's 'size'"),
    ],
)
def test_a_reference_that_is_none_is_named(truth, said):
    with pytest.raises(ScoringError, match=said):
        score("<loc0000><loc0000><loc1023><loc1023> a", truth)


def test_a_scale_of_zero_is_refused():
    with pytest.raises(UsageError, match="box_scale"):
        load_metric("text_spotting", box_scale=0)
