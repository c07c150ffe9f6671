"""Molecules: 5,719 pairs of SMILES with about 31 heavy atoms (the size of MolScribe's ChemDraw set)."""

from __future__ import annotations

import multiprocessing
import random
import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from evalsuite.metrics.molecules.smiles import SmilesMatch, forget_molecules

PAIRS = 5719
TRUNCATED = 0.07
PROCESSES = 2

# Pieces to the right of which another one can be bonded, and pieces that end a chain.
_LINKS = ["C", "CC", "C(=O)N", "OC", "C(C)", "N", "S(=O)(=O)N", "C=C", "[C@H](C)", "[C@@H](O)", "C(=O)O", "NC(=O)"]
_RINGS = [
    "c1ccc({})cc1",
    "c1cc({})ccn1",
    "C1CCN({})CC1",
    "c1cnc({})nc1",
    "c1cc2ccccc2n1{}",
    "C1CC({})CCO1",
    "c1cc({})cs1",
]
_ENDS = ["C", "F", "Cl", "C#N", "OC", "C(F)(F)F", "N(C)C", "[N+](=O)[O-]", "C(C)(C)C", "Br", "CCO", "c1ccccc1"]

_TOKEN = re.compile(
    r"(\[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\(|\)|\.|=|#|-|\+|\\|/|:|~|@|\?|>|\*|\$|%[0-9]{2}|[0-9])"
)


def workloads(scale: float = 1.0) -> Iterator[tuple[str, Callable[[], object], Callable[[], object], float]]:
    """(label, ours, official restated, share of the workload that the official one runs: all of it)."""
    gold, predictions = make_pairs(max(2, round(PAIRS * scale)))
    references = [[smiles] for smiles in gold]

    def ours() -> object:
        forget_molecules()
        return SmilesMatch().score(predictions, references)

    def ours_in_processes() -> object:
        forget_molecules()
        return in_processes(SmilesMatch(), predictions, references)

    def official() -> object:
        return restated_official(gold, predictions)

    yield f"SMILES match, {len(gold):,} pairs, one process", ours, official, 1.0
    yield f"SMILES match, {len(gold):,} pairs, {PROCESSES} processes", ours_in_processes, official, 1.0


def make_pairs(count: int) -> tuple[list[str], list[str]]:
    """Canonical gold SMILES, and predictions: the same molecule spelled in another order, a few of them cut off."""
    from rdkit import Chem

    gold: list[str] = []
    predictions: list[str] = []
    seed = 0
    while len(gold) < count:
        source = random.Random(seed)
        seed += 1
        molecule = Chem.MolFromSmiles(molecule_text(source))
        gold.append(Chem.MolToSmiles(molecule))
        spelled = Chem.MolToRandomSmilesVect(molecule, 1, randomSeed=seed)[0]
        predictions.append(spelled[: len(spelled) * 2 // 3] if source.random() < TRUNCATED else spelled)
    return gold, predictions


def molecule_text(source: random.Random) -> str:
    """Two or three rings in a chain, each with a link before it and something at its end."""
    inner = source.choice(_ENDS)
    for _ in range(source.choice([2, 3, 3])):
        ring = source.choice(_RINGS).format(f"{source.choice(_LINKS)}{inner}")
        # Ring numbers of the inner piece are closed before the outer one opens its own again.
        inner = renumbered(ring, inner) if any(map(str.isdigit, inner)) else ring
        inner = source.choice(_LINKS) + inner
    return source.choice(["C", "O", "N"]) + inner


def renumbered(ring: str, inner: str) -> str:
    """The outer ring's digits 1 and 2 as the next free ones, so that nested rings do not close each other."""
    highest = max(int(n) for n in re.findall(r"%(\d\d)", inner) or ["9"])
    before, after = ring.split(inner, 1)
    text = before + "\0" + after
    return re.sub(r"[12]", lambda match: f"%{highest + int(match.group())}", text).replace("\0", inner)


def in_processes(metric: SmilesMatch, predictions: Sequence[str], references: Sequence[Sequence[str]]) -> object:
    """The metric over chunks in worker processes, their statistics added up."""
    parts = [slice(start, start + 250) for start in range(0, len(predictions), 250)]
    with ProcessPoolExecutor(PROCESSES, mp_context=multiprocessing.get_context("fork")) as pool:
        rows = pool.map(metric.batch_statistics, [predictions[p] for p in parts], [references[p] for p in parts])
        return metric.finalize(np.concatenate(list(rows)).sum(axis=0))


def restated_official(gold: Sequence[str], predictions: Sequence[str]) -> list[float]:
    """Serial and without memory: every text is canonicalised once for the exact match and once for the graph."""
    from rdkit import rdBase

    shares = []
    with rdBase.BlockLogs():
        for isomeric in (True, False):
            truths = [canonicalised(smiles, isomeric) or "<empty>" for smiles in gold]
            answers = [canonicalised(smiles, isomeric) for smiles in predictions]
            shares.append(sum(t == a for t, a in zip(truths, answers, strict=True)) / len(gold))
    return shares


def canonicalised(smiles: str, isomeric: bool) -> str:
    from rdkit import Chem

    tokens = _TOKEN.findall(smiles.replace("/", "").replace("\\", ""))
    for place, token in enumerate(tokens):
        if not token.startswith("["):
            continue
        if token[1] == "R" and token[2:-1].isdigit():
            tokens[place] = f"[{token[2:-1]}*]"
        elif Chem.AtomFromSmiles(token) is None:
            tokens[place] = "*"
    text = "".join(tokens)
    molecule = Chem.MolFromSmiles(text)
    return text if molecule is None else Chem.MolToSmiles(molecule, isomericSmiles=isomeric)
