"""Golden file of the SMILES match (MolScribe)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalsuite.metrics.molecules.smiles import SmilesMatch, compare_smiles
from evalsuite.metrics.verification import Comparison, Line, is_error


def smiles_exact_match(lines: list[Line], folder: Path) -> Iterator[tuple[Line, list[Comparison]]]:
    """Single pairs (booleans) and corpora (fractions).

    Lines marked ``rdkit_stable: false`` depend on RDKit's version in what is valid; there only matches are compared.
    """
    for line in lines:
        inputs, expected = line["inputs"], line["expected"]
        if is_error(expected):
            yield line, []
        elif isinstance(inputs["gold"], list):
            yield line, _corpus(inputs, expected)
        else:
            yield line, _pair(inputs, expected, line.get("rdkit_stable", True))


def _pair(inputs: dict[str, Any], expected: dict[str, Any], stable: bool) -> list[Comparison]:
    found = compare_smiles(inputs["gold"], inputs["pred"])
    ours: dict[str, Any] = {
        "exact_match": found.exact_match,
        "graph": found.graph,
        "graph_pkg": found.graph_package,
        "strict_em": found.strict_em,
        "in_chiral_subset": found.chiral_gold,
        "plain_rdkit": found.plain_rdkit,
    }
    if stable:
        ours |= {"gold_valid": found.gold_valid, "pred_valid": found.valid, "plain_valid": list(found.plain_valid)}
    return [Comparison(what, ours[what], expected[what]) for what in ours if what in expected]


def _corpus(inputs: dict[str, Any], expected: dict[str, Any]) -> list[Comparison]:
    values = SmilesMatch().score(inputs["pred"], [[gold] for gold in inputs["gold"]])
    ours = {**values, "pred_valid": values["valid"]}
    if expected.get("chiral") == -1:  # the official script's value where no molecule is chiral
        expected = {**expected, "chiral": float("nan")}
    return [Comparison(what, ours[what], expected[what]) for what in ours if what in expected]
