"""A corpus for the SMILES match."""

from __future__ import annotations

from typing import Any


def molecules() -> dict[str, Any]:
    """A chiral and an achiral pair, other spellings, an invalid answer."""
    gold = ["CC(=O)Oc1ccccc1C(=O)O", "C[C@H](N)C(=O)O", "[R1]c1ccccc1", "CCO", "C/C=C/C"]
    return {
        "predictions": ["c1ccc(C(O)=O)c(OC(C)=O)c1", "C[C@@H](N)C(=O)O", "[R2]c1ccccc1", "CC(O", ""],
        "references": [[smiles] for smiles in gold],
        "perfect": ["OC(=O)c1ccccc1OC(C)=O", "N[C@@H](C)C(=O)O", "c1ccc([R1])cc1", "OCC", "CC=CC"],
    }


CASES = {"smiles_match": molecules}
