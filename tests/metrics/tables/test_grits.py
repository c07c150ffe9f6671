"""GriTS: equal to the released table-transformer code, difflib's ratio to the bit, unshaken by broken HTML."""

from __future__ import annotations

import difflib
import math
import random
import time
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evalsuite.errors import ScoringError, UsageError
from evalsuite.metrics import load_metric
from evalsuite.metrics.tables.gestalt import gestalt_ratios
from evalsuite.metrics.tables.grits import GritsCon, GritsLoc, GritsTop
from evalsuite.metrics.tables.hull_overlap import hull_overlaps
from evalsuite.metrics.tables.similar_substructure import most_similar_substructure

METRICS = {"grits_top": GritsTop, "grits_con": GritsCon, "grits_loc": GritsLoc}
KEYS = ("f", "precision", "recall", "upper_bound")


def table(*rows: str) -> str:
    """``table("a b", "c")`` is a table of two rows, with two cells and one."""
    body = "".join("<tr>" + "".join(f"<td>{text}</td>" for text in row.split()) + "</tr>" for row in rows)
    return f"<table>{body}</table>"


def cell(rows, columns, **content):
    return {"row_nums": rows, "column_nums": columns, **content}


def flags(similarity):
    return similarity.unparseable, similarity.ragged, similarity.too_large


# --- the recorded answers ---------------------------------------------------------------------------------------


def tables_of(line):
    kind = "html" if "true_html" in line["inputs"] else "cells"
    return line["inputs"][f"pred_{kind}"], line["inputs"][f"true_{kind}"]


@pytest.mark.parametrize("name", METRICS)
def test_strict_equals_the_official_code(golden, is_error, name):
    """Where the official code has values, ours are the same; where it stops with an error, ours are 0 and counted."""
    errors = 0
    for line in golden(name):
        ours = METRICS[name](strict=True).compare(*tables_of(line))
        if is_error(line["expected"]):
            errors += 1
            assert ours[:4] == (0, 0, 0, 0) and ours.unparseable == 1.0, line["id"]
        else:
            assert ours[:4] == pytest.approx([line["expected"][key] for key in KEYS], abs=1e-12), line["id"]
            assert flags(ours) == (0, 0, 0)
    assert errors


@pytest.mark.parametrize("name", METRICS)
def test_the_tolerant_reading_changes_no_official_value(golden, is_error, name):
    """But for tags in upper case, which XML does not know."""
    for line in golden(name):
        prediction, truth = tables_of(line)
        if is_error(line["expected"]) or "<TD>" in truth:
            continue
        ours = METRICS[name]().compare(prediction, truth)
        assert ours[:4] == pytest.approx([line["expected"][key] for key in KEYS], abs=1e-12), line["id"]
        assert flags(ours) == (0, 0, 0)


# --- reading tables ---------------------------------------------------------------------------------------------

SQUARE = table("a b", "c d")


@pytest.mark.parametrize(
    "markup",
    [
        SQUARE.replace("</td>", "").replace("</tr>", ""),
        SQUARE.upper().replace("A<", "a<").replace("B<", "b<").replace("C<", "c<").replace("D<", "d<"),
        f"```html\n{SQUARE}\n```",
        f"<!DOCTYPE html><html><head><title>t</title></head><body><p>Here: {SQUARE}</body>",
        SQUARE.replace("<td>b", '<td coords="<loc0001><loc0002><loc0003><loc0004>">b'),
        SQUARE.replace("</table>", ""),
        SQUARE.replace("<tr>", "<tr><br>"),
        SQUARE.replace("<td>a", '<td colspan="x" rowspan="0">a'),
        SQUARE[len("<table>") :],
    ],
)
def test_markup_of_models_is_read(markup):
    """The official program has no score for any of these; XML does not even see tags in upper case."""
    assert GritsCon().compare(markup, SQUARE)[:4] == (1, 1, 1, 1)
    assert GritsCon(strict=True).compare(markup, SQUARE).f1 == 0.0


def test_holes_are_filled_with_empty_cells_and_counted():
    """The missing fourth cell matches nothing in content, but it has the layout of a plain cell."""
    ragged = table("a b", "c")
    assert GritsCon().compare(ragged, SQUARE) == (0.75, 0.75, 0.75, 0.75, 0, 1, 0)
    assert GritsTop().compare(ragged, SQUARE) == (1, 1, 1, 1, 0, 1, 0)
    assert flags(GritsCon(strict=True).compare(ragged, SQUARE)) == (1, 0, 0)


def test_holes_of_the_reference_are_not_counted():
    assert flags(GritsCon().compare(SQUARE, table("a b", "c"))) == (0, 0, 0)


@pytest.mark.parametrize("prediction", ["", " \n", None, "no table", "<div>a</div>", "\ud800", "\0"])
def test_no_table_is_unparseable(prediction):
    assert GritsTop().compare(prediction, SQUARE) == (0, 0, 0, 0, 1, 0, 0)


def test_a_table_without_cells_is_empty_but_a_table():
    """Officially its precision is 1: none of its cells is wrong."""
    assert GritsTop().compare("<table></table>", SQUARE) == (0, 1, 0, 0, 0, 0, 0)
    assert GritsTop().compare(SQUARE, "<table></table>") == (0, 0, 1, 0, 0, 0, 0)
    assert GritsTop().compare("<table></table>", "<table></table>") == (1, 1, 1, 1, 0, 0, 0)


def test_pieces_of_text_are_joined_by_a_space():
    assert GritsCon().example("<table><tr><td>x<sup>2</sup></td></tr></table>", [table("x_2").replace("_", " ")]) == 1.0


def test_a_spanned_place_is_skipped_by_the_next_row():
    spanned = '<table><tr><td rowspan="2">a</td><td>b</td></tr><tr><td>c</td></tr></table>'
    cells = [cell([0, 1], [0]), cell([0], [1]), cell([1], [1])]
    assert GritsTop().example(spanned, [cells]) == 1.0
    assert GritsTop().example(SQUARE, [cells]) == pytest.approx(0.75)  # two plain cells are half of the tall one


def test_a_later_cell_covers_an_earlier_one():
    assert GritsCon().example([cell([0], [0], cell_text="a"), cell([0], [0], cell_text="b")], [table("b")]) == 1.0


def test_the_nearest_reference_counts():
    assert GritsCon().example(SQUARE, [table("a b"), SQUARE, table("x y", "z z")]) == 1.0


@pytest.mark.parametrize(
    "references",
    [
        [],
        SQUARE,
        [7],
        [{"row_nums": [0], "column_nums": [0]}],
        [[{"row_nums": [0]}]],
        [[{"row_nums": [0], "column_nums": ["x"]}]],
        [[{"row_nums": 0, "column_nums": 0}]],
        [{"cells": None}],
        [{"cells": [], "size": [0, 5]}],
    ],
)
def test_references_must_be_tables(references):
    with pytest.raises(ScoringError):
        GritsTop().statistics(SQUARE, references)


# --- topology ---------------------------------------------------------------------------------------------------


def test_a_cell_split_in_two_is_half_right():
    """At each half the true cell reaches over two places, the predicted one over one of them."""
    assert GritsTop().example(table("a b"), ['<table><tr><td colspan="2">a</td></tr></table>']) == 0.5


def test_precision_and_recall_are_over_grid_places():
    assert GritsTop().compare(table("a b c"), table("a b"))[:3] == pytest.approx((0.8, 2 / 3, 1))


def test_the_upper_bound_is_reached_or_exceeded_never_missed():
    source = random.Random(3)
    for _ in range(100):
        pair = [
            table(*(" ".join(source.choices("abc", k=columns)) for _ in range(source.randint(1, 5))))
            for columns in (source.randint(1, 4), source.randint(1, 4))
        ]
        similarity = GritsCon().compare(*pair)
        assert 0 <= similarity.f1 <= similarity.upper_bound <= 1


# --- content: difflib's ratio -----------------------------------------------------------------------------------

FEW = st.text(alphabet="ab ", max_size=80)
LONG = st.builds(
    lambda seed, size: "".join(random.Random(seed).choices("aaaaaabcd.", k=size)),
    st.integers(0, 99),
    st.integers(0, 450),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(FEW, LONG, st.text(max_size=12)), max_size=4), st.lists(st.one_of(FEW, LONG), max_size=4))
@example(["a" * 250], ["a" * 250, "a" * 249 + "b", "b" + "a" * 200])
@example(["x" * 64, "xy" * 32], ["x" * 64, "x" * 65, "x" * 63, "yx" * 32])
@example(["\ud800\U0001f600"], ["\U0001f600", "\ud800"])
def test_ratios_are_those_of_difflib(first, second):
    """To the last bit, whatever the order of blocks, repeated characters and length (difflib drops some from 200)."""
    expected = [[difflib.SequenceMatcher(None, a, b).ratio() for b in second] for a in first]
    np.testing.assert_array_equal(gestalt_ratios(first, second), np.array(expected).reshape(len(first), len(second)))


def test_the_ratio_is_not_symmetric():
    pairs = ("tide", "diet")
    assert gestalt_ratios([pairs[0]], [pairs[1]]).item() == 0.25
    assert gestalt_ratios([pairs[1]], [pairs[0]]).item() == 0.5


# --- location ---------------------------------------------------------------------------------------------------


def boxed(*corners: int) -> str:
    tokens = "".join(f"<loc{corner:04d}>" for corner in corners)
    return f'<table><tr><td coords="{tokens}">a</td></tr></table>'


def test_coords_are_read_in_the_order_that_is_named():
    """The same four tokens, as xmin, ymin, xmax, ymax and as ymin, xmin, ymax, xmax."""
    truth = [[cell([0], [0], bbox=[10, 20, 30, 80])]]
    assert GritsLoc().example(boxed(10, 20, 30, 80), truth) == 1.0
    assert GritsLoc(coords=("ymin", "xmin", "ymax", "xmax")).example(boxed(20, 10, 80, 30), truth) == 1.0
    assert GritsLoc().example(boxed(20, 10, 80, 30), truth) < 0.1


def test_pixels_are_brought_to_tokens_by_the_size_of_the_image():
    truth = {"cells": [cell([0], [0], bbox=[50, 50, 100, 200])], "size": [200, 400]}
    assert GritsLoc().example(boxed(256, 128, 512, 512), [truth]) == 1.0


@pytest.mark.parametrize(
    "coords", ["", "<loc0001>", "<loc0001><loc0002><loc0003><loc0004><loc0005>", "<loc9999>" * 4, "1 2 3 4"]
)
def test_half_tokens_are_no_box(coords):
    prediction = f'<table><tr><td coords="{coords}">a</td></tr></table>'
    assert GritsLoc().compare(prediction, boxed(0, 0, 9, 9)) == (0, 0, 0, 0, 0, 0, 0)


def test_cells_without_a_box_match_nothing_not_even_each_other():
    assert GritsLoc().example(table("a"), [table("a")]) == 0.0


@pytest.mark.parametrize("corner", [math.nan, math.inf, 1e300, -1e300])
def test_a_box_that_is_not_finite_matches_nothing(corner):
    truth = [[cell([0], [0], bbox=[0, 0, 9, corner])]]
    assert GritsLoc().example(boxed(0, 0, 9, 9), truth) == 0.0


def test_the_overlap_is_relative_to_the_rectangle_around_both():
    """Two crossing bars: the usual IoU is 1 / 5, the rectangle around both has 9."""
    assert hull_overlaps([(0, 1, 3, 2)], [(1, 0, 2, 3)]).item() == 1 / 9


def test_coords_must_name_each_border_once():
    with pytest.raises(UsageError, match="xmin"):
        load_metric("grits_loc", coords=["xmin", "ymax", "xmax", "ymax"])
    assert (
        load_metric("grits_loc", coords=["ymin", "xmin", "ymax", "xmax"])
        .signature()
        .startswith("grits_loc|v1|coords:ymin,")
    )


# --- the alignment ----------------------------------------------------------------------------------------------


def best_alignment(first, second, rewards):
    """Exhaustive: the largest sum over all order-preserving pairings of rows, then the same for columns."""

    def align(count1, count2, value):
        best = {(0, 0): Fraction(0)}
        for i in range(count1 + 1):
            for k in range(count2 + 1):
                options = [best[i - 1, k]] if i else []
                options += [best[i, k - 1]] if k else []
                options += [best[i - 1, k - 1] + value(i - 1, k - 1)] if i and k else []
                best[i, k] = max(options, default=Fraction(0))
        return best[count1, count2]

    def reward(i, j, k, m):
        return Fraction(float(rewards[first[i, j], second[k, m]]))

    rows1, columns1, rows2, columns2 = *first.shape, *second.shape
    by_rows = align(rows1, rows2, lambda i, k: align(columns1, columns2, lambda j, m: reward(i, j, k, m)))
    by_columns = align(columns1, columns2, lambda j, m: align(rows1, rows2, lambda i, k: reward(i, j, k, m)))
    return float(min(by_rows, by_columns))


def test_the_bound_is_the_best_alignment_and_the_score_is_no_more():
    source = np.random.default_rng(0)
    for _ in range(50):
        rewards = source.choice([0, 0.25, 0.5, 1], (3, 4))
        first = source.integers(0, 3, source.integers(1, 5, 2))
        second = source.integers(0, 4, source.integers(1, 5, 2))
        match = most_similar_substructure(first, second, rewards)
        assert match.bound == best_alignment(first, second, rewards)
        assert match.score <= match.bound


# --- hostile and broken text ------------------------------------------------------------------------------------

SIZE = 100_000
DIGITS = random.Random(0)
HOSTILE = {
    "rows": "<table>" + "<tr><td>" * (SIZE // 8),
    "cells": "<table><tr>" + "".join(f"<td>{i}" for i in range(SIZE // 9)),
    "rows and cells": "<table>" + "<tr><td>" * (SIZE // 16) + "<td>" * (SIZE // 8),
    "numbers": "<table>" + ("<tr>" + "<td>1.5<td>20<td>0.033" * 20) * 85,
    "two letters": "<table><tr>" + "".join(f"<td>{DIGITS.getrandbits(190):b}" for _ in range(SIZE // 194)),
    "nested inline": "<table><tr><th>" + "<b>" * (SIZE // 3),
    "nested tables": "<table><tr><td>a" * (SIZE // 16),
    "nested cells": "<table><tr>" + "<td>a" * (SIZE // 10) + "</td>" * (SIZE // 10) + "</tr></table>",
    "distinct tags": "<table><tr><td>" + "".join(f"<x{i}>" for i in range(SIZE // 7)),
    "long cell": "<table><tr><td>" + "xy" * (SIZE // 2),
    "long text": "<table><tr><td>" + "".join(chr(0x4E00 + DIGITS.randrange(150)) for _ in range(SIZE)),
    "long span": '<table><tr><td colspan="' + "9" * SIZE + '">x',
    "huge span": '<table><tr><td colspan="1000000000" rowspan="1000000000">x</td></tr></table>',
    "large span": '<table><tr><td colspan="256" rowspan="256">x</td></tr></table>',
    "unclosed tags": "<table" * (SIZE // 6),
    "angle brackets": "<" * SIZE,
    "half tokens": '<table><tr><td coords="' + "<loc0" * (SIZE // 5),
    "NUL": "<table><tr><td>" + "\0" * SIZE,
    "lone surrogates": "<table><tr><td>" + "\ud800" * SIZE,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_scored_in_time(name):
    """100 kB of repeated markup, against a table and against nearly itself, by every metric and both readings."""
    text = HOSTILE[name]
    for metric in (cls(strict=strict) for cls in METRICS.values() for strict in (False, True)):
        for reference in (table("a b c", "d e f"), text + "<table><tr><td>z"):
            start = time.monotonic()
            score = metric.statistics(text, [reference])
            assert ((score >= 0) & (score <= 1)).all()
            assert time.monotonic() - start < 10


@pytest.mark.parametrize("span", [10**9, 10**30])
def test_a_span_beyond_the_bound_scores_zero_and_is_counted(span):
    prediction = f'<table><tr><td colspan="{span}">a</td></tr></table>'
    for strict in (False, True):
        assert GritsTop(strict=strict).compare(prediction, table("a")) == (0, 0, 0, 0, 0, 0, 1)


@pytest.mark.parametrize("bound", ["grits.MAX_PAIRS", "grid.MAX_POSITIONS", "grid.MAX_TEXT", "gestalt.MAX_STEPS"])
def test_tables_beyond_a_bound_score_zero_and_are_counted(monkeypatch, bound):
    monkeypatch.setattr(f"evalsuite.metrics.tables.{bound}", 3)
    assert GritsCon().compare(table("ab cd", "e f"), table("ad cb", "e g")) == (0, 0, 0, 0, 0, 0, 1)


def test_a_table_may_be_cut_at_any_byte():
    """The score of the whole table is 1; of what came before a cut, never more than that, and never an error."""
    whole = (
        '<table><tr><td colspan="2" coords="<loc0001><loc0002><loc0100><loc0050>">é <b>b</b></td></tr>'
        '<tr><td coords="<loc0001><loc0060><loc0050><loc0100>">&lt;1</td>'
        '<td coords="<loc0051><loc0060><loc0100><loc0100>">漢<br>z</td></tr></table>'
    )
    data = whole.encode()
    cuts = [data[:end].decode("utf-8", "surrogateescape") for end in range(len(data) + 1)]
    for cls in METRICS.values():
        scores = [cls().example(cut, [whole]) for cut in cuts]
        assert scores[0] == 0.0 and scores[-1] == 1.0
        assert all(0 <= score <= 1 for score in scores)


def test_random_markup_never_raises():
    source = random.Random(0)
    pieces = ["<td", "<tr>", "<td>", "</td>", "<table>", "</table>", "<th>", "<b>", "</b>", "<body>", "<html>"]
    pieces += ["</html>", "<!--", "-->", "<?x", "<![CDATA[", "&#0;", "&nbsp;", "coords=<loc0001>", "\udfff"]
    pieces += [' colspan="3"', ' rowspan="2"', ' rowspan="-1"', *"ab<>/&;\"'= \n\0\x1f\xa0é表"]
    for _ in range(300):
        text = "<table>" + "".join(source.choices(pieces, k=source.randrange(60)))
        for metric in (cls(strict=strict) for cls in METRICS.values() for strict in (False, True)):
            score = metric.statistics(text, [table("a b")])
            assert ((score >= 0) & (score <= 1)).all()


@pytest.mark.parametrize("span", [55_555, 65_535])
@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_cell_that_fills_a_long_row_is_scored_in_time(name, span):
    """Found by fuzzing: the span was gone through again at each of its positions."""
    wide = f"<table><tr><td colspan={span}>a</td></tr></table>"
    annotated = [{"row_nums": [0], "column_nums": list(range(span)), "cell_text": "a", "bbox": [0, 0, 1, 1]}]
    start = time.monotonic()
    for prediction, reference in ((wide, table("a b")), (table("a b"), annotated)):
        METRICS[name]().statistics(prediction, [reference])
    assert time.monotonic() - start < 30
