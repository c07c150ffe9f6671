"""Overlaps of boxes and polygons: recorded values, shapely as the judge, and the shapes that are hard."""

from __future__ import annotations

import numpy as np
import pytest

from evalsuite.metrics.boxes.geometry import Polygons, box_ious, polygon_overlaps, self_crossings
from evalsuite.metrics.verification import shipped_golden_files, verify_file

GOLDEN = shipped_golden_files()
SQUARE = [[0, 0], [10, 0], [10, 10], [0, 10]]


def overlap_matrix(first, second, **options):
    a, b = Polygons.of(first), Polygons.of(second)
    matrix = np.zeros((len(a), len(b)))
    i, j, shared = polygon_overlaps(a, b, **options)
    matrix[i, j] = shared
    return matrix


def star(count, step, radius=20.0, centre=30.0):
    """The corners of a circle, every ``step``-th one joined."""
    angles = np.arange(count) * step * 2 * np.pi / count
    return np.column_stack([np.cos(angles), np.sin(angles)]) * radius + centre


@pytest.mark.parametrize("name", ["polygon_iou", "box_iou"])
def test_equals_the_recorded_values(name):
    verdict = verify_file(GOLDEN / f"{name}.jsonl.gz")
    assert verdict.passed, verdict.failures
    assert verdict.compared > 200


def test_equals_shapely_on_quadrilaterals_triangles_and_scribbles():
    import shapely

    random = np.random.default_rng(0)
    polygons = [random.uniform(0, 60, (int(random.integers(3, 8)), 2)) for _ in range(150)]
    polygons += [star(4, 1, radius, centre) for radius, centre in random.uniform(5, 50, (60, 2))]
    valid = [shapely.make_valid(shapely.Polygon(polygon)) for polygon in polygons]
    ours = Polygons.of(polygons)
    assert 60 < ours.convex.sum() < 150
    assert ours.areas == pytest.approx(shapely.area(valid), abs=1e-9)
    expected = shapely.area(shapely.intersection(np.array(valid)[:, None], np.array(valid)[None]))
    assert np.abs(overlap_matrix(polygons, polygons) - expected).max() < 1e-9


@pytest.mark.parametrize(("count", "step", "convex"), [(5, 1, True), (5, 2, False), (7, 2, False), (8, 3, False)])
def test_a_star_that_turns_one_way_only_is_not_taken_for_convex(count, step, convex):
    assert Polygons.of([star(count, step)]).convex.tolist() == [convex]
    assert Polygons.of([star(count, step)[::-1]]).convex.tolist() == [convex]


def test_a_bow_tie_is_two_triangles():
    polygons = Polygons.of([[[0, 0], [10, 10], [10, 0], [0, 10]]])
    assert polygons.areas.tolist() == [50]
    assert polygons.bounds.tolist() == [[0, 0, 10, 10]]


@pytest.mark.parametrize("line", [[[0, 0], [10, 0], [5, 0]], [[3, 3]] * 3, [[0, 0], [10, 10], [0, 0], [10, 10]]])
def test_a_line_has_no_area_and_shares_none(line):
    assert Polygons.of([line]).areas.tolist() == [0]
    assert overlap_matrix([line], [SQUARE]).tolist() == [[0]]


def test_order_and_closing_corner_do_not_matter():
    turned = [SQUARE, SQUARE[::-1], SQUARE[2:] + SQUARE[:2], [*SQUARE, SQUARE[0]]]
    assert (overlap_matrix(turned, turned) == 100).all()


def test_boxes_with_whole_coordinates_are_exact():
    """So that a tie of two halves stays one."""
    left, right = [[0, 0], [15, 0], [15, 7], [0, 7]], [[5, 0], [20, 0], [20, 7], [5, 7]]
    assert overlap_matrix([[[0, 0], [20, 0], [20, 7], [0, 7]]], [left, right]).tolist() == [[105, 105]]


def test_polygons_meet_only_within_their_group():
    a, b = Polygons.of([SQUARE] * 3), Polygons.of([SQUARE] * 3)
    i, j, _ = polygon_overlaps(a, b, np.array([0, 1, 1, 3]), np.array([0, 2, 3, 3]))
    assert list(zip(i, j, strict=True)) == [(0, 0), (0, 1)]


def test_pairs_that_cannot_share_enough_are_left_out():
    small = [[0, 0], [3, 0], [3, 3], [0, 3]]
    assert overlap_matrix([small], [SQUARE], least_share=0.09).tolist() == [[9]]
    assert overlap_matrix([small], [SQUARE], least_share=0.1).tolist() == [[0]]
    assert overlap_matrix([SQUARE], [small], least_share=0.5).tolist() == [[9]]


def test_fewer_than_three_corners_are_refused():
    with pytest.raises(ValueError, match="three corners"):
        Polygons.of([[[0, 0], [1, 1]]])


def test_no_polygons_share_nothing():
    assert overlap_matrix([], [SQUARE]).shape == (0, 1)
    assert len(Polygons.of_boxes(np.zeros((0, 4)))) == 0


def test_box_iou_of_nothing_is_not_a_number():
    assert np.isnan(box_ious([[0, 0, 0, 0]], [[0, 0, 0, 0]])).all()


def test_a_pentagram_crosses_itself_five_times():
    assert self_crossings(star(5, 2)) == 5
    assert self_crossings(star(5, 1)) == 0
