"""Match of molecules written as SMILES (MolScribe's rule), Tanimoto similarity and validity."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from evalsuite.errors import ScoringError
from evalsuite.metrics.base import Array, Flags, Metric, Value, ratio

LONGEST = 4000
"""Longer SMILES (in characters, after preparation) are not given to RDKit, whose recursion ends in a crash."""

_ATOM_OR_SYMBOL = re.compile(r"\[[^\]]+\]|Br|Cl|%[0-9]{2}|[BCNOSPFIbcnosp().=#+\\/:~@?>*$0-9-]")
_CIS_TRANS = str.maketrans("", "", "/\\")
_TEXTS, _MOLECULES = 1 << 14, 256  # how many results are remembered


def prepare_smiles(smiles: str, *, ignore_cistrans: bool = True) -> str:
    """The text that MolScribe's evaluation parses.

    Cis/trans marks are deleted, every character that is no part of a SMILES token (blanks, stray letters such as H or
    X, a lone bracket) is dropped, ``[R1]`` becomes the numbered wildcard ``[1*]``, and a bracket that RDKit cannot
    read as an atom, such as ``[Ph]``, becomes ``*``. A dropped character still parts the tokens beside it: ``C[l`` is
    a carbon.

    >>> prepare_smiles("[R1]C/C=C/C X")
    '[1*]CC=CC'
    """
    if ignore_cistrans:
        smiles = smiles.translate(_CIS_TRANS)
    # Brackets behind the last "]" stay open and are dropped, as a blank is; searching each to the end is quadratic.
    last = smiles.rfind("]")
    tokens = _ATOM_OR_SYMBOL.findall(smiles[: last + 1] + smiles[last + 1 :].replace("[", " "))
    return "".join([_without_abbreviation(token) if len(token) > 2 else token for token in tokens])


def canonical_smiles(smiles: str, *, isomeric: bool = True) -> str | None:
    """Canonical SMILES as RDKit writes it, None for what it cannot parse; no preparation of the text.

    isomeric: False drops chirality, cis/trans marks and isotopes.
    """
    return _canonical(smiles, isomeric)


@dataclass(frozen=True, slots=True)
class SmilesMatches:
    """How one predicted SMILES compares with the true one; see :class:`SmilesMatch` for the rules.

    graph_package: ``graph`` as MolScribe's Python package computes it, cis/trans marks kept in the text; it differs
    for invalid SMILES only. chiral_gold: the pair counts for ``chiral``. valid, gold_valid: RDKit parses the text with
    its cis/trans marks. plain_valid: RDKit parses the texts as they are, the true one first. oversized: one of the two
    is longer than ``LONGEST``.
    """

    exact_match: bool
    graph: bool
    graph_package: bool
    strict_em: bool
    chiral_gold: bool
    plain_rdkit: bool
    tanimoto: float
    valid: bool
    gold_valid: bool
    plain_valid: tuple[bool, bool]
    oversized: bool


def compare_smiles(gold: str | None, prediction: str | None) -> SmilesMatches:
    """Compare a predicted SMILES with the true one; None counts as a text that cannot be parsed."""
    truth, answer = _Side.of(gold), _Side.of(prediction)
    exact = _matches(truth.prepared, answer.prepared, isomeric=True)
    # Equal isomeric SMILES describe one molecule, so that the coarser comparison need not be made.
    graph = exact or _matches(truth.prepared, answer.prepared, isomeric=False)
    comparable = truth.comparable and answer.comparable
    similar = 1.0 if exact and comparable else _tanimoto(truth.prepared, answer.prepared) if comparable else 0.0
    plain_valid = (_is_valid(gold), _is_valid(prediction))
    return SmilesMatches(
        exact_match=exact,
        graph=graph,
        graph_package=graph
        if truth.strict == truth.prepared and answer.strict == answer.prepared
        else _matches(truth.strict, answer.strict, isomeric=False),
        strict_em=_matches(truth.strict, answer.strict, isomeric=True),
        chiral_gold=truth.chiral,
        plain_rdkit=all(plain_valid) and (gold == prediction or _canonical(gold, True) == _canonical(prediction, True)),
        tanimoto=similar,
        valid=answer.valid,
        gold_valid=truth.valid,
        plain_valid=plain_valid,
        oversized=max(len(truth.strict), len(answer.strict)) > LONGEST,
    )


_EXACT, _GRAPH, _STRICT, _CHIRAL, _PLAIN, _TANIMOTO, _VALID, _GOLD_VALID, _OVERSIZED, _CHIRAL_PAIRS, _COUNT = range(11)


@dataclass(frozen=True)
class SmilesMatch(Metric):
    """Share of molecules whose predicted SMILES names the true one. All values in [0, 1], printed in percent.

    Each text is prepared as in :func:`prepare_smiles` and written canonically by RDKit; a text that cannot be parsed
    stands for itself, so that two equal invalid texts match. An empty true SMILES is matched by nothing. No
    normalisation of tautomers, charges, salts or fragments.

    - ``exact_match``: canonical SMILES are equal, chirality counts, cis/trans marks do not. The number that MolScribe
      publishes (its ``canon_smiles``) and PaliGemma 2 compares with.
    - ``graph``: chirality and isotopes (and with them the numbers of R groups) do not count either.
    - ``strict_em``: nothing is ignored (``canon_smiles_em`` of MolScribe's package).
    - ``chiral``: exact_match over the pairs whose true molecule has a chiral mark; NaN where there is none (the
      official script prints -1).
    - ``plain_rdkit``: RDKit parses both texts as they are, without preparation, and the canonical SMILES are equal.
    - ``tanimoto``: mean Tanimoto similarity of Morgan fingerprints (radius 2, 2,048 bits, no chirality) of the
      molecules that exact_match compares, that is without cis/trans marks: ``C/`` is as similar as ``C``, though it is
      not valid. 0 where one of them does not parse even so. Not a number of the MolScribe paper.
    - ``valid``, ``gold_valid``: share of predicted, of true SMILES that RDKit parses after preparation, with their
      cis/trans marks (``pred_valid``, ``gold_valid`` of MolScribe's package). A mark with no atom behind it, as in
      ``C/``, or with a second one, as in ``F/C=C//F``, makes a text invalid, which may match all the same.
    - ``oversized``: share of pairs with a text of more than 4,000 characters, which counts as invalid.

    References: a list with the one true SMILES. Source: Qian et al. 2023, https://arxiv.org/abs/2205.14311, and
    https://github.com/thomas0809/MolScribe ``evaluate.py``.

    >>> SmilesMatch().score(["OCC"], [["CCO"]])["exact_match"]
    1.0
    """

    name: ClassVar[str] = "smiles_match"
    version: ClassVar[int] = 2
    heavy: ClassVar[bool] = True
    values: ClassVar[tuple[Value, ...]] = (
        Value("exact_match"),
        Value("graph"),
        Value("strict_em"),
        Value("chiral"),
        Value("plain_rdkit"),
        Value("tanimoto"),
        Value("valid"),
        Value("gold_valid"),
        Value("oversized", higher_is_better=False),
    )
    source: ClassVar[str] = "https://github.com/thomas0809/MolScribe"

    def statistics(self, prediction: str, references: Sequence[str | None]) -> Array:
        """Shape (11,): a count per value (similarity for tanimoto), chiral pairs, 1."""
        if len(references) != 1:
            raise ScoringError(f"smiles_match: needs one reference, the true SMILES, not {references!r:.80}")
        pair = compare_smiles(references[0], prediction)
        row = np.zeros(11)
        row[_EXACT], row[_GRAPH], row[_STRICT] = pair.exact_match, pair.graph, pair.strict_em
        row[_CHIRAL], row[_CHIRAL_PAIRS] = pair.chiral_gold and pair.exact_match, pair.chiral_gold
        row[_PLAIN], row[_TANIMOTO] = pair.plain_rdkit, pair.tanimoto
        row[_VALID], row[_GOLD_VALID], row[_OVERSIZED] = pair.valid, pair.gold_valid, pair.oversized
        row[_COUNT] = 1
        return row

    def unread(self, predictions: Sequence[str], references: Sequence[Sequence[Any]], statistics: Array) -> Flags:
        """Answers that RDKit does not parse after preparation."""
        return np.asarray(statistics[:, _VALID] == 0, bool)

    def finalize(self, total: Array) -> dict[str, Array]:
        values = {value.name: ratio(total[..., k], total[..., _COUNT]) for k, value in enumerate(self.values)}
        values["chiral"] = ratio(total[..., _CHIRAL], total[..., _CHIRAL_PAIRS])
        return values


@dataclass(frozen=True, slots=True)
class _Side:
    """One text in the two forms that MolScribe's evaluators parse.

    prepared: without cis/trans marks. strict: with them. comparable, chiral: RDKit parses the prepared form, and finds
    it chiral. valid: RDKit parses the strict form.
    """

    prepared: str
    strict: str
    comparable: bool
    valid: bool
    chiral: bool

    @staticmethod
    @lru_cache(_TEXTS)
    def of(text: str | None) -> _Side:
        if not isinstance(text, str) or not text:
            return _Side("", "", False, False, False)
        prepared = prepare_smiles(text)
        strict = prepare_smiles(text, ignore_cistrans=False) if "/" in text or "\\" in text else prepared
        # Only a text with a chiral mark can give a molecule with one; RDKit drops those that mean nothing.
        chiral = "@" in prepared and "@" in _canonical_or_text(prepared, True)
        return _Side(prepared, strict, _is_valid(prepared), _is_valid(strict), chiral)


def _matches(gold: str, prediction: str, *, isomeric: bool) -> bool:
    """Whether two prepared texts have the same canonical form; an empty true one has none."""
    if not gold or gold == prediction:
        return bool(gold)
    return _canonical_or_text(gold, isomeric) == _canonical_or_text(prediction, isomeric)


def _canonical_or_text(prepared: str, isomeric: bool) -> str:
    canonical = _canonical(prepared, isomeric)
    return prepared if canonical is None else canonical


@lru_cache(4096)
def _without_abbreviation(token: str) -> str:
    """What stands for a bracket group ``[...]`` when it is parsed (other tokens stay)."""
    if token[0] != "[":
        return token
    symbol = token[1:-1]
    if symbol[0] == "R" and symbol[1:].isdigit():
        return f"[{symbol[1:]}*]"
    from rdkit import Chem, rdBase

    if len(token) > LONGEST or not _encodable(token):
        return "*"
    with rdBase.BlockLogs():
        return token if Chem.AtomFromSmiles(token) is not None else "*"


@lru_cache(_TEXTS)
def _canonical(text: str | None, isomeric: bool) -> str | None:
    molecule = _molecule(text)
    if molecule is None:
        return None
    from rdkit import Chem

    written: str = Chem.MolToSmiles(molecule, isomericSmiles=isomeric)
    return written


@lru_cache(_TEXTS)
def _is_valid(text: str | None) -> bool:
    return _molecule(text) is not None


@lru_cache(_MOLECULES)
def _molecule(text: str | None) -> Any:
    """RDKit's molecule, None for a text that it cannot parse or that is too long for it."""
    from rdkit import Chem, rdBase

    if text is None or len(text) > LONGEST or not _encodable(text):
        return None
    with rdBase.BlockLogs():
        return Chem.MolFromSmiles(text)


def _tanimoto(gold: str, prediction: str) -> float:
    from rdkit import DataStructs

    similarity: float = DataStructs.TanimotoSimilarity(_fingerprint(gold), _fingerprint(prediction))
    return similarity


@lru_cache(4096)
def _fingerprint(text: str) -> Any:
    return _morgan_generator().GetFingerprint(_molecule(text))


@lru_cache(1)
def _morgan_generator() -> Any:
    from rdkit.Chem import rdFingerprintGenerator

    return rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=2048)


def forget_molecules() -> None:
    """Empty the memory of texts seen before, as in a fresh process."""
    for remembered in (_Side.of, _without_abbreviation, _canonical, _is_valid, _molecule, _fingerprint):
        remembered.cache_clear()


def _encodable(text: str) -> bool:
    """Whether the text can be handed to RDKit at all: a lone surrogate cannot."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
