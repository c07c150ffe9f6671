"""Molecules put together from rings, chains and end groups, as SMILES."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalsuite.data.synthetic.randomness import SeededRandom

if TYPE_CHECKING:
    from PIL.Image import Image

_RINGS = ("c1ccc({})cc1", "c1cc({})ccn1", "C1CCN({})CC1", "C1CC({})CCO1", "c1csc({})n1", "c1ccc2cc({})ccc2c1")
_LINKS = ("{}", "C{}", "CC{}", "OC{}", "C(=O)N{}", "C(=O)O{}", "NC(=O){}", "C[C@H](O){}", "C[C@@H](N){}", "SC{}")
_ENDS = ("C", "CC", "C(C)C", "C(C)(C)C", "C#N", "C(F)(F)F", "CCl", "CBr", "CO", "CC(=O)O", "c1ccccc1")


@dataclass(frozen=True, slots=True)
class Molecule:
    smiles: str
    width: int = 448
    height: int = 320


def make_molecule(rng: SeededRandom) -> Molecule:
    """A ring with a chain on it that ends somehow; now and then a stereo centre."""
    chain = rng.choice(_LINKS).format(rng.choice(_ENDS))
    return Molecule(rng.choice(_RINGS).format(chain))


def render_molecule(molecule: Molecule) -> Image:
    """RGB drawing by RDKit."""
    from rdkit import Chem
    from rdkit.Chem import Draw

    draw: Any = Draw.MolToImage
    drawn: Image = draw(Chem.MolFromSmiles(molecule.smiles), size=(molecule.width, molecule.height))
    return drawn.convert("RGB")
