"""Referring segmentation: equal to big_vision's evaluator, and what counts as an answer and as a mask."""

from __future__ import annotations

import numpy as np
import pytest

from evalsuite.errors import ScoringError, UsageError
from evalsuite.metrics import load_metric
from evalsuite.metrics.boxes.mask_iou import MaskIoU, box_iou
from evalsuite.metrics.boxes.masks import mask_area, mask_to_rle, parse_segmentation, read_mask, rle_to_mask
from evalsuite.metrics.verification import shipped_golden_files, verify_file
from evalsuite.metrics.verification.masks import recorded_weights

GOLDEN = shipped_golden_files()
SEGMENTS = "".join(f"<seg{code:03d}>" for code in range(0, 128, 8))


def answer(y1=0, x1=0, y2=1023, x2=1023):
    return f"<loc{y1:04d}><loc{x1:04d}><loc{y2:04d}><loc{x2:04d}>{SEGMENTS}"


def reference(mask, box=(0.0, 0.0, 1.0, 1.0)):
    return [{"mask": {"size": list(mask.shape), "counts": mask_to_rle(mask)}, "box_yxyx": list(box)}]


FULL = np.ones((30, 40), bool)


# --- the recorded answers ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "recorded.npz"
    np.savez(path, **recorded_weights())
    return str(path)


def test_equals_the_official_evaluator():
    """Single answers and whole corpora: IoU within 1e-4, the rest exactly."""
    verdict = verify_file(GOLDEN / "referring_seg_miou.jsonl.gz")
    assert verdict.passed, verdict.failures
    assert verdict.compared > 4 * 20


# --- answers ----------------------------------------------------------------------------------------------------


def test_text_after_the_twenty_tokens_is_ignored():
    assert parse_segmentation(answer(1, 2, 3, 4) + " cat ; <loc0000>") == ((1, 2, 3, 4), tuple(range(0, 128, 8)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        " " + answer(),
        "cat " + answer(),
        answer().replace("<seg000>", " <seg000>"),
        answer().replace("<loc0000>", "", 1),
        answer().replace("<seg120>", ""),
        answer().replace("<seg120>", "<seg128>"),
        answer().replace("<loc1023>", "<loc1024>"),
        answer().replace("<loc1023>", "<loc١٠٢٣>"),
        answer().replace("<seg", "<loc0"),
    ],
)
def test_anything_else_is_no_segmentation(text):
    assert parse_segmentation(text) is None
    assert MaskIoU().statistics(text, reference(FULL)).tolist() == [0, 0, 0, 1, 0, FULL.size, 1]


@pytest.mark.parametrize("box", [(500, 0, 500, 900), (0, 900, 500, 900), (600, 0, 500, 900), (0, 901, 500, 900)])
def test_a_box_without_area_is_invalid(box):
    assert MaskIoU().statistics(answer(*box), reference(FULL)).tolist() == [0, 0, 0, 1, 0, FULL.size, 1]


def test_a_box_thinner_than_a_pixel_is_invalid_but_its_box_is_scored():
    box = (0, 500, 1023, 501)
    truth = reference(FULL, np.array(box) / 1023)
    assert MaskIoU().statistics(answer(*box), truth).tolist() == [0, 1, 1, 1, 0, FULL.size, 1]


def test_an_empty_truth_scores_zero():
    row = MaskIoU().statistics(answer(), reference(np.zeros((30, 40), bool), (0, 0, 0, 0)))
    assert row[[0, 1, 2, 3, 4, 6]].tolist() == [0, 0, 0, 0, 0, 1]
    assert row[5] > 0


# --- scores -----------------------------------------------------------------------------------------------------


def predicted_mask(height, width, box):
    """What the untrained decoder draws, found by scoring single true pixels: IoU above 0 where it is foreground."""
    singles = np.eye(height * width, dtype=bool).reshape(-1, height, width)
    rows = MaskIoU().batch_statistics([answer(*box)] * len(singles), [reference(single) for single in singles])
    return rows[:, 0].reshape(height, width) > 0


def test_the_mask_itself_scores_one():
    box = (200, 100, 900, 1000)
    mask = predicted_mask(8, 9, box)
    assert mask.any() and not mask.all()
    assert MaskIoU().score([answer(*box)], [reference(mask, np.array(box) / 1023)]) == {
        "miou": 1.0,
        "box_accuracy_50": 1.0,
        "box_accuracy_75": 1.0,
        "invalid": 0.0,
        "oiou": 1.0,
    }


def test_overall_iou_weighs_expressions_by_their_pixels():
    """All pixels of a small mask, and none of a large one that has no valid answer."""
    box = (200, 100, 900, 1000)
    mask = predicted_mask(8, 9, box)
    values = MaskIoU().score([answer(*box), "none"], [reference(mask, np.array(box) / 1023), reference(FULL)])
    assert values["miou"] == 0.5
    assert values["oiou"] == mask.sum() / (mask.sum() + FULL.size)


def test_the_area_of_a_mask_needs_no_decoding():
    mask = np.random.default_rng(0).random((13, 7)) > 0.5
    assert mask_area({"size": [13, 7], "counts": mask_to_rle(mask)}) == mask.sum()
    assert mask_area({"size": [10, 10], "polygons": [[0, 0, 4, 0, 4, 4, 0, 4]]}) == 16


def test_nothing_is_drawn_outside_the_box():
    mask = predicted_mask(8, 9, (512, 0, 1023, 1023))  # 512 / 1023 of 8 rows is cut to row 4
    assert not mask[:4].any() and mask[4:].any()


def test_a_batch_scores_as_its_examples_do():
    texts = [answer(), "no", answer(10, 10, 800, 700), answer(5, 5, 5, 5)] * 80
    truths = [reference(FULL)] * len(texts)
    metric = MaskIoU()
    batch = metric.batch_statistics(texts, truths)
    assert batch.shape == (320, 7)
    singles = np.stack([metric.statistics(text, truth) for text, truth in zip(texts[:4], truths[:4], strict=True)])
    assert batch[:, :4] == pytest.approx(np.tile(singles[:, :4], (80, 1)), abs=1e-3)
    assert batch[:, 4:] == pytest.approx(np.tile(singles[:, 4:], (80, 1)), rel=0.01)


def test_a_pixel_box_is_the_normalised_box_times_the_size():
    mask = {"size": [30, 40], "counts": mask_to_rle(FULL)}
    metric, text = MaskIoU(), answer(0, 0, 700, 800)
    pixels = metric.statistics(text, [{"mask": mask, "box_xywh": [4, 3, 30, 20]}])
    normalised = metric.statistics(text, [{"mask": mask, "box_yxyx": [3 / 30, 4 / 40, 23 / 30, 34 / 40]}])
    assert np.array_equal(pixels, normalised)


def test_the_box_scale_moves_the_far_border():
    """Of 40 columns, the tokens 1000 to 1023 hold the last one, or none where 1024 is the border."""
    text = answer(0, 1000, 1023, 1023)
    assert MaskIoU(box_scale=1023).statistics(text, reference(FULL))[3] == 0
    assert MaskIoU(box_scale=1024).statistics(text, reference(FULL))[3] == 1


def test_box_iou_by_hand():
    assert box_iou((0, 0, 2, 2), (1, 1, 3, 3)) == pytest.approx(1 / 7)
    assert box_iou((0, 0, 1, 1), (1, 1, 2, 2)) == 0
    assert box_iou((0, 0, 0, 0), (0, 0, 0, 0)) == 0


# --- masks ------------------------------------------------------------------------------------------------------


def test_run_lengths_go_down_the_columns_and_come_back():
    mask = np.random.default_rng(0).random((13, 7)) > 0.5
    mask[0, 0] = True  # a mask that starts with foreground has a first run of 0
    counts = mask_to_rle(mask)
    assert counts[0] == 0
    assert np.array_equal(rle_to_mask(counts, 13, 7), mask)


def test_a_polygon_fills_its_inside():
    """Pixels more than a pixel and a half inside all edges are set, those as far outside one are not."""
    corners = np.array([[10.0, 5.0], [60.0, 8.0], [40.0, 55.0]])
    mask = read_mask({"size": [64, 80], "polygons": [corners.ravel().tolist()]})
    rows, columns = np.mgrid[:64, :80] + 0.5
    distances = []
    for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        across = (x2 - x1) * (rows - y1) - (y2 - y1) * (columns - x1)
        distances.append(across / np.hypot(x2 - x1, y2 - y1))
    depth = np.min(distances, axis=0)
    assert mask.shape == (64, 80) and mask.dtype == bool
    assert mask[depth > 1.5].all() and not mask[depth < -1.5].any()
    assert (depth > 1.5).sum() > 500


def test_several_polygons_are_united():
    first, second = [0, 0, 4, 0, 4, 4, 0, 4], [2, 2, 8, 2, 8, 8, 2, 8]
    mask = read_mask({"size": [10, 10], "polygons": [first, second]})
    assert mask.sum() == 16 + 36 - 4


def test_compressed_run_lengths_are_read_too():
    from pycocotools import mask as coco

    mask = np.random.default_rng(0).random((13, 7)) > 0.5
    counts = coco.encode(np.asfortranarray(mask.astype(np.uint8)))["counts"]
    for form in (counts, counts.decode()):
        assert np.array_equal(read_mask({"size": [13, 7], "counts": form}), mask)


@pytest.mark.parametrize(
    ("references", "said"),
    [
        ([], "one reference, a dict that has a 'mask'"),
        (["text"], "one reference, a dict that has a 'mask'"),
        ([{"mask": {"size": [2, 2], "counts": [4]}}], "needs 'box_yxyx'"),
        ([{"mask": {"counts": [4]}, "box_yxyx": [0, 0, 1, 1]}], "needs 'size'"),
        ([{"mask": {"size": [0, 2], "counts": []}, "box_yxyx": [0, 0, 1, 1]}], "must be positive"),
        ([{"mask": {"size": [2, 2], "counts": [1, 1]}, "box_yxyx": [0, 0, 1, 1]}], "add up to 2 x 2, but add up to 2"),
        ([{"mask": {"size": [2, 2]}, "box_yxyx": [0, 0, 1, 1]}], "needs 'counts' or 'polygons'"),
        ([{"mask": {"size": [2, 2], "polygons": [[0, 0, 1, 1]]}, "box_yxyx": [0, 0, 1, 1]}], "three points"),
    ],
)
def test_a_reference_that_is_no_mask_is_named(references, said):
    with pytest.raises(ScoringError, match=said):
        MaskIoU().score([answer()], [references])


# --- weights ----------------------------------------------------------------------------------------------------


def test_the_signature_names_the_weights(weights_file):
    assert MaskIoU().signature() == "mask_iou|v1|box_scale:1023|weights:random(seed=0)"
    assert "weights:recorded.npz(" in MaskIoU(weights=weights_file).signature()


def test_missing_weights_are_found_before_scoring(tmp_path):
    MaskIoU().check()
    with pytest.raises(UsageError, match=r"absent\.npz: no such file"):
        load_metric("mask_iou", weights=str(tmp_path / "absent.npz")).check()


def test_parameters_that_cannot_be_are_refused():
    with pytest.raises(UsageError, match="box_scale"):
        load_metric("mask_iou", box_scale=0)
    with pytest.raises(UsageError, match="weights"):
        load_metric("mask_iou", weights="")
