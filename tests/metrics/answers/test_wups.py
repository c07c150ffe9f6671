"""WUPS, on a small database in WordNet's format."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import DataError, MissingDependency, UsageError
from evalsuite.metrics import load_metric
from evalsuite.metrics.answers import wordnet
from evalsuite.metrics.answers.wordnet import Sense, WordNet, find_wordnet, load_wordnet
from evalsuite.metrics.answers.wups import Wups

CASES = runpy.run_path(str(Path(__file__).parents[1] / "cases" / "answers.py"))
tiny_wordnet: Callable[..., Path] = CASES["tiny_wordnet"]
NOUNS: dict[str, list[str]] = CASES["NOUNS"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_wordnet(tmp_path_factory.mktemp("wordnet"))


@pytest.fixture(scope="module")
def words(folder: Path) -> WordNet:
    return load_wordnet(folder)


@pytest.fixture(scope="module")
def wups(folder: Path) -> Wups:
    return Wups(wordnet=str(folder))


def score(metric: Wups, prediction: str, *references: Any) -> tuple[float, float]:
    plain, strict = metric.score([prediction], [list(references)]).values()
    return plain, strict


def first(words: WordNet, word: str) -> Sense:
    return words.senses(word)[0]


@pytest.mark.parametrize(
    ("one", "other", "similarity"),
    [
        ("dog", "dog", 1.0),
        ("dog", "domestic_dog", 1.0),  # one synset
        # dog is two steps below entity over animal, three over friend and person: its own depth is the longer way
        ("dog", "cat", 2 * 2 / (2 * 2 + 1 + 1)),
        ("dog", "animal", 2 * 2 / (2 * 2 + 1)),
        ("dog", "person", 2 * 2 / (2 * 2 + 2)),
        ("cat", "person", 2 * 1 / (2 * 1 + 2 + 1)),
        ("cat", "thing", 0.0),  # nouns have no root but their own
        ("walk", "sleep", 2 * 1 / (2 * 1 + 2 + 1)),  # verbs meet above all verbs
        ("cat", "quick", 2 * 1 / (2 * 1 + 3 + 1)),  # so do a noun and an adjective
        ("quick", "quickly", 2 * 1 / (2 * 1 + 1 + 1)),
    ],
)
def test_similarity_of_two_senses(words: WordNet, one: str, other: str, similarity: float) -> None:
    assert words.similarity(first(words, one), first(words, other)) == pytest.approx(similarity)


def test_the_first_of_equally_low_ancestors_in_the_order_of_names_counts(tmp_path: Path) -> None:
    """Both have a as deep a shortest way; only that over b has a longer one, too."""
    nouns = {"top": [], "a": ["top"], "long": ["top"], "b": ["top", "long"], "x": ["a", "b"], "y": ["a", "b"]}
    words = WordNet(tiny_wordnet(tmp_path, nouns))
    assert words.similarity(first(words, "x"), first(words, "y")) == pytest.approx(2 * 2 / (2 * 2 + 2))


def test_a_circle_of_hypernyms_ends(tmp_path: Path) -> None:
    words = WordNet(tiny_wordnet(tmp_path, {"hen": ["egg"], "egg": ["hen"], "cock": ["hen"]}))
    assert 0 < words.similarity(first(words, "cock"), first(words, "egg")) <= 1


@pytest.mark.parametrize(
    ("word", "pos", "forms"),
    [
        ("dogs", "n", ["dog"]),
        ("dog", "n", ["dog"]),
        ("men", "n", ["person"]),  # an exception
        ("walking", "v", ["walk"]),
        ("walked", "v", ["walk"]),
        ("moves", "v", ["move"]),
        ("quicker", "a", ["quick"]),
        ("quicklys", "r", []),
        ("unknown", "n", []),
    ],
)
def test_base_forms(words: WordNet, word: str, pos: str, forms: list[str]) -> None:
    assert words.base_forms(word, pos) == forms


def test_senses_are_nouns_first_and_found_from_inflected_forms(words: WordNet) -> None:
    assert [sense.pos for sense in words.senses("RUN")] == ["n", "v"]
    assert [sense.pos for sense in words.senses("ran")] == ["v"]


def test_equal_answers_score_one_whatever_the_order_articles_or_inflection(wups: Wups) -> None:
    assert score(wups, "the dogs walked", "a walking dog") == (1.0, 1.0)


def test_a_similarity_below_the_threshold_counts_a_tenth(wups: Wups) -> None:
    assert score(wups, "cat", "dog") == pytest.approx((2 / 3, 0.1 * 2 / 3))


def test_similarities_are_multiplied_and_the_smaller_direction_counts(wups: Wups) -> None:
    """Both words of the answer have a match, dog; the other way round dog has its best one, itself."""
    assert score(wups, "dog cat", "dog") == pytest.approx((2 / 3, 0.1 * 2 / 3))
    assert score(wups, "dog", "dog cat") == pytest.approx((2 / 3, 0.1 * 2 / 3))


def test_words_without_any_similarity_are_passed_over(wups: Wups) -> None:
    assert score(wups, "dog zyzzyva", "dog") == (1.0, 1.0)
    assert score(wups, "zyzzyva", "dog") == (0.0, 0.0)


def test_the_best_reference_counts(wups: Wups) -> None:
    assert score(wups, "dog", "thing", "dog") == (1.0, 1.0)


def test_answers_without_words_score_zero(wups: Wups) -> None:
    assert score(wups, "", "dog") == score(wups, "the", "the") == (0.0, 0.0)


@pytest.mark.parametrize("kind", ["DB", "DC"])
def test_counts_and_yes_or_no_must_be_equal(wups: Wups, kind: str) -> None:
    assert score(wups, "cat", {"answer": "dog", "type": kind}) == (0.0, 0.0)
    assert score(wups, "The dogs", {"answer": "dog", "type": kind}) == (1.0, 1.0)
    assert score(wups, "cat", {"answer": "dog", "type": "DO"})[0] == pytest.approx(2 / 3)


def test_own_stop_words_and_base_forms_can_be_used(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "stop.txt").write_text("cat\nof", encoding="utf-8")
    own = Wups(wordnet=str(folder), stopwords=str(tmp_path / "stop.txt"))
    assert score(own, "cat of dog", "dog") == (1.0, 1.0)
    assert own.signature() == "wups|v1|lemmatize:True|stopwords:stop.txt|wordnet:given"
    assert score(Wups(wordnet=str(folder), lemmatize=False), "dogs", {"answer": "dog", "type": "DC"}) == (0.0, 0.0)


def test_a_missing_database_is_said_before_a_run(tmp_path: Path) -> None:
    with pytest.raises(MissingDependency, match=f"wordnet-base.*looked in {tmp_path}"):
        load_metric("wups", wordnet=str(tmp_path)).check()


def test_usual_places_are_looked_at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wordnet, "PLACES", ("/nowhere", str(folder)))
    assert find_wordnet() == folder


def test_a_missing_list_of_stop_words_is_said_before_a_run(folder: Path) -> None:
    with pytest.raises(UsageError, match=r"list of stop words nowhere\.txt"):
        load_metric("wups", wordnet=str(folder), stopwords="nowhere.txt").check()


def test_a_damaged_database_is_named(tmp_path: Path) -> None:
    tiny_wordnet(tmp_path)
    text = (tmp_path / "data.noun").read_text(encoding="utf-8")
    (tmp_path / "data.noun").write_text("x" + text, encoding="utf-8")
    words = WordNet(tmp_path)
    with pytest.raises(DataError, match=r"data\.noun: no synset at byte"):
        words.similarity(first(words, "dog"), first(words, "cat"))
