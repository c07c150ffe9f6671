"""Which answers a metric could not read: the rule of each, on an answer that it reads and one that it does not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from evalsuite.metrics import Answer, load_metric

CHOICE = {"choices": ["bus", "train"], "answer": 1}
TABLE = "<table><tr><td>a</td></tr></table>"
OTHER = TABLE.replace(">a<", ">b<")
BOX, HALF = "<loc0000><loc0000><loc0100><loc0100>", "<loc0000><loc0000><loc01"
FULL = "<loc0000><loc0000><loc1023><loc1023>"
OBJECTS = {"objects": [{"bbox": [0, 0, 10, 10], "category": "cat"}], "size": [100, 100]}
WORDS = {"words": [{"vertices": [[0, 0], [9, 0], [9, 9], [0, 9]], "text": "cat", "legible": True}], "size": [99, 99]}
MASK = {"mask": {"size": [4, 4], "counts": [0, 16]}, "box_yxyx": [0, 0, 1, 1]}
PAIR = {"answer": "(a)", "pair": 1}


@pytest.mark.parametrize(
    ("name", "parameters", "reference", "read", "unread"),
    [
        ("yes_no", {}, "yes", "No", "Yes, it is"),
        ("yes_no", {"variant": "official"}, "yes", "Yes, it is", "a dog"),
        ("yes_no", {"variant": "official"}, "yes", "there is no dog", "NO"),
        ("multiple_choice", {}, CHOICE, "bus", "B"),
        ("multiple_choice", {"accept": "letter"}, CHOICE, "B", "C"),
        ("science_qa", {}, "The answer is A.", "the answer is b.", "B"),
        ("science_qa", {"variant": "official"}, {"answer": 0, "choices": 2}, "The answer is B.", "The answer is C."),
        ("number_words", {}, "2", "twelve", "two dogs"),
        ("number_words", {}, "a few", "many", None),
        ("relaxed_accuracy", {}, "12.5", "3%", "about 12"),
        ("relaxed_accuracy", {}, "Norway", "Sweden", None),
        ("paired_accuracy", {"match": "letter"}, PAIR, "(b)", "open"),
        ("paired_accuracy", {"match": "judged"}, PAIR, "Yes", "It is right"),
        ("teds", {}, TABLE, OTHER, "no table"),
        ("teds_structure", {}, TABLE, OTHER, "no table"),
        ("grits_top", {}, TABLE, OTHER, "no table"),
        ("grits_con", {"strict": True}, TABLE, OTHER, TABLE[:-1]),
        ("mask_iou", {}, MASK, FULL + "<seg000>" * 16, FULL + "<seg000>" * 15),
        ("box_ap", {}, OBJECTS, f"{BOX} dog", f"{BOX} cat ; {HALF}"),
        ("text_spotting", {}, WORDS, f"{BOX} dog", f"{BOX} cat ; {HALF}"),
        ("smiles_match", {}, "CCO", "CCC", "C(C"),
        ("caption_length", {}, "a dog", "a cat", "…"),
    ],
)
def test_an_answer_that_the_rule_cannot_read_is_told_from_a_wrong_one(
    name: str, parameters: dict[str, Any], reference: Any, read: str, unread: str | None
) -> None:
    """unread None: where no number is asked for, nothing has to be one."""
    metric = load_metric(name, **parameters)
    texts = [read, read if unread is None else unread]
    predictions: list[Any] = [Answer(text) for text in texts] if metric.takes_answers else texts
    references = [[reference], [reference]]
    ready = metric.prepare(predictions, references)
    flags = ready.unread(predictions, references, ready.batch_statistics(predictions, references))
    assert flags is not None and flags.dtype == np.bool_
    assert flags.tolist() == [False, unread is not None]


def test_a_metric_that_takes_any_text_says_nothing() -> None:
    for metric in (load_metric("exact_match"), load_metric("paired_accuracy")):
        assert metric.unread(["anything"], [[PAIR]], np.ones((1, 2))) is None
