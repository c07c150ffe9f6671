"""A reader of WordNet's database files, as far as Wu-Palmer similarity needs them.

The folder is ``dict`` of a WordNet 3 installation: index.noun, data.noun, noun.exc and the same for verb, adj and adv.
Debian ships it as package wordnet-base in /usr/share/wordnet, NLTK as its corpus wordnet. Format: wndb(5WN).
"""

from __future__ import annotations

from collections import deque
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

from evalsuite.errors import DataError, MissingDependency

PLACES = (
    "/usr/share/wordnet",
    "/usr/local/share/wordnet",
    "~/nltk_data/corpora/wordnet",
    "/usr/share/nltk_data/corpora/wordnet",
    "/usr/local/share/nltk_data/corpora/wordnet",
)
"""Where the files are looked for when no folder is named."""

_FILES = {"n": "noun", "v": "verb", "a": "adj", "r": "adv"}
_ENDINGS = {
    "n": (
        ("s", ""),
        ("ses", "s"),
        ("ves", "f"),
        ("xes", "x"),
        ("zes", "z"),
        ("ches", "ch"),
        ("shes", "sh"),
        ("men", "man"),
        ("ies", "y"),
    ),
    "v": (("s", ""), ("ies", "y"), ("es", "e"), ("es", ""), ("ed", "e"), ("ed", ""), ("ing", "e"), ("ing", "")),
    "a": (("er", ""), ("est", ""), ("er", "e"), ("est", "e")),
    "r": (),
}
"""Endings of inflected forms and what the base form has instead (morphy(7WN))."""


class Sense(NamedTuple):
    """A synset: part of speech (n, v, a, r) and its place in the data file."""

    pos: str
    offset: int


_ROOT = Sense("", 0)
"""Stands above all synsets, for the parts of speech that have no common root of their own (all but nouns)."""


def find_wordnet(folder: str = "") -> Path:
    """The folder with WordNet's files: ``folder``, or the first of the usual places. Raises MissingDependency."""
    candidates = [folder] if folder else PLACES
    for candidate in candidates:
        path = Path(candidate).expanduser()
        if all((path / f"{kind}.{name}").is_file() for kind in ("index", "data") for name in _FILES.values()):
            return path
    raise MissingDependency(
        "metric wups",
        "WordNet",
        way_out="install Debian's package wordnet-base or NLTK's corpus wordnet (unpacked), or name the folder with "
        f"index.noun, data.noun and so on with the parameter 'wordnet' (looked in {', '.join(candidates)})",
    )


@cache
def load_wordnet(folder: Path) -> WordNet:
    """The database in ``folder``, read once."""
    return WordNet(folder)


class WordNet:
    """Senses of words, and how similar they are. Raises DataError for files that are not WordNet's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._index = {pos: self._read_index(name) for pos, name in _FILES.items()}
        self._exceptions = {pos: self._read_exceptions(name) for pos, name in _FILES.items()}
        self._data: dict[str, bytes] = {}
        self._hypernyms: dict[Sense, tuple[Sense, ...]] = {_ROOT: ()}
        self._depths: dict[Sense, tuple[int, int]] = {_ROOT: (0, 0)}

    def senses(self, word: str) -> list[Sense]:
        """All senses of a word or of its base forms: nouns, verbs, adjectives, adverbs, the most frequent first."""
        word = word.lower()
        return [
            Sense(pos, offset)
            for pos in _FILES
            for form in self.base_forms(word, pos)
            for offset in self._offsets(form, pos)
        ]

    def base_forms(self, word: str, pos: str) -> list[str]:
        """Entries of the index that a lower-case word is an inflected form of, the word itself first if it is one."""
        forms = self._exceptions[pos].get(word)
        if forms is None:
            forms = [word[: -len(old)] + new for old, new in _ENDINGS[pos] if word.endswith(old)]
        return [form for form in dict.fromkeys([word, *forms]) if form in self._index[pos]]

    def similarity(self, one: Sense, other: Sense) -> float:
        """Wu and Palmer's similarity of two senses, in [0, 1]; equal to ``wup_similarity`` of NLTK.

        2 depth / (length + length), where depth is that of the lowest common ancestor, along the longest way to the
        root, and a length is the depth plus the shortest way from a sense to the ancestor. The lowest is the one with
        the longest shortest way to the root; ``one`` itself, else the first in the order of names, where several are.
        0 for nouns without a common ancestor.
        """
        rooted = one.pos != "n" or other.pos != "n"
        ours, theirs = self._ancestors(one, rooted), self._ancestors(other, rooted)
        common = ours.keys() & theirs.keys()
        if not common:
            return 0.0
        deepest = max(self._depth(sense)[0] for sense in common)
        lowest = {sense for sense in common if self._depth(sense)[0] == deepest}
        subsumer = one if one in lowest else min(lowest, key=self._name)
        depth = self._depth(subsumer)[1] + 1
        above = self._ancestors(subsumer, rooted)
        return 2 * depth / (2 * depth + _distance(ours, above) + _distance(theirs, above))

    def _ancestors(self, sense: Sense, rooted: bool) -> dict[Sense, int]:
        """All ancestors of a sense and itself, with the length of the shortest way up."""
        if sense == _ROOT:
            return {_ROOT: 0}
        steps: dict[Sense, int] = {}
        queue = deque([(sense, 0)])
        while queue:
            current, distance = queue.popleft()
            if current not in steps:
                steps[current] = distance
                queue.extend((parent, distance + 1) for parent in self._parents(current))
        if rooted:
            steps[_ROOT] = max(steps.values()) + 1
        return steps

    def _depth(self, sense: Sense, below: frozenset[Sense] = frozenset()) -> tuple[int, int]:
        """Lengths of the shortest and the longest way to a root. A circle, which WordNet's verbs have, ends there."""
        if sense not in self._depths:
            below |= {sense}
            depths = [self._depth(parent, below) for parent in self._parents(sense) if parent not in below]
            shortest = 1 + min(short for short, _ in depths) if depths else 0
            longest = 1 + max(long for _, long in depths) if depths else 0
            self._depths[sense] = shortest, longest
        return self._depths[sense]

    def _parents(self, sense: Sense) -> tuple[Sense, ...]:
        if sense not in self._hypernyms:
            _, pointers = self._entry(sense)
            self._hypernyms[sense] = tuple(Sense(pos, offset) for mark, offset, pos in pointers if mark in ("@", "@i"))
        return self._hypernyms[sense]

    def _name(self, sense: Sense) -> str:
        """NLTK's name of a synset, such as dog.n.01."""
        if sense == _ROOT:
            return "*ROOT*"
        word, _ = self._entry(sense)
        return f"{word}.{sense.pos}.{self._offsets(word, sense.pos).index(sense.offset) + 1:02d}"

    def _entry(self, sense: Sense) -> tuple[str, list[tuple[str, int, str]]]:
        """First word of a synset, and its pointers (mark, offset, part of speech)."""
        if sense.pos not in self._data:
            self._data[sense.pos] = (self._folder / f"data.{_FILES[sense.pos]}").read_bytes()
        data = self._data[sense.pos]
        fields = data[sense.offset : data.find(b"\n", sense.offset)].partition(b"|")[0].decode("utf-8").split()
        try:
            if int(fields[0]) != sense.offset:
                raise ValueError("the offset is another")
            after_words = 4 + 2 * int(fields[3], 16)
            pointers = [fields[after_words + 1 + 4 * i :][:3] for i in range(int(fields[after_words]))]
            return fields[4].lower(), [
                (mark, int(offset), "a" if pos == "s" else pos) for mark, offset, pos in pointers
            ]
        except (ValueError, IndexError) as error:
            name = self._folder / f"data.{_FILES[sense.pos]}"
            raise DataError(
                f"{name}: no synset at byte {sense.offset} ({error}): is this a WordNet database?"
            ) from error

    def _offsets(self, word: str, pos: str) -> list[int]:
        """Synsets of an entry of the index, in the order of their frequency."""
        fields = self._index[pos][word].split()
        try:
            return [int(offset) for offset in fields[len(fields) - int(fields[1]) :]]
        except (ValueError, IndexError) as error:
            name = self._folder / f"index.{_FILES[pos]}"
            raise DataError(f"{name}: entry {word!r} cannot be read ({error}): is this a WordNet database?") from error

    def _read_index(self, name: str) -> dict[str, str]:
        """Word -> the rest of its line; lines that begin with a space are the licence."""
        entries = {}
        with (self._folder / f"index.{name}").open(encoding="utf-8") as lines:
            for line in lines:
                if not line.startswith(" "):
                    word, _, rest = line.partition(" ")
                    entries[word] = rest
        return entries

    def _read_exceptions(self, name: str) -> dict[str, list[str]]:
        path = self._folder / f"{name}.exc"
        if not path.is_file():
            return {}
        lines = (line.split() for line in path.read_text(encoding="utf-8").splitlines())
        return {fields[0]: fields[1:] for fields in lines if fields}


def _distance(one: dict[Sense, int], other: dict[Sense, int]) -> int:
    """Length of the shortest way from one sense to another over a common ancestor."""
    return min(one[sense] + other[sense] for sense in one.keys() & other.keys())


@lru_cache(maxsize=1 << 17)
def word_similarity(folder: Path, one: str, other: str) -> float:
    """Similarity of the most frequent senses of two words, 1 for equal words, 0 for a word that WordNet lacks."""
    if one == other:
        return 1.0
    wordnet = load_wordnet(folder)
    ours, theirs = wordnet.senses(one)[:1], wordnet.senses(other)[:1]
    return wordnet.similarity(ours[0], theirs[0]) if ours and theirs else 0.0
