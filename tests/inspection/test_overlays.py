"""References that name places in an image become shapes; whatever else they are, nothing is drawn and nothing fails."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evalsuite.inspection.overlays import (
    OUTLINE,
    Shape,
    answer_shapes,
    outline_shape,
    reference_shapes,
    stated_size,
)
from evalsuite.inspection.pictures import picture

SIZE = (60, 80)  # height, width


def box(shape: Shape) -> tuple[float, ...]:
    xs, ys = [x for x, _ in shape.points], [y for _, y in shape.points]
    return min(xs), min(ys), max(xs), max(ys)


def test_an_outline_in_shares_is_drawn_in_pixels() -> None:
    shape = outline_shape((0.25, 0.5, 0.75, 1.0), SIZE)
    assert box(shape) == (20, 30, 60, 60) and shape.colour == OUTLINE


def test_a_mask_of_polygons_and_its_box_are_drawn() -> None:
    reference = {"mask": {"size": [60, 80], "polygons": [[0, 0, 10, 0, 10, 10]]}, "box_xywh": [1, 2, 3, 4]}
    polygon, frame = reference_shapes([reference], SIZE)
    assert polygon.points == ((0, 0), (10, 0), (10, 10)) and polygon.filled
    assert box(frame) == (1, 2, 4, 6)


def test_a_mask_of_run_lengths_is_laid_over_the_image() -> None:
    from PIL import Image

    reference = {"mask": {"size": [60, 80], "counts": [4800 - 60, 60]}, "box_yxyx": [0, 0.5, 1, 1]}
    mask, frame = reference_shapes([reference], SIZE)
    assert mask.mask is not None and np.count_nonzero(mask.mask) == 60
    assert box(frame) == (40, 0, 80, 60)
    shown = picture(Image.new("RGB", (80, 60)), 10_000, [mask, frame])
    assert len(shown.masks) == 1 and shown.shapes == (frame,)


def test_detected_objects_carry_their_class_and_one_colour_a_class() -> None:
    objects = [{"bbox": [0, 0, 5, 5], "category": name} for name in ("cat", "dog", "cat")]
    shapes = reference_shapes([{"objects": objects, "size": [60, 80]}], SIZE)
    assert [shape.label for shape in shapes] == ["cat", "dog", "cat"]
    assert shapes[0].colour == shapes[2].colour != shapes[1].colour


def test_words_are_polygons_with_their_text() -> None:
    words = [
        {"vertices": [[0, 0], [9, 1], [9, 5], [0, 4]], "text": "EXIT", "legible": True},
        {"vertices": [[0, 0], [9, 1], [9, 5]], "text": "", "legible": False},
    ]
    shapes = reference_shapes([{"words": words}], SIZE)
    assert [shape.label for shape in shapes] == ["EXIT", "(illegible)"]
    assert shapes[0].path == "0.0,0.0 9.0,1.0 9.0,5.0 0.0,4.0"


@pytest.mark.parametrize(
    "reference",
    [
        "a cat",
        5,
        {"answer": "a"},
        {"mask": {"size": [60, 80], "counts": [7]}},
        {"mask": {}},
        {"objects": [{"bbox": [0, 0, float("nan"), 5], "category": "x"}]},
        {"objects": 5},
        {"words": [{"vertices": [["a", 1]]}]},
        {"box_xywh": [1, 2]},
    ],
)
def test_other_and_damaged_references_draw_nothing(reference: Any) -> None:
    assert reference_shapes([reference], SIZE) == []


def test_the_size_that_a_reference_states_is_found() -> None:
    assert stated_size({"mask": {"size": [6, 8]}}) == stated_size({"objects": [], "size": [6, 8]}) == (6, 8)
    assert stated_size("text") is stated_size({"size": "big"}) is stated_size({"mask": 5}) is None


def test_pictures_shrink_until_they_fit() -> None:
    from PIL import Image

    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (900, 1200, 3), np.uint8))
    large, small = picture(noise, 10_000_000), picture(noise, 60_000)
    assert (large.width, large.height, large.shown_width) == (1200, 900, 760)
    assert len(small.uri) < 60_000 * 4 / 3 + 100 and small.shown_width < 760


def test_boxes_of_an_answer_are_dashed_and_carry_their_text() -> None:
    text = "<loc0000><loc0000><loc1023><loc0512> a cat ; <loc0512><loc0512><loc1023><loc1023> <script>"
    first, second = answer_shapes(text, SIZE)
    assert box(first) == pytest.approx((0, 0, 40, 60), abs=0.1) and (first.label, first.dashed) == ("a cat", True)
    assert second.label == "<script>"
    assert [
        shape.label for shape in answer_shapes("a cat <loc0000><loc0000><loc1023><loc0512>", SIZE, text_first=True)
    ] == ["a cat"]


def test_a_box_before_mask_tokens_has_no_label() -> None:
    (shape,) = answer_shapes("<loc0001><loc0002><loc0300><loc1023><seg001><seg127>", SIZE)
    assert shape.label == ""


def test_boxes_of_a_json_list_are_drawn() -> None:
    shapes = answer_shapes('[{"category": "dog", "bbox": [1, 2, 3, 4]}, {"bbox": "x"}, 7, {"category"', SIZE)
    assert [(box(shape), shape.label, shape.dashed) for shape in shapes] == [((1, 2, 4, 6), "dog", True)]


@pytest.mark.parametrize("text", ["", "no place", "<loc0001><loc0002>", "[", "[[[[", "<loc9999>" * 4, '[{"words": 1}]'])
def test_an_answer_without_places_draws_nothing(text: str) -> None:
    assert answer_shapes(text, SIZE) == []
