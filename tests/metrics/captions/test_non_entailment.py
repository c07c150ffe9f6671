"""Non-entailment sentences: sheet out, ratings in, votes, agreement."""

from __future__ import annotations

import csv
import json
import math
import time
from pathlib import Path

import numpy as np
import pytest

from evalsuite.errors import DataError, ScoringError, UsageError
from evalsuite.metrics import Answer
from evalsuite.metrics.captions.non_entailment import (
    NonEntailment,
    majority,
    rating_statistics,
    read_ratings,
    write_rating_sheet,
)
from evalsuite.metrics.verification import shipped_golden_files, verify_file

GOLDEN = shipped_golden_files()
E, N, C, X = "Entailment", "Neutral", "Contradiction", "Nothing to assess"


def test_agrees_with_the_definition_of_the_paper() -> None:
    verdict = verify_file(GOLDEN / "nes.jsonl.gz")
    assert verdict.passed, verdict.failures


@pytest.mark.parametrize(
    ("ratings", "outcome"),
    [([E, E, N], E), ([E, E, N, N, C], None), ([N, C, E], None), ([X, X, E], X), ([E, N, N, C, C], None), ([], None)],
)
def test_the_most_frequent_rating_wins_and_neutral_and_contradiction_are_merged_after_the_vote(
    ratings: list[str], outcome: str | None
) -> None:
    assert majority(ratings) == outcome


def values(*ratings: list[str]) -> dict[str, float]:
    total = np.sum([rating_statistics(votes) for votes in ratings], axis=0)
    return {name: float(value) for name, value in NonEntailment().finalize(total).items()}


def test_both_denominators() -> None:
    found = values([N, N, E], [E, E, E], [X, X, E], [E, N])
    assert found["nes"] == 0.25
    assert found["nes_assessable"] == 0.5
    assert found["ties"] == found["nothing_to_assess"] == 0.25


def test_kappa_is_the_agreement_beyond_chance() -> None:
    """By hand: chance is the sum of the squared shares of the ratings, 3/9, 4/9 and 2/9."""
    found = values([E, E, N], [N, N, N], [E, C, C])
    agreement = (1 / 3 + 1 + 1 / 3) / 3
    chance = (3 / 9) ** 2 + (4 / 9) ** 2 + (2 / 9) ** 2
    assert found["agreement"] == pytest.approx(agreement)
    assert found["kappa"] == pytest.approx((agreement - chance) / (1 - chance))


def test_kappa_is_one_where_all_ratings_are_the_same() -> None:
    assert values([E, E], [E, E])["kappa"] == 1
    assert values([E, E], [N, N])["kappa"] == pytest.approx(1)


def test_one_rater_gives_no_agreement() -> None:
    assert math.isnan(values([E])["agreement"])
    assert values([E])["nes"] == 0


ANSWERS = [Answer("A cat. It is red!", "1"), Answer("=SUM(A1)? -2 dogs.", "@2")]


def fill(sheet: Path, ratings: dict[tuple[str, str], list[str]]) -> None:
    """What raters do: put a rating into every empty cell."""
    with open(sheet, encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    raters = len(header) - 3
    with open(sheet, "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows([*row[:3], *ratings[row[0], row[1]][:raters]] for row in rows)


def test_a_sheet_goes_out_and_comes_back(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    assert write_rating_sheet(sheet, ANSWERS, raters=3) == 4
    fill(
        sheet, {("1", "1"): [E, E, E], ("1", "2"): [C, N, C], ("'@2", "1"): [E, "", "neutral "], ("'@2", "2"): [X] * 3}
    )
    assert read_ratings(sheet)["1"] == [("A cat.", (E, E, E)), ("It is red!", (C, N, C))]
    score = NonEntailment(ratings=str(sheet)).score(ANSWERS, [[], []])
    assert score["nes"] == 0.25
    assert score["ties"] == 0.25


def test_no_cell_is_a_formula(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    write_rating_sheet(sheet, [*ANSWERS, Answer("'quoted' +1", "=1+1"), Answer("\t=A1 is here", "\r4")])
    with open(sheet, encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_sheets_of_several_raters_are_put_together(tmp_path: Path) -> None:
    for rater, rating in enumerate((E, N, N)):
        sheet = tmp_path / f"rater_{rater}.csv"
        write_rating_sheet(sheet, ANSWERS[:1], raters=1)
        fill(sheet, {("1", "1"): [rating], ("1", "2"): [E]})
    metric = NonEntailment(ratings=str(tmp_path))
    assert read_ratings(tmp_path)["1"][0] == ("A cat.", (E, N, N))
    assert metric.score(ANSWERS[:1], [[]])["nes"] == 0.5
    assert metric.signature().count("rater_") == 3


def test_semicolons_and_json_lines_are_read_too(tmp_path: Path) -> None:
    sheet = tmp_path / "sheet.csv"
    sheet.write_text("\ufeffid;number;sentence;Rating A;Rating B\n1;1;Yes, a cat.;Neutral;neutral\n", encoding="utf-8")
    lines = tmp_path / "ratings.jsonl"
    record = {"id": "1", "number": 1, "sentence": "Yes, a cat.", "ratings": [N, N]}
    lines.write_text(json.dumps(record) + "\n", encoding="utf-8")
    assert read_ratings(sheet) == read_ratings(lines) == {"1": [("Yes, a cat.", (N, N))]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("id,sentence\n1,a", "needs columns"),
        ("id,number,sentence,rating_1\n1,one,A cat.,Neutral", "number"),
        (
            "id,number,sentence,rating_1\n1,1,A cat.,Nuetral",
            r"sheet.csv:2: 'Nuetral' is no rating. Did you mean 'Neutral'",
        ),
        ("", "needs columns"),
    ],
)
def test_a_broken_sheet_is_named_with_its_line(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "sheet.csv").write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        NonEntailment(ratings=str(tmp_path / "sheet.csv")).check()


def rated(tmp_path: Path, *ratings: str) -> NonEntailment:
    row = ",".join(["1", "1", "A cat.", *ratings])
    header = ",".join(["id,number,sentence", *(f"rating_{n}" for n in range(len(ratings)))])
    (tmp_path / "sheet.csv").write_text(f"{header}\n{row}\n", encoding="utf-8")
    return NonEntailment(ratings=str(tmp_path / "sheet.csv"))


def test_an_answer_must_be_the_one_that_was_rated(tmp_path: Path) -> None:
    metric = rated(tmp_path, E)
    assert metric.score([Answer(" A  cat. ", "1")], [[]])["nes"] == 0
    with pytest.raises(ScoringError, match="'1' are not those of its answer"):
        metric.score([Answer("A dog.", "1")], [[]])
    with pytest.raises(ScoringError, match="no ratings for the answer to '2'"):
        metric.score([Answer("A cat.", "2")], [[]])


def test_a_sentence_that_nobody_rated_is_named(tmp_path: Path) -> None:
    with pytest.raises(ScoringError, match=r"nobody rated 'A cat\.' of '1'"):
        rated(tmp_path, "", "").score([Answer("A cat.", "1")], [[]])


def test_an_empty_answer_is_a_non_entailment_sentence_and_counted(tmp_path: Path) -> None:
    score = rated(tmp_path, E).score([Answer("A cat.", "1"), Answer("", "2")], [[], []])
    assert (score["nes"], score["empty"]) == (0.5, 0.5)


def test_without_ratings_the_way_out_is_named() -> None:
    with pytest.raises(UsageError, match="write_rating_sheet"):
        NonEntailment().check()


def test_a_huge_caption_makes_a_sheet_of_its_size(tmp_path: Path) -> None:
    start = time.perf_counter()
    caption = Answer("A cat \ud800 sits. " * 6000, "1")
    write_rating_sheet(tmp_path / "sheet.csv", [caption], raters=1)
    assert (tmp_path / "sheet.csv").stat().st_size < 3 * len(caption.text)
    assert len(read_ratings(tmp_path / "sheet.csv")["1"]) == 6000
    assert time.perf_counter() - start < 2
