"""Error rates of music transcription: the two revisions of SMT, and the preparation of references."""

from __future__ import annotations

import math
import random
import re
import time
from collections.abc import Iterator

import pytest
from rapidfuzz.distance import Levenshtein

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


def test_a_written_tab_or_line_break_is_the_same_symbol_in_the_revision_of_2024() -> None:
    pair = ["4c <t> 4e\n="], [["4c\t4e\n="]]
    assert KernErrorRates(variant="2024").score(*pair) == {"cer": 0, "ser": 0, "ler": 0}
    assert KernErrorRates().score(*pair)["ler"] == 50
    assert KernErrorRates(variant="2024").score(["4c <b> 4e"], [["4c\n4e"]]) == {"cer": 0, "ser": 0, "ler": 100}
    inside_a_word = KernErrorRates(variant="2024").score(["4c<t>4e"], [["4c\t4e"]])
    assert inside_a_word["cer"] == pytest.approx(60)


def test_preparation_of_a_page_keeps_an_editorial_line_at_the_very_end() -> None:
    assert full_page_tokens("4c\n*ped\t*belowX\n4d\n*staff1") == ["4c", "<b>", "4d", "<b>", "*staff1"]
    assert full_page_tokens("4c\n* *\n4d\n*\t*") == ["4c", "<b>", "4d"]


def test_preparation_of_a_page_takes_the_space_before_a_stem_direction() -> None:
    assert full_page_tokens("\r\n4c /\t8e \\\u00a0") == ["4c", "<s>", "<t>", "8e", "<s>"]
    joined = full_page_tokens("4c\t/8e")
    assert joined == ["4c", "<t>8e"]  # the token of the tab has lost the space behind it
    assert kern_text(joined) == "4c\t8e"


NOTES = "4c 8ee- 4 c · @ / \\ <t> <b> <s> * = 12 ٣ **kern . *clefG2"
EDITORIAL = "*staff1 *staff2x *ped *Xped *xped *below *rscale:1/2"
BETWEEN = " |\t|\n|\n|*\t*|\n*\n|* *\n| <t> | <b> | /| \\|·/|\r|\u00a0|\x0b"


def kern_like_texts(count: int) -> Iterator[str]:
    generator = random.Random(17)
    pieces = [*NOTES.split(" "), *EDITORIAL.split(" "), *BETWEEN.split("|")]
    for _ in range(count):
        yield "".join(generator.choices(pieces, k=generator.randrange(16)))


def smt_page_tokens(kern: str, encoding: str) -> list[str]:
    """The rule of SMT's ``utils.py`` at commit afcdefd, step by step over the whole text."""
    names = "staff2 staff1 Xped tremolo ped Xtuplet tuplet Xtremolo cue Xcue rscale:1/2 rscale:1 kcancel below"
    editorial = "|".join(rf"\*{name}" for name in names.split())
    kern = re.sub(rf".*(?:{editorial}).*\n", "", kern)
    kern = re.sub(r"(?:^|(?<=\n))\*(?:\s\*)*(?:\n|$)", "", kern).strip()
    kern = re.sub(r"(?<==)\d+", "", kern)
    steps = [(" ", " <s> "), ("\t", " <t> "), ("\n", " <b> "), (" /", ""), (" \\", ""), ("·/", ""), ("·\\", "")]
    steps += {
        "kern": [("·", ""), ("@", "")],
        "ekern": [("·", " "), ("@", "")],
        "bekern": [("·", " "), ("@", " ")],
    }[encoding]
    for mark, replacement in steps:
        kern = kern.replace(mark, replacement)
    return kern.strip().split(" ")


def smt_units_of_2024(kern: str) -> tuple[list[str], list[str], list[str]]:
    """Characters, symbols and lines as SMT's ``eval_functions.py`` at commit 9c410eb counts them."""
    tokens = kern.replace("\n", " <b> ").replace("\t", " <t> ").split(" ")
    characters = [unit for token in tokens for unit in ([token] if token in ("<b>", "<t>") else token)]
    return characters, tokens, [line.replace("\t", " <t> ") for line in kern.split("\n")]


def test_ten_thousand_texts_are_prepared_as_smt_does() -> None:
    for kern in kern_like_texts(10_000):
        for encoding in ("kern", "ekern", "bekern"):
            tokens = smt_page_tokens(kern, encoding)
            assert full_page_tokens(kern, encoding) == tokens, (kern, encoding)
            text = "".join(tokens)  # the trainer joins tokens before it replaces them
            assert kern_text(tokens) == text.replace("<t>", "\t").replace("<b>", "\n").replace("<s>", " ")


def test_ten_thousand_texts_are_rated_as_smt_did_in_2024() -> None:
    metric = KernErrorRates(variant="2024")
    reference = "4c\t4e\n=\t="
    for kern in kern_like_texts(10_000):
        expected: list[int] = []
        for ours, theirs in zip(smt_units_of_2024(kern), smt_units_of_2024(reference), strict=True):
            expected += [Levenshtein.distance(ours, theirs), len(theirs)]
        assert metric.statistics(kern, [reference]).tolist() == expected, kern
        reference = kern or reference


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
