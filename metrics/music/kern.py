"""Error rates of music transcription in the **kern family: characters (CER), symbols (SER) and lines (LER)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from evalsuite.errors import ScoringError, UnknownName
from evalsuite.metrics.base import Array, Metric, Value, ratio

SPACE, TAB, BREAK = "<s>", "<t>", "<b>"

_EDITORIAL = re.compile(r"\*(?:staff[12]|X?ped|X?tuplet|X?tremolo|X?cue|rscale:1|kcancel|below)")
_STARS = re.compile(r"\*(?:\s\*)*")
_BAR_NUMBER = re.compile(r"(?<==)\d+")
_DOT = "·"
_STEM_DIRECTIONS = (" /", " \\", f"{_DOT}/", f"{_DOT}\\")
_ENCODINGS = {"kern": {_DOT: "", "@": ""}, "ekern": {_DOT: " ", "@": ""}, "bekern": {_DOT: " ", "@": " "}}
_AS_ONE_CHARACTER = {TAB: "\t", BREAK: "\n"}
_PREPARATIONS = ("none", "system", *_ENCODINGS)


def system_tokens(kern: str) -> list[str]:
    """Tokens of one system as the SMT code prepares GrandStaff: the reference behind the published rates.

    Line breaks and spaces at both ends go, so do the numbers of barlines and the dots between parts of a note; space,
    tab and line break become tokens of their own.

    >>> system_tokens("**kern\\t**kern\\n=1\\t=1")
    ['**kern', '<t>', '**kern', '<b>', '=', '<t>', '=']
    """
    return _separated(_BAR_NUMBER.sub("", kern.strip("\n ")).replace(_DOT, "")).split(" ")


def full_page_tokens(kern: str, encoding: str = "bekern") -> list[str]:
    """Tokens of a whole page as the SMT code prepares it, header included (its loader skips the first four).

    A line that contains an editorial interpretation (staff, pedal, tuplet, tremolo, cue, rscale, kcancel, below) is
    dropped, also where more text follows the name, but not a last line without a line break. A line of nothing but
    ``*`` with one white space between two of them is dropped everywhere. White space at both ends goes, and so do the
    numbers of barlines. Then space, tab and line break become tokens of their own, and ``/`` and ``\\`` behind a space
    or a dot go with it: a stem direction. Such a mark at the start of a voice takes the space behind the tab's token
    with it, and what follows it joins that token.
    encoding: ``kern`` keeps notes whole, ``ekern`` splits them at the dots, ``bekern`` at ``@`` too.
    Raises UnknownName for another encoding.

    Source: ``clean_kern`` and ``parse_kern`` of ``utils.py`` at commit afcdefd.
    """
    if encoding not in _ENCODINGS:
        raise UnknownName("kern encoding", encoding, _ENCODINGS)
    text = _separated(_BAR_NUMBER.sub("", _without_editorial_lines(kern)))
    for mark in _STEM_DIRECTIONS:
        text = text.replace(mark, "")
    for mark, replacement in _ENCODINGS[encoding].items():
        text = text.replace(mark, replacement)
    return text.strip().split(" ")


def kern_text(tokens: Sequence[str]) -> str:
    """The text that tokens stand for.

    >>> kern_text(["4c", "<s>", "4e", "<t>", ".", "<b>", "=", "<t>", "="])
    '4c 4e\\t.\\n=\\t='
    """
    return "".join(tokens).replace(TAB, "\t").replace(BREAK, "\n").replace(SPACE, " ")


@dataclass(frozen=True)
class KernErrorRates(Metric):
    """Edits needed to turn the transcription into the reference, per 100 reference units, over the whole corpus.

    Each rate is 100 * sum of Levenshtein distances / sum of reference lengths (not a mean of rates), so it is 0 at
    best and may exceed 100. Tabs stand between voices, line breaks between events; nothing is normalised.

    - ``cer``: characters. ``variant`` ``current``: every character counts. ``2024``: spaces do not count at all, the
      code of January 2024 behind the published SMT numbers; a written ``<t>`` or ``<b>`` between spaces is one
      character there, the same as the tab or line break that it stands for.
    - ``ser``: symbols, that is notes, rests and other texts between spaces; every tab and line break is a symbol too,
      the same as a written ``<t>`` or ``<b>``.
    - ``ler``: lines, right only if identical; with ``2024`` a tab is the same as a written ``<t>`` between spaces.

    reference_preparation: what is done to the reference first, see :func:`system_tokens` (``system``) and
    :func:`full_page_tokens` (``kern``, ``ekern``, ``bekern``); ``none`` takes it as it is.
    References: a list with one text. An empty text has no character, but one empty symbol and one empty line; NaN
    where the references of the whole corpus have no character (the official code divides by zero).

    Source: Rios-Vila et al. 2024, https://arxiv.org/abs/2402.07596, and https://github.com/antoniorv6/SMT
    ``eval_functions.py``.

    >>> KernErrorRates().score(["4c\\t4e"], [["4c\\t4g"]])
    {'cer': 20.0, 'ser': 33.333333333333336, 'ler': 100.0}
    """

    name: ClassVar[str] = "kern_error_rates"
    version: ClassVar[int] = 2
    values: ClassVar[tuple[Value, ...]] = tuple(
        Value(rate, scale=1.0, higher_is_better=False, bounds=(0.0, None)) for rate in ("cer", "ser", "ler")
    )
    source: ClassVar[str] = "https://github.com/antoniorv6/SMT"

    variant: str = "current"
    reference_preparation: str = "none"

    def __post_init__(self) -> None:
        if self.variant not in ("current", "2024"):
            raise UnknownName("variant of metric kern_error_rates", self.variant, ["current", "2024"])
        if self.reference_preparation not in _PREPARATIONS:
            raise UnknownName("reference_preparation", self.reference_preparation, _PREPARATIONS)

    def statistics(self, prediction: str, references: Sequence[str]) -> Array:
        """Shape (6,): edits and reference length in characters, in symbols, in lines."""
        from rapidfuzz.distance import Levenshtein

        if len(references) != 1:
            raise ScoringError(f"kern_error_rates: needs one reference text, not {references!r:.80}")
        reference = self._prepared(references[0])
        row = np.empty(6)
        for place, units in enumerate((self._characters, symbols, self._lines)):
            truth = units(reference)
            edits = 0 if prediction == reference else Levenshtein.distance(units(prediction), truth)
            row[2 * place : 2 * place + 2] = edits, len(truth)
        return row

    def finalize(self, total: Array) -> dict[str, Array]:
        return {
            value.name: ratio(100.0 * total[..., 2 * k], total[..., 2 * k + 1]) for k, value in enumerate(self.values)
        }

    def _characters(self, text: str) -> str:
        if self.variant != "2024":
            return text
        return "".join([_AS_ONE_CHARACTER.get(symbol, symbol) for symbol in symbols(text)])

    def _lines(self, text: str) -> list[str]:
        return lines(text.replace("\t", f" {TAB} ") if self.variant == "2024" else text)

    def _prepared(self, reference: str) -> str:
        if self.reference_preparation == "none":
            return reference
        if self.reference_preparation == "system":
            return kern_text(system_tokens(reference))
        return kern_text(full_page_tokens(reference, self.reference_preparation))


def symbols(kern: str) -> list[str]:
    """What SER counts: the texts between spaces, with ``<t>`` for a tab and ``<b>`` for a line break.

    >>> symbols("4c 4e\\t.")
    ['4c', '4e', '<t>', '.']
    """
    return kern.replace("\n", f" {BREAK} ").replace("\t", f" {TAB} ").split(" ")


def lines(kern: str) -> list[str]:
    """What LER counts."""
    return kern.split("\n")


def _separated(kern: str) -> str:
    """Space, tab and line break as tokens between spaces."""
    return kern.replace(" ", f" {SPACE} ").replace("\t", f" {TAB} ").replace("\n", f" {BREAK} ")


def _without_editorial_lines(kern: str) -> str:
    *ended, last = kern.split("\n")
    kept = [line for line in ended if not _EDITORIAL.search(line)]
    return "\n".join([line for line in [*kept, last] if not _STARS.fullmatch(line)]).strip()
