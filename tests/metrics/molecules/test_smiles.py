"""SMILES match: MolScribe's rule, plain RDKit, similarity, and what a model may write instead of a molecule."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

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
