"""What is read from location tokens and JSON lists, and what is skipped and counted."""

from __future__ import annotations

import math

import pytest

from evalsuite.metrics import Answer
from evalsuite.metrics.boxes.written import (
    finite_numbers,
    likelihood,
    number_block,
    parse_json_list,
    parse_located_texts,
    text_log_probabilities,
)

BOX = "<loc0001><loc0002><loc0300><loc1023>"


def read(text, **options):
    objects, malformed = parse_located_texts(text, **options)
    return [entry.text for entry in objects], malformed


@pytest.mark.parametrize(
    ("text", "texts", "malformed"),
    [
        ("", [], 0),
        (" \n", [], 0),
        (f"{BOX} cat", ["cat"], 0),
        (f"{BOX} cat ; {BOX} dining table", ["cat", "dining table"], 0),
        (f"{BOX}cat;{BOX}dog", ["cat;", "dog"], 0),
        (f"{BOX} cat ; {BOX} dog ; ", ["cat", "dog"], 0),
        (f"{BOX} a;b ; {BOX} ;", ["a;b", ";"], 0),
        (f"{BOX} ; {BOX} ; ; {BOX} x", ["", ";", "x"], 0),
        (f"{BOX}<seg001><seg002> cat", ["cat"], 0),
        (f"{BOX} don't stop", ["don't stop"], 0),
        ("no tokens", [], 1),
        (f"I see {BOX} cat", ["cat"], 1),
        ("<loc0001><loc0002><loc0300> cat", [], 1),
        (f"{BOX}<loc0007> cat ; {BOX} dog", ["dog"], 1),
        (BOX.replace("1023", "1024") + " cat", [], 1),
        (f"{BOX} cat ; <loc00", ["cat"], 1),
        (f"{BOX} cat ; <loc0001><loc0002>", ["cat"], 1),
        (f"{BOX} cat <loc", ["cat"], 1),
        (BOX.replace("0001", "٠٠٠١") + " cat", [], 2),
    ],
)
def test_objects_in_location_tokens(text, texts, malformed):
    assert read(text) == (texts, malformed)


def test_the_text_may_precede_its_box():
    assert read(f"one ; two {BOX} ; {BOX}", text_first=True) == (["one ; two", ""], 0)
    assert read(f"cat {BOX} ; a dog {BOX} ; rest", text_first=True) == (["cat", "a dog"], 1)


def test_a_box_is_y1_x1_y2_x2_and_knows_its_place():
    objects, _ = parse_located_texts(f"<loc0009> {BOX} cat")
    assert objects[0].box == (1, 2, 300, 1023)
    assert objects[0].first == 1


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[]", ([], 0)),
        (' [{"a": 1}]\n', ([{"a": 1}], 0)),
        ('```json\n[1, "x"]\n```', ([1, "x"], 0)),
        ('[{"a": 1}, {"a": 2}, {"a', ([{"a": 1}, {"a": 2}], 1)),
        ("[1, 2", ([1, 2], 1)),
        ("[1 2]", ([1, 2], 1)),
        ("[nan]", ([], 1)),
        ("[" * 100_000, ([], 1)),
        ('[{"a":' * 20_000, ([], 1)),
        ("[" + "9" * 100_000, ([], 1)),
        ('{"a": 1}', None),
        ("", None),
    ],
)
def test_json_lists(text, found):
    assert parse_json_list(text) == found


@pytest.mark.parametrize(
    "values", [None, "1234", [1, 2, 3], [1, 2, 3, float("nan")], [1, 2, 3, 1e10], [1, 2, 3, "x"], [1, 2, 3, 10**400]]
)
def test_four_finite_numbers_or_nothing(values):
    assert finite_numbers([1, 2, 3.5, -4], 4) == (1, 2, 3.5, -4)
    assert finite_numbers(values, 4) is None
    assert number_block([[1, 2, 3, 4], values], 4) is None


def test_a_block_of_numbers_has_one_shape():
    assert number_block([[[1, 2], [3, 4]]] * 3, 2, 2).shape == (3, 2, 2)
    assert number_block([], 4).shape == (0, 4)
    assert number_block([[[1, 2], [3]]], 2, 2) is None
    assert number_block([["12", "34"]], 2, 2) is None
    assert number_block([[1, 2], 3], 2) is None


# --- log-probabilities -------------------------------------------------------------------------------------------

FIRST_LOCATION = 256000
SEPARATOR, SPACE, END = 2161, 235248, 1


def answer():
    """Two objects; their class tokens have log-probabilities -1, -2 and -4, all others -0.5."""
    box = [FIRST_LOCATION + token for token in (1, 2, 300, 1023)]
    tokens = [*box, 40, 41, SEPARATOR, SPACE, *box, 50, END]
    logs = [{40: -1.0, 41: -2.0, 50: -4.0}.get(token, -0.5) for token in tokens]
    return Answer(f"{BOX} dining table ; {BOX} cat", token_ids=tuple(tokens), log_probabilities=tuple(logs))


def probabilities_of(answer):
    return text_log_probabilities(answer, parse_located_texts(answer.text)[0])


def test_class_tokens_lie_between_a_box_and_the_separator():
    assert probabilities_of(answer()) == [(-1.0, -2.0), (-4.0,)]


def test_the_vocabulary_may_begin_its_location_tokens_anywhere():
    moved = tuple(token - 255000 if token >= FIRST_LOCATION else token % 900 for token in answer().token_ids)
    given = Answer(answer().text, token_ids=moved, log_probabilities=answer().log_probabilities)
    assert text_log_probabilities(given, parse_located_texts(given.text)[0], [SEPARATOR % 900, SPACE % 900]) == [
        (-1.0, -2.0),
        (-4.0,),
    ]


@pytest.mark.parametrize("change", ["no ids", "no logs", "other length", "other tokens", "no objects"])
def test_tokens_that_do_not_fit_the_text_give_nothing(change):
    ids, logs, text = answer().token_ids, answer().log_probabilities, answer().text
    given = {
        "no ids": Answer(text, log_probabilities=logs),
        "no logs": Answer(text, token_ids=ids),
        "other length": Answer(text, token_ids=ids[1:], log_probabilities=logs),
        "other tokens": Answer(text, token_ids=(ids[1], *ids[1:]), log_probabilities=logs),
        "no objects": Answer("", token_ids=(), log_probabilities=()),
    }[change]
    assert probabilities_of(given) is None


def test_likelihood_is_a_product_or_a_geometric_mean():
    logs = [math.log(0.5), math.log(0.125)]
    assert likelihood(logs) == pytest.approx(0.0625)
    assert likelihood(logs, mean=True) == pytest.approx(0.25)
    assert likelihood([]) is None
    assert likelihood([math.nan]) is None
