"""TEDS and S-TEDS: equal to the released PubTabNet code, exact on random trees, unshaken by broken HTML."""

from __future__ import annotations

import math
import random
import time
from typing import Any

import numba
import numpy as np
import pytest
from apted import APTED, Config
from apted.helpers import Tree
from hypothesis import given, settings
from hypothesis import strategies as st

from evalsuite.errors import ScoringError, UsageError
from evalsuite.metrics import load_metric
from evalsuite.metrics.tables.compiled import compiled
from evalsuite.metrics.tables.html import TagCodes, parse_table, wrap_table
from evalsuite.metrics.tables.teds import Teds, TedsStructure
from evalsuite.metrics.tables.tree_distance import TreesTooLarge, tree_distance


def document(table: str) -> str:
    return f"<html><body>{table}</body></html>"


def table(*cells: str) -> str:
    return f"<table><tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr></table>"


# --- the recorded answers ---------------------------------------------------------------------------------------


def metric_of(line, wrap):
    metric = TedsStructure if line["inputs"]["structure_only"] else Teds
    return metric(wrap=wrap, ignore_nodes=tuple(line["inputs"]["ignore_nodes"] or ()))


@pytest.mark.parametrize("name", ["teds", "teds_struct"])
def test_equals_the_official_code_on_documents(golden, is_error, name):
    """Where the official code has a score, ours is the same; where it stops with an error, ours is 0."""
    for line in golden(name):
        inputs, expected = line["inputs"], line["expected"]
        score = metric_of(line, wrap=False).example(inputs["pred"], [inputs["true"]])
        wanted = 0.0 if is_error(expected) else expected["teds"]
        assert score == pytest.approx(wanted, abs=1e-9), line["id"]


@pytest.mark.parametrize("name", ["teds", "teds_struct"])
def test_wrapping_changes_no_document_that_scores(golden, is_error, name):
    scoring = [line for line in golden(name) if not is_error(line["expected"]) and line["expected"]["teds"] != 0]
    assert len(scoring) > 200
    for line in scoring:
        inputs = line["inputs"]
        score = metric_of(line, wrap=True).example(inputs["pred"], [inputs["true"]])
        assert score == pytest.approx(line["expected"]["teds"], abs=1e-9), line["id"]


# --- documents and bare tables ----------------------------------------------------------------------------------

BARE = table("a", "b")


@pytest.mark.parametrize(
    "prediction",
    [
        BARE,
        f"<body>{BARE}</body>",
        f"```html\n{BARE}\n```",
        f"Here is the table: {BARE}",
        f"\ufeff{document(BARE)}",
        f"<!-- table -->{document(BARE)}",
        f"```html\n{document(BARE)}\n```",
    ],
)
def test_a_table_without_its_document_scores_only_when_wrapped(prediction):
    assert Teds().example(prediction, [BARE]) == 1.0
    assert Teds(wrap=False).example(prediction, [document(BARE)]) == 0.0


@pytest.mark.parametrize("whole", [document(BARE), " <HTML>x", "<!DOCTYPE html><p>", "", " \n"])
def test_wrapping_leaves_documents_and_empty_texts_alone(whole):
    assert wrap_table(whole) == whole


@pytest.mark.parametrize("cut", ["<td", "<td colspan=", '<td colspan="2', "<td>b</t", "<!-- ", "<td>b"])
def test_wrapping_adds_nothing_behind_an_output_that_was_cut(cut):
    """A bare table scores what the same text scores as an unclosed document."""
    bare = f"<table><tr><td>a</td></tr><tr>{cut}"
    reference = document("<table><tr><td>a</td></tr><tr><td>b</td></tr></table>")
    official = Teds(wrap=False).example("<html><body>" + bare, [reference])
    assert Teds().example(bare, [reference]) == official
    assert official > 0


@pytest.mark.parametrize("prediction", ["", "  \n", "no table", "<html><body><div><table><tr></table></div>"])
def test_no_table_scores_zero(prediction):
    assert Teds().example(prediction, [BARE]) == 0.0


def test_a_span_that_is_no_number_scores_zero():
    assert Teds().example('<table><tr><td colspan="two">a</td></tr></table>', [table("a")]) == 0.0


def test_two_tables_without_elements_score_zero():
    assert Teds().example("<table></table>", ["<table></table>"]) == 0.0


@pytest.mark.parametrize(
    "prediction",
    ["", "no table", "\ud800", '<table><tr><td colspan="two">a</td></tr></table>', "<div><table></table></div>"],
)
def test_predictions_without_a_score_are_counted(prediction):
    """One of two predictions cannot be read as a table: half are unparseable, and it weighs as 0."""
    score = Teds().score([prediction, BARE], [[BARE], [BARE]])
    assert score == {"teds": 0.5, "teds_unparseable": 0.5, "teds_too_large": 0.0}


def test_two_tables_without_elements_are_counted():
    """The official program divides by zero."""
    assert Teds().score(["<table></table>"], [["<table></table>"]])["teds_unparseable"] == 1.0


@pytest.mark.parametrize(
    ("module", "bound"),
    [("tree_distance", "MAX_NODE_PAIRS"), ("tree_distance", "MAX_WORK"), ("teds", "MAX_TEXT_PAIRS")],
)
def test_tables_beyond_a_bound_score_zero_and_are_counted(monkeypatch, module, bound):
    monkeypatch.setattr(f"evalsuite.metrics.tables.{module}.{bound}", 3)
    score = Teds().score([table("a", "b")], [[table("cd", "b")]])
    assert score == {"teds": 0.0, "teds_unparseable": 0.0, "teds_too_large": 1.0}


# --- what is compared -------------------------------------------------------------------------------------------


def test_the_best_of_several_references_counts():
    assert Teds().example(table("a"), [table("b"), table("a")]) == 1.0


def test_structure_ignores_cell_text_and_names_its_value_s_teds():
    score = TedsStructure().score([table("a", "b")], [[table("x", "y")]])
    assert score == {"s_teds": 1.0, "s_teds_unparseable": 0.0, "s_teds_too_large": 0.0}
    assert Teds().example(table("a", "b"), [table("x", "y")]) == pytest.approx(1 - 2 / 3)  # tr and two cells


def test_an_inline_tag_is_two_tokens():
    """``<b>a</b>`` against ``a``: 2 of 3 tokens; 3 elements (tr, td, b)."""
    assert Teds().example(table("<b>a</b>"), [table("a")]) == pytest.approx(1 - (2 / 3) / 3)


def test_ignored_nodes_are_dissolved():
    assert Teds(ignore_nodes=("b",)).example(table("<b>a</b>"), [table("a")]) == 1.0


def test_the_score_is_not_cut_off_at_zero():
    deep = "<table>" + "<tbody><tr><td>a</td></tr></tbody>" * 5 + "</table>"
    assert Teds().example(deep, [table(*"b" * 15)]) == pytest.approx(-0.625)


def test_the_codes_that_stand_for_tags_cannot_be_written_in_a_document():
    codes = TagCodes()
    assert parse_table(document(table("<b>a</b>")), codes) is not None
    assert list(codes) == ["<b>", "</b>"]
    for code in codes.values():
        rewritten = parse_table(document(table(f"&#{ord(code)};")), TagCodes())
        assert rewritten is not None and code not in (rewritten.cells[-1] or "")


def test_references_must_be_text():
    with pytest.raises(ScoringError, match="HTML strings"):
        Teds().example(BARE, [{"html": BARE}])
    with pytest.raises(ScoringError, match="HTML strings"):
        Teds().example(BARE, [])


def test_ignore_nodes_may_be_a_list_but_not_one_word():
    assert load_metric("teds", ignore_nodes=["b"]) == Teds(ignore_nodes=("b",))
    with pytest.raises(UsageError, match="list of tag names"):
        load_metric("teds", ignore_nodes="b")


def test_the_signature_tells_the_variants_apart():
    assert Teds().signature() == "teds|v1|ignore_nodes:|wrap:True"
    assert TedsStructure(wrap=False).signature() == "teds_structure|v1|ignore_nodes:|wrap:False"


# --- the distance -----------------------------------------------------------------------------------------------


class UnitCosts(Config):
    """Names are (label, text or None)."""

    def rename(self, node1, node2):
        (label1, text1), (label2, text2) = node1.name, node2.name
        return 1.0 if label1 != label2 else COSTS[text1, text2] if text1 is not None else 0.0


COSTS = np.array([[0.0, 0.25, 1.0], [0.25, 0.0, 0.625], [1.0, 0.625, 0.0]])


@st.composite
def trees(draw):
    """Parents, labels and cells in document order; label 2 is a cell with one of three texts.

    Cells are leaves, as in tables. (apted 1.0.3 overestimates some trees whose inner nodes have fractional costs.)
    """
    count = draw(st.integers(1, 14))
    path, parents = [0], [-1]
    for node in range(1, count):
        path = path[: draw(st.integers(1, len(path)))]  # the parent is some node of the rightmost path
        parents.append(path[-1])
        path.append(node)
    inner = set(parents)
    labels = [draw(st.integers(0, 1 if node in inner else 2)) for node in range(count)]
    cells = [draw(st.integers(0, 2)) if label == 2 else -1 for label in labels]
    return parents, labels, cells


def as_apted(parents, labels, cells):
    nodes = [Tree((label, None if cell < 0 else cell)) for label, cell in zip(labels, cells, strict=True)]
    for node, parent in zip(nodes[1:], parents[1:], strict=True):
        nodes[parent].children.append(node)
    return nodes[0]


def distance(first, second, costs=COSTS):
    return tree_distance(*(np.array(part) for part in (*first, *second)), costs)


@settings(max_examples=300, deadline=None)
@given(trees(), trees())
def test_the_distance_is_the_exact_tree_edit_distance(first, second):
    expected = APTED(as_apted(*first), as_apted(*second), UnitCosts()).compute_edit_distance()
    assert distance(first, second) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(trees(), trees())
def test_both_trees_mirrored_have_the_same_distance(first, second):
    def mirrored(tree):
        parents, labels, cells = tree
        order: list[int] = []
        waiting = [0]
        while waiting:
            node = waiting.pop()
            order.append(node)
            waiting.extend(child for child, parent in enumerate(parents) if parent == node)  # last child first
        new = {old: place for place, old in enumerate(order)}
        return (
            [-1 if parents[old] < 0 else new[parents[old]] for old in order],
            [labels[old] for old in order],
            [cells[old] for old in order],
        )

    assert distance(mirrored(first), mirrored(second)) == pytest.approx(distance(first, second), abs=1e-9)


def test_a_comparison_too_large_is_refused_at_once():
    count = 6000
    flat = [-1] + [0] * (count - 1), [0] * count, [-1] * count
    with pytest.raises(TreesTooLarge, match="6000 and 6000 nodes"):
        distance(flat, flat)


# --- hostile and broken text ------------------------------------------------------------------------------------

SIZE = 100_000
HOSTILE = {
    "rows": "<table>" + "<tr><td>" * (SIZE // 8),
    "cells": "<table><tr>" + "".join(f"<td>{i}" for i in range(SIZE // 9)),
    "nested inline": "<table><tr><th>" + "<b>" * (SIZE // 3),
    "nested blocks": "<table><tr><th>" + "<div><br>" * (SIZE // 9),
    "nested tables": "<table><tr><td>" * (SIZE // 15),
    "distinct tags": "<table><tr><td>" + "".join(f"<x{i}>" for i in range(SIZE // 7)),
    "long cell": "<table><tr><td>" + "xy" * (SIZE // 2),
    "huge span": '<table><tr><td colspan="1000000000" rowspan="1000000000">x',
    "numbers": "<table>" + ("<tr>" + "<td>1.5<td>20<td>0.033" * 20) * 85,
    "long span": '<table><tr><td colspan="' + "9" * SIZE + '">x',
    "unclosed tags": "<table" * (SIZE // 6),
    "angle brackets": "<" * SIZE,
    "NUL": "<table><tr><td>" + "\0" * SIZE,
    "lone surrogates": "<table><tr><td>" + "\ud800" * SIZE,
}


def test_a_table_may_be_cut_at_any_byte():
    """The score of the whole table is 1; of what came before a cut, never more than that, and never an error."""
    whole = '<table><tr><td colspan="2">é <b>b</b></td></tr><tr><td>&lt;1</td><td>漢<br>z</td></tr></table>'
    data = whole.encode()
    scores = [Teds().example(data[:end].decode("utf-8", "surrogateescape"), [whole]) for end in range(len(data) + 1)]
    assert scores[0] == 0.0 and scores[-1] == 1.0
    assert max(scores) == 1.0 and min(scores) == 0.0


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_text_is_scored_in_time(name):
    """100 kB of repeated markup, against a table and against nearly itself: a finite score at most 1."""
    text = HOSTILE[name]
    start = time.monotonic()
    for reference in (table(*"abcdefgh"), text + "<table><tr><td>z"):
        score = Teds().example(text, [reference])
        assert math.isfinite(score) and score <= 1.0
    assert time.monotonic() - start < 20


def test_random_markup_never_raises():
    source = random.Random(0)
    pieces = [
        "<td",
        "<tr>",
        "<td>",
        "</td>",
        "<table>",
        "</table>",
        "<th>",
        "<b>",
        "</b>",
        "<body>",
        "<html>",
        "</html>",
    ]
    pieces += [
        *"ab<>/&;\"'= \n\0\x1f\xa0é表",
        "<!--",
        "-->",
        "<?x",
        "<![CDATA[",
        "&#xD800;",
        "&#0;",
        "<unk>",
        'colspan="3"',
    ]
    for _ in range(300):
        text = "<table>" + "".join(source.choices(pieces, k=source.randrange(60)))
        for wrap in (True, False):
            assert Teds(wrap=wrap).example(text, [document(table("a", "<b>b</b>"))]) <= 1.0


def test_equal_tables_score_one_at_any_size():
    text = "<table>" + "<tr><td>1" * 7000
    assert Teds().example(text, [text]) == 1.0


def test_works_where_no_compiled_code_can_be_kept():
    """numba refuses to cache a function that has no file; it is compiled all the same."""
    scope: dict[str, Any] = {}
    exec("def double(x):\n    return 2 * x", scope)
    with pytest.raises(RuntimeError, match="cannot cache"):
        numba.njit(cache=True)(scope["double"])
    assert compiled(scope["double"])(21) == 42
