"""Which examples two runs share."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from evalsuite.comparison.pairing import pair


@dataclass(frozen=True)
class Item:
    id: str
    content: str


def items(text: str) -> list[Item]:
    """``"1a 2b"``: id 1 with content a, id 2 with content b."""
    return [Item(word[0], word[1]) for word in text.split()]


def test_order_and_positions_do_not_count() -> None:
    assert pair(items("1a 2b 3c"), items("3c 1a 2b")).places == [(0, 1), (1, 2), (2, 0)]


def test_an_id_with_other_content_is_another_example() -> None:
    """The data set was edited: question 2 is not what it was."""
    found = pair(items("1a 2b"), items("1a 2x"))
    assert found.places == [(0, 0)] and (found.only_first, found.only_second) == (1, 1)


def test_examples_whose_ids_were_made_anew_meet_by_content() -> None:
    assert pair(items("1a 2b"), items("8b 9a")).places == [(0, 1), (1, 0)]


def test_equal_content_goes_by_id_first() -> None:
    """Two images with the same question and answer must not be exchanged."""
    assert pair(items("1a 2a"), items("2a 1a")).places == [(0, 1), (1, 0)]
    assert pair(items("1a 2a 3a"), items("3a 9a")).places == [(0, 1), (2, 0)]


@given(st.lists(st.tuples(st.sampled_from("12345"), st.sampled_from("ab")), unique=True), st.randoms())
def test_no_example_has_two_partners(given_items: list[tuple[str, str]], random: object) -> None:
    first = [Item(*item) for item in given_items]
    second = list(reversed(first))[: len(first) // 2 + 1]
    found = pair(first, second)
    left, right = [place for place, _ in found.places], [place for _, place in found.places]
    assert len(set(left)) == len(left) and len(set(right)) == len(right)
    assert all(first[a].content == second[b].content for a, b in found.places)
    assert len(found.places) == len(second)
