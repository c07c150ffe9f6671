"""Sentences as numbers: what is kept once, and what it is cut into."""

from __future__ import annotations

from collections import Counter

import pytest

from evalsuite.metrics import load_metric
from evalsuite.metrics.captions import rouge
from evalsuite.metrics.captions.ngrams import ngram_counts
from evalsuite.metrics.captions.pieces import Pieces, joined, pieces_between_spaces

SENTENCES = ["a b a", "", " a\tc  b ", "d\xa0d"]


def cut(pieces: Pieces) -> list[list[str]]:
    """The pieces of every sentence."""
    places = iter(pieces.numbers.tolist())
    return [[pieces.texts[next(places)] for _ in range(length)] for length in pieces.lengths.tolist()]


def test_pieces_lie_between_single_spaces_and_are_kept_once() -> None:
    pieces = pieces_between_spaces(SENTENCES)
    assert cut(pieces) == [sentence.split(" ") for sentence in SENTENCES]
    assert len(set(pieces.texts)) == len(pieces.texts)


def test_pieces_joined_give_the_sentences_back() -> None:
    assert pieces_between_spaces(SENTENCES).sentences() == SENTENCES


def test_words_are_what_str_split_gives() -> None:
    """Tabs and hard spaces part words for CIDEr and BLEU, single spaces alone for ROUGE-L."""
    between_spaces = pieces_between_spaces(SENTENCES).split_at_spaces()
    assert cut(between_spaces) == [sentence.split(" ") for sentence in SENTENCES]
    assert cut(between_spaces.split_at_white_space()) == [sentence.split() for sentence in SENTENCES]


def test_words_of_two_lists_share_their_numbers_in_the_order_of_first_places() -> None:
    words = joined(pieces_between_spaces(["b a"]), pieces_between_spaces(["a c b"])).split_at_spaces()
    assert words.texts == ["b", "a", "c"]
    assert words.numbers.tolist() == [0, 1, 1, 2, 0]


def test_a_rewritten_sentence_is_one_piece_and_empty_pieces_go() -> None:
    pieces = pieces_between_spaces(["x y", "y z", "z"])
    assert pieces.texts == ["x", "y", "z"]
    found = pieces.rewritten(["one two", "three", ""], {1: "all new"})
    assert cut(found) == [["one two", "three"], ["all new"], [""]]
    assert cut(found.split_at_spaces()) == [["one", "two", "three"], ["all", "new"], [""]]


def test_no_sentences_have_no_pieces() -> None:
    pieces = pieces_between_spaces([]).rewritten([], {}).split_at_spaces().split_at_white_space()
    assert pieces.sentences() == []


def test_ngrams_are_counted_within_each_sentence() -> None:
    sentences = ["a b a b a", "b", "", "a b"]
    words = pieces_between_spaces(sentences).split_at_spaces().split_at_white_space()
    for order, counts in enumerate(ngram_counts(words, 4), 1):
        entries = zip(counts.sentence.tolist(), counts.counts.tolist(), strict=True)
        expected = [
            (number, times)
            for number, sentence in enumerate(map(str.split, sentences))
            for times in Counter(tuple(sentence[k : k + order]) for k in range(len(sentence) - order + 1)).values()
        ]
        assert sorted(entries) == sorted(expected)


def test_rouge_l_is_the_same_where_words_outnumber_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = ["a red car", "two dogs"], [["a car is red"], ["dogs", "two big dogs"]]
    expected = load_metric("rouge_l").score(*corpus)
    monkeypatch.setattr(rouge, "_CHARACTERS", 3)
    assert rouge.spelled(pieces_between_spaces(["a b", "c d e b"])) == [[0, 1], [2, 3, 4, 1]]
    assert load_metric("rouge_l").score(*corpus) == expected
