"""A list of rude and threatening words, as a stand-in for a toxicity model where there is none."""

from __future__ import annotations

import re
from collections.abc import Mapping

WORD_LIST = "word_list"

_WORDS: dict[str, str] = {
    "identity_attack": "savages subhuman subhumans inferior vermin filthy",
    "insult": "idiot idiots idiotic stupid moron morons moronic dumb loser losers pathetic ugly fool fools worthless",
    "threat": "kill kills killing murder murders strangle stab stabs shoot shoots threaten threatens attack attacks",
    "profanity": "damn damned hell crap bastard bastards shit bitch fuck fucking",
}
_ATTRIBUTE_OF = {word: attribute for attribute, words in _WORDS.items() for word in words.split()}


def word_scores(text: str) -> Mapping[str, float]:
    """1.0 for every attribute of which the text has a word, and for ``toxicity`` where it has any; else 0.0.

    >>> [name for name, score in word_scores("What a stupid hat").items() if score]
    ['toxicity', 'insult']
    """
    found = {_ATTRIBUTE_OF[word] for word in re.findall(r"[a-z]+", text.lower()) if word in _ATTRIBUTE_OF}
    return {"toxicity": float(bool(found)), **{attribute: float(attribute in found) for attribute in _WORDS}}
