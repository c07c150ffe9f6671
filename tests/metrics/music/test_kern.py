"""Error rates of music transcription: the two revisions of SMT, and the preparation of references."""

from __future__ import annotations

import math
import random
import time

import pytest

from evalsuite.errors import ScoringError, UnknownName
from evalsuite.metrics.music.kern import KernErrorRates, full_page_tokens, kern_text, lines, symbols, system_tokens
from evalsuite.metrics.verification import shipped_golden_files, verify_file

GOLDEN = shipped_golden_files()


@pytest.mark.parametrize("name", ["kern_cer_ser_ler", "kern_preprocess"])
def test_agrees_with_smt(name: str) -> None:
    verdict = verify_file(GOLDEN / f"{name}.jsonl.gz")
    assert verdict.passed, verdict.failures


def test_rates_are_those_of_the_corpus_and_not_means() -> None:
    """One edit in ten characters beside a perfect text of ninety: 1 %, not 5 %."""
    score = KernErrorRates().score(["x" + "a" * 9, "b" * 90], [["a" * 10], ["b" * 90]])
    assert score["cer"] == 1


def test_rates_may_exceed_a_hundred() -> None:
    assert KernErrorRates().score(["4c\n4d\n4e"], [["4c"]])["cer"] == 300


def test_spaces_count_in_the_current_revision_only() -> None:
    pair = ["4c4e"], [["4c 4e"]]
    assert KernErrorRates().score(*pair)["cer"] == 20
    assert KernErrorRates(variant="2024").score(*pair)["cer"] == 0


def test_separators_are_symbols() -> None:
    assert symbols("4c 4e\t.\n=") == ["4c", "4e", "<t>", ".", "<b>", "="]
    assert symbols("4c  4e") == ["4c", "", "4e"]  # a doubled space holds an empty symbol
    assert KernErrorRates().score(["4c\n4e"], [["4c\t4e"]])["ser"] == pytest.approx(100 / 3)


def test_a_line_is_right_only_if_identical() -> None:
    assert KernErrorRates().score(["4c\t4e\n4d\t4f\n="], [["4c\t4e\n4d\t4g\n="]])["ler"] == pytest.approx(100 / 3)
    assert lines("") == [""]


def test_a_corpus_without_a_character_has_no_character_error_rate() -> None:
    score = KernErrorRates().score([""], [[""]])
    assert math.isnan(score["cer"])
    assert (score["ser"], score["ler"]) == (0, 0)


def test_preparation_of_a_system() -> None:
    tokens = system_tokens("\n**kern\n=12\n4·c 4·e\n==13\n")
    assert tokens == ["**kern", "<b>", "=", "<b>", "4c", "<s>", "4e", "<b>", "=="]
    assert kern_text(tokens) == "**kern\n=\n4c 4e\n=="


def test_preparation_of_a_page_drops_editorial_lines() -> None:
    page = "**kern\t**kern\n*staff2\t*staff1\n*\t*\n*clefF4\t*clefG2\n*Xtuplet\t*\n4·c·/\t8@e"
    kept = "**kern\t**kern\n*clefF4\t*clefG2\n"
    assert kern_text(full_page_tokens(page, "kern")) == kept + "4c\t8e"
    assert full_page_tokens(page, "ekern")[-4:] == ["4", "c", "<t>", "8e"]
    assert full_page_tokens(page, "bekern")[-5:] == ["4", "c", "<t>", "8", "e"]


def test_references_can_be_prepared_on_the_way() -> None:
    metric = KernErrorRates(reference_preparation="system")
    assert metric.score(["=\n4c"], [["=1\n4·c\n"]]) == {"cer": 0, "ser": 0, "ler": 0}


def test_unknown_choices_are_refused() -> None:
    with pytest.raises(UnknownName, match="2023"):
        KernErrorRates(variant="2023")
    with pytest.raises(UnknownName, match="midi"):
        KernErrorRates(reference_preparation="midi")
    with pytest.raises(UnknownName, match="midi"):
        full_page_tokens("", "midi")
    with pytest.raises(ScoringError, match="one reference"):
        KernErrorRates().statistics("", [])


@pytest.mark.parametrize(
    "text",
    [
        "4c\t" * 25_000,
        "\n" * 100_000,
        " " * 100_000,
        "**kern\n*^\t*\n*v",  # spines that never meet again
        "4c\ud800",
        "".join(random.Random(0).choices("abcdefgABCDEFG248.\t\n -#", k=100_000)),
    ],
    ids=lambda text: f"{text[:8]!a}",
)
def test_malformed_answers_are_scored_quickly(text: str) -> None:
    reference = "4c 4e\t4g\n" * 50
    start = time.perf_counter()
    row = KernErrorRates().statistics(text, [reference])
    assert time.perf_counter() - start < 2
    assert (row[::2] > 0).all()
