"""Lengths of captions, and how sentences are cut."""

from __future__ import annotations

import time

import pytest

from evalsuite.metrics.captions.length import CaptionLength, split_sentences


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("A dog. A cat! A bird?", ["A dog.", "A cat!", "A bird?"]),
        ("no end mark", ["no end mark"]),
        ("It weighs 2.5 kg.", ["It weighs 2.5 kg."]),
        ("Dr. Bell met J. Smith. They left.", ["Dr. Bell met J. Smith.", "They left."]),
        ("It was I. He left.", ["It was I.", "He left."]),
        ("Apples, pears, etc. Then bread.", ["Apples, pears, etc.", "Then bread."]),
        ("Apples etc. are red.", ["Apples etc. are red."]),
        ('The sign says "STOP." It is red.', ['The sign says "STOP."', "It is red."]),
        ("Wait... what?! Yes.", ["Wait...", "what?!", "Yes."]),
        ("A title\n\nA text. (In brackets.)", ["A title", "A text.", "(In brackets.)"]),
        ("猫がいる。犬もいる！", ["猫がいる。", "犬もいる！"]),
        ("see evalsuite.readthedocs.io now", ["see evalsuite.readthedocs.io now"]),
        (" . ... ! ", []),
        ("", []),
    ],
)
def test_where_sentences_end(text: str, sentences: list[str]) -> None:
    assert split_sentences(text) == sentences


def test_lengths_are_means_over_answers() -> None:
    score = CaptionLength().score([" One two. Three. ", ""], [[], []])
    assert score == {"characters": 7.5, "words": 1.5, "sentences": 1.0, "empty": 0.5}


@pytest.mark.parametrize(
    "text", ["." * 100_000 + "x", ". " * 50_000, '."' * 50_000 + "x", "\n " * 50_000, "e.g. " * 20_000, "\ud800. " * 9]
)
def test_malformed_answers_are_cut_quickly(text: str) -> None:
    start = time.perf_counter()
    row = CaptionLength().statistics(text)
    assert time.perf_counter() - start < 1
    assert row[0] == len(text.strip())
