"""SMILES match: MolScribe's rule, plain RDKit, similarity, and what a model may write instead of a molecule."""

from __future__ import annotations

import math
import random
import re
import time
from functools import cache

import numpy as np
import pytest
from rdkit import Chem, rdBase

from evalsuite.errors import ScoringError
from evalsuite.metrics.molecules.smiles import (
    LONGEST,
    SmilesMatch,
    canonical_smiles,
    compare_smiles,
    forget_molecules,
    prepare_smiles,
)
from evalsuite.metrics.verification import shipped_golden_files, verify_file

GOLDEN = shipped_golden_files()


def test_agrees_with_molscribe_and_plain_rdkit() -> None:
    verdict = verify_file(GOLDEN / "smiles_exact_match.jsonl.gz")
    assert verdict.passed, verdict.failures
    assert verdict.compared > 7000


@pytest.mark.parametrize(
    ("gold", "prediction", "exact", "graph", "strict"),
    [
        ("CCO", "OCC", True, True, True),
        ("c1ccccc1", "C1=CC=CC=C1", True, True, True),  # aromatic and Kekulé spellings
        ("C[C@H](N)O", "C[C@@H](N)O", False, True, False),  # mirror images
        ("C/C=C/C", r"C/C=C\C", True, True, False),  # cis and trans
        ("[13CH4]", "C", False, True, False),  # isotopes
        ("[R1]C", "[R2]C", False, True, False),  # numbered R groups
        ("[Ph]C", "[OMe]C", True, True, True),  # all unknown abbreviations are the same wildcard
        ("[Na+].[Cl-]", "[Na]Cl", False, False, False),  # no normalisation of salts
        ("OC=C", "CC=O", False, False, False),  # or of tautomers
        ("C1CC", "C1CC", True, True, True),  # invalid, but the same text
        ("", "", False, False, False),  # nothing matches an empty truth
    ],
)
def test_what_counts_as_the_same_molecule(gold: str, prediction: str, exact: bool, graph: bool, strict: bool) -> None:
    found = compare_smiles(gold, prediction)
    assert (found.exact_match, found.graph, found.strict_em) == (exact, graph, strict)


@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("C C", "CC"),
        ("<CHO>", "CO>"),
        ("CSi(C)C", "CS(C)C"),
        ("[R12]C[X]", "[12*]C*"),
        ("[Ra][Ac]", "[Ra][Ac]"),  # elements stay
        ("C%12CC%1", "C%12CC1"),
        ("[C", "C"),
        ("CC[l", "CC"),  # what is dropped parts the letters beside it
        ("CB[r", "CB"),
        ("C%[12C", "C12C"),
        ("[C[l", "C"),
        ("[C[l]", "*"),  # a closed bracket is one atom
        ("ＣＣ", ""),
    ],
)
def test_characters_that_are_no_smiles_are_dropped(text: str, prepared: str) -> None:
    assert prepare_smiles(text) == prepared


def test_plain_rdkit_takes_texts_as_they_are() -> None:
    assert not compare_smiles("[Ph]C", "[Ph]C").plain_rdkit
    assert compare_smiles("CC", "CC a name").plain_rdkit
    assert canonical_smiles("OCC") == "CCO"
    assert canonical_smiles("O(C") is None


def test_chiral_is_undefined_without_a_chiral_molecule() -> None:
    assert math.isnan(SmilesMatch().score(["C"], [["C"]])["chiral"])
    pairs = SmilesMatch().score(["C", "N[C@@H](C)O"], [["O"], ["C[C@H](N)O"]])
    assert (pairs["exact_match"], pairs["chiral"]) == (0.5, 1.0)


def test_chiral_intervals_survive_resamples_without_a_chiral_molecule() -> None:
    rows = SmilesMatch().batch_statistics(["C", "C[C@H](N)O"], [["C"], ["C[C@H](N)O"]])
    resamples = np.array([[2.0, 0.0], [1.0, 1.0]]) @ rows
    values = SmilesMatch().finalize(resamples)["chiral"]
    assert math.isnan(values[0])
    assert values[1] == 1


def test_similarity_is_between_nothing_and_the_same_molecule() -> None:
    assert compare_smiles("CCO", "OCC").tanimoto == 1
    assert 0 < compare_smiles("CCO", "CCN").tanimoto < 1
    assert compare_smiles("CCO", "CC(O").tanimoto == 0


@pytest.mark.parametrize("text", ["C/", "CC/", "F/C=C//F", "/", "C(/)C"])
def test_marks_of_bonds_can_make_a_text_invalid(text: str) -> None:
    plain = text.replace("/", "")
    found = compare_smiles(plain, text)
    assert (found.valid, found.plain_valid[1]) == (False, False)
    assert compare_smiles(text, plain).gold_valid is False
    assert found.exact_match is (plain != "")  # marks are deleted before molecules are compared


def test_similarity_is_that_of_the_molecules_without_their_marks() -> None:
    """As exact_match, it does not see cis/trans marks, those that make a text invalid included."""
    found = compare_smiles("CCO", "CC/")
    assert not found.valid
    assert found.tanimoto == compare_smiles("CCO", "CC").tanimoto > 0
    assert compare_smiles("C", "C/").tanimoto == 1


COMMON = "C C C C N O S F Cl Br c1ccccc1 C1CC1 =C #N -C (C) (=O)C /C=C/ [C@H](N) [C@@H](N) [R1] [R12] [Ph] [13CH4]"
RARE = "1 2 n :c ~ @ ? > * $ + . [nH] [Na+] [H] H X [ ] [ l r % %1 %12 é / \\ ( ) { C[l B[r"


@cache
def molscribe(text: str, *, ignore_chiral: bool = False, ignore_cistrans: bool = False) -> tuple[str, bool]:
    """Canonical form and validity by MolScribe's rule: tokens, atoms in brackets, then RDKit or the text itself."""
    if text == "":
        return "", False
    if ignore_cistrans:
        text = text.replace("/", "").replace("\\", "")
    tokens = re.findall(r"\[[^\]]+\]|Br?|Cl?|[NOSPFIbcnosp().=#+\\/:~@?>*$-]|%[0-9]{2}|[0-9]", text)
    for place, token in enumerate(tokens):
        if token[0] == "[":
            if token[1] == "R" and token[2:-1].isdigit():
                tokens[place] = f"[{token[2:-1]}*]"
            elif Chem.AtomFromSmiles(token) is None:
                tokens[place] = "*"
    molecule = Chem.MolFromSmiles("".join(tokens))
    if molecule is None:
        return "".join(tokens), False
    return Chem.MolToSmiles(molecule, isomericSmiles=not ignore_chiral), True


def test_ten_thousand_texts_are_compared_as_molscribe_does() -> None:
    """5,000 pairs; in half of them the second text is the first with a piece put in or taken away."""
    generator = random.Random(17)
    odd = [*RARE.split(" "), " ", "\n"]
    pieces = [*COMMON.split(" ") * 3, *odd]
    valid = matched = 0
    for number in range(5000):
        gold = generator.choices(pieces, k=generator.randrange(1, 9))
        answer = generator.choices(pieces, k=generator.randrange(9))
        if number % 2:
            answer = list(gold)
            place = generator.randrange(len(answer))
            answer[place : place + generator.randrange(2)] = generator.choices(odd, k=1)
        pair = "".join(gold), "".join(answer)
        found = compare_smiles(*pair)
        with rdBase.BlockLogs():
            assert (found.gold_valid, found.valid) == (molscribe(pair[0])[1], molscribe(pair[1])[1]), pair
            for ours, ignored in (
                (found.exact_match, {"ignore_cistrans": True}),
                (found.graph, {"ignore_cistrans": True, "ignore_chiral": True}),
                (found.graph_package, {"ignore_chiral": True}),
                (found.strict_em, {}),
            ):
                truth = molscribe(pair[0], **ignored)[0] or "<empty>"
                assert ours is (truth == molscribe(pair[1], **ignored)[0]), (pair, ignored)
        valid, matched = valid + found.valid, matched + found.exact_match
    assert min(valid, matched) > 500, (valid, matched)


def test_equal_texts_are_the_same_whatever_was_seen_before() -> None:
    forget_molecules()
    fresh = compare_smiles("C[C@H](N)C(=O)O", "C[C@H](N)C(=O)O")
    assert fresh == compare_smiles("C[C@H](N)C(=O)O", "C[C@H](N)C(=O)O")
    assert fresh.exact_match and fresh.plain_rdkit and fresh.tanimoto == 1


def test_too_long_texts_are_invalid_and_counted() -> None:
    """RDKit's recursion crashes on molecules of some ten thousand atoms."""
    chain = "C" * (LONGEST + 1)
    values = SmilesMatch().score([chain, "C"], [["C"], ["C"]])
    assert (values["oversized"], values["valid"], values["exact_match"]) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    "text",
    [
        "C" * 100_000,
        "(" * 100_000,
        "[" * 100_000,
        "[R" + "1" * 100_000 + "]",
        "c1ccccc1" * 12_500,
        "C1" * 2_000,
        "*%10" * 1_000,
        "\ud800",
        "[\ud800]C",
        "C\0C",
        "<loc0001>SMILES: CCO",
        "C(=O",
        "[²*]C",
        "%",
        "\n",
    ],
    ids=lambda text: f"{text[:8]!a}",
)
def test_malformed_answers_are_scored_quickly(text: str) -> None:
    start = time.perf_counter()
    row = SmilesMatch().statistics(text, ["CCO"])
    assert time.perf_counter() - start < 2
    assert row[0] == 0
    assert np.isfinite(row).all()


def test_rdkit_stays_silent(capfd: pytest.CaptureFixture[str]) -> None:
    compare_smiles("C(((", "c1cccc1")
    assert capfd.readouterr() == ("", "")


def test_needs_exactly_one_reference() -> None:
    with pytest.raises(ScoringError, match="one reference"):
        SmilesMatch().statistics("C", ["C", "CC"])
