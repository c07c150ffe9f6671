"""What is one token: the rules of the Penn Treebank tokenizer that caption scores are defined with.

At every place of a line all rules are tried. The longest match wins, between equal ones the earlier rule. What a rule
asks of the text *behind* its token lies in the match but outside group 1, and counts for the length too. The rules were
found by giving strings to the program and reading its answers; ``lexicons/ptb_characters.json`` so for every code
point.

The time that a text takes grows with its length alone. A rule may look far only if its token is as long, so that the
next look begins behind it, or if it says where it looked in vain: a second alternative without group 1 matches the text
in which the rule cannot match at any later place either, because from there it would meet the same end.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources
from typing import NamedTuple

SPLIT_WORDS = ["can not", "gon na", "got ta", "wan na", "gim me", "lem me"]
SPACE = r"\t \x85\xa0\u2000-\u200a\u3000"  # white space between tokens
APOSTROPHE = r"(?:['’\x92]|&apos;)"
LOOSE_APOSTROPHE = r"(?:['’\x92‘\x91`\u201b]|&apos;)"
ACCENTED = r"&[aeiouAEIOU](?:acute|grave|uml);"  # written-out accented letters are letters
QUOTES = dict(
    zip(
        "`‘’‚‛“”„‟«»‹›\x91\x92\x93\x94",
        ["`", "`", "'", "‚", "`", "``", "''", "„", "‟", "``", "''", "`", "'", "`", "'", "``", "''"],
        strict=True,
    )
)
BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
NORMALISED = {"\x80": "$", "¤": "$", "₠": "$", "€": "$", "£": "#", "¢": "cents"}
NORMALISED |= {"¼": "1/4", "½": "1/2", "¾": "3/4", "⅓": "1/3", "⅔": "2/3"}
LETTERS_AND_MARKS, DIGITS, ANY = "L", "D", ""


class Rule(NamedTuple):
    """``pattern`` matches a token (group 1) with the text it asks to see behind it, or text without such a token.

    number: place among the rules.
    starts: first characters that it can match: L all letters and marks, D all digits, otherwise characters; "" any.
    render: what is printed for the token; "" nothing.
    """

    number: int
    starts: str
    pattern: re.Pattern[str]
    render: Callable[[str], str]


class Characters(NamedTuple):
    """Insides of regular-expression classes; ASCII is included except among the symbols."""

    letters: str
    digits: str
    marks: str
    symbols: str


@cache
def characters() -> Characters:
    """The classes of the characters that the tokenizer keeps. It drops all others, and everything outside the BMP."""
    table = _table("ptb_characters")
    letters, digits, marks, symbols = (_ranges(table[name]) for name in ("letters", "digits", "marks", "symbols"))
    return Characters("A-Za-z" + letters, "0-9" + digits, marks, symbols)


class Words(NamedTuple):
    """Words with rules of their own.

    titles: never lose their period, in any capitalisation; a hyphen may follow it (``St.-Tropez``).
    endings: the same, but the token ends at the period (``Inc.s`` is ``inc.`` and ``s``).
    *_lower_tail: all letters but the first must be lower-case; *_capitalised: the first must be a capital.
    before_numbers: keep their period before a digit only (``no. 5``).
    sentence_starts: behind one letter and a period they start a sentence, so that the period is a full stop.
    file_types: ``5.jpg`` is one token.
    with_apostrophe, with_straight_apostrophe: one token; the latter only with the ASCII apostrophe.
    """

    titles: list[str]
    titles_lower_tail: list[str]
    endings: list[str]
    endings_capitalised: list[str]
    endings_lower_tail: list[str]
    before_numbers: list[str]
    sentence_starts: list[str]
    file_types: list[str]
    with_straight_apostrophe: list[str]
    with_apostrophe: list[str]


@cache
def special_words() -> Words:
    """The lists of ``lexicons/ptb_words.json``."""
    return Words(**{name: " ".join(lines).split() for name, lines in _table("ptb_words").items()})


@cache
def rules() -> tuple[Rule, ...]:
    """All rules, in order of precedence."""
    parts = (_words(), _compounds(), _abbreviations(), _apostrophes(), _numbers(), _addresses(), _marks())
    listed = enumerate(rule for part in parts for rule in part)
    return tuple(Rule(number, starts, re.compile(pattern), render) for number, (starts, pattern, render) in listed)


_Rules = Iterator[tuple[str, str, Callable[[str], str]]]


def plain(token: str) -> str:
    """Lower-case, spaces hardened, round brackets written out."""
    return token.replace(" ", "\xa0").replace("(", "-lrb-").replace(")", "-rrb-").lower()


def word(token: str) -> str:
    """Lower-case, soft hyphens dropped."""
    return token.replace("\xad", "").lower()


def clitic(token: str) -> str:
    """``'s``, ``n't`` and their like, with ASCII apostrophes."""
    return re.sub(APOSTROPHE, "'", re.sub("[‘\x91\u201b]", "`", token)).lower()


def dropped(token: str) -> str:
    """Punctuation that the official wrapper removes."""
    return ""


def _quotes(token: str) -> str:
    quote = "".join(QUOTES[character] for character in token)
    return "" if quote in ("'", "''", "`", "``") else quote


def _entity(token: str) -> str:
    return {"&amp;": "&", "&lt;": "<", "&gt;": ">"}.get(token.lower(), "")


def _ampersands(token: str) -> str:
    return token.replace("&amp;", "&").lower()


def _if_long(longest_dropped: int) -> Callable[[str], str]:
    return lambda token: token if len(token) > longest_dropped else ""


def _word() -> str:
    """A word, and words joined by single periods, exclamation or question marks."""
    c = characters()
    inner = rf"[{c.letters}{c.marks}{c.digits}\xad]*"
    one = rf"(?:[{c.letters}{c.marks}\xad]|{ACCENTED}){inner}(?:{ACCENTED}{inner})*"
    return rf"{one}(?:[.!?]{one})*"


def _thing() -> str:
    """Letters and digits joined by hyphens, parts such as ``o'clock`` included."""
    c = characters()
    elided, alnum = rf"(?:[dDoOlL]{LOOSE_APOSTROPHE}[{c.letters}{c.digits}])?", rf"[{c.letters}{c.digits}]"
    later = rf"[-_\u058a\u2010\u2011]{elided}{alnum}[{c.letters}{c.digits}\xad]*"
    return rf"{elided}{alnum}+(?:{later})*"


# ASCII with inner periods and commas before the first hyphen; an acronym may stand between hyphens (x.y-U.S.-based).
_ACRONYM = r"[A-Za-z](?:\.[A-Za-z])+\."
_BEFORE_HYPHEN = r"[A-Za-z0-9][A-Za-z0-9.,\xad]*"
_DOTTED = rf"(?:{_ACRONYM}|{_BEFORE_HYPHEN})(?:-(?:{_ACRONYM}|[A-Za-z0-9\xad]+))+"
_CAPITALS = r"[A-Z]+(?:(?:[+&]|&amp;)[A-Z]+)+"


def _words() -> _Rules:
    letters, lists = characters().letters, special_words()
    yield "L&", rf"({_word()}){APOSTROPHE}(?:[sSmMdD]|(?i:re|ve|ll))", word
    yield "L\xad", rf"([A-Za-z\xad]+)[nN]{LOOSE_APOSTROPHE}[tT]", word
    for pair in SPLIT_WORDS:
        first, second = pair.split()
        yield "L", rf"((?i:{first}))(?i:{second})", word
    known = "|".join([*lists.with_straight_apostrophe, *(w.replace("'", APOSTROPHE) for w in lists.with_apostrophe)])
    yield "L", rf"((?i:{known}))", word
    for stem, in_vain in ((_word(), ""), (_thing(), ""), (_DOTTED, f"|{_BEFORE_HYPHEN}"), (_CAPITALS, "")):
        yield "LD&\xad", rf"({stem}\.)[,;:、]{in_vain}", word
    yield "L&\xad", rf"({_word()})", word
    yield "L", rf"({_endings()}\.)[\s\S][\s\S]", word
    yield "L", rf"([A-HJ-XZn]{LOOSE_APOSTROPHE}[{letters}]{{2}}[{letters}]*)", word
    yield "L", rf"([{letters}]+[aeiouyAEIOUY]{LOOSE_APOSTROPHE}[aeiouA-Z][{letters}]*)", word


def _compounds() -> _Rules:
    part = r"[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}"
    yield "LD", rf"({_thing()})", word
    yield "LD", rf"({_DOTTED})|{_BEFORE_HYPHEN}", word
    yield "LD", rf"({part}(?:\\?/{part}){{1,2}})", word
    yield "L", rf"({_CAPITALS})", _ampersands
    yield "L", r"([Cc]\+\+|[CcFf]#|[A-Z]+\$)", word


def _abbreviations() -> _Rules:
    c, lists = characters(), special_words()
    starts = "|".join(rf"{w[0]}(?i:{re.escape(w[1:])})" for w in lists.sentence_starts)
    part = rf"[{c.letters}{c.marks}{c.digits}]+"
    parts = rf"{part}(?:\.{part})*"
    gap = rf"\.[{SPACE}\n]+"
    yield "L", rf"({_ACRONYM})", word
    yield "L", rf"((?:{_endings()}|{_any(lists.titles)}|{_lower_tail(lists.titles_lower_tail)})\.)", word
    yield "L", rf"([A-Za-z]){gap}(?:{starts}|{_tag()})[{SPACE}\n]", word
    # In vain up to the last "<" before the end that was found: the letter of a later declaration stands before it.
    yield "L", rf"([A-Za-z]){gap}{_DECLARATION}>[{SPACE}\n]|[A-Za-z]{gap}<[!?][A-Za-z-](?:[^>\n]*<)?", word
    yield "L", r"([A-Za-z]\.)", word
    yield "L", rf"({_any(lists.before_numbers)}\.)[{SPACE}\n]?[{c.digits}]", word
    yield "LD", rf"({parts}\.{_any(lists.file_types)})[{SPACE}\n.,!?]|{parts}", word


def _apostrophes() -> _Rules:
    starts = "'’\x92&"
    suffix = rf"{APOSTROPHE}(?:[sSmMdD]|(?i:re|ve|ll))"
    yield "L", rf"([yY]{APOSTROPHE})[{characters().letters}]", word
    yield starts, rf"({APOSTROPHE}[nN]{APOSTROPHE}?|{APOSTROPHE}(?i:em|till?|cause))", word
    yield "'", r"('[tT])(?i:is|was)", word
    yield "L", rf"([nN]{LOOSE_APOSTROPHE}[tT])", clitic
    yield starts, rf"({suffix})[^A-Za-z]", clitic
    yield starts, rf"({APOSTROPHE}[2-9]0[sS])", word
    yield starts, rf"({APOSTROPHE}[0-9][0-9])[{SPACE}\n]", word
    yield "'", r"(')[A-Za-z][^ \t\n]", dropped  # an opening quote
    yield starts, rf"({suffix})", clitic
    yield "'", r"(''?)", dropped
    yield "".join(QUOTES), f"([{''.join(QUOTES)}]{{1,2}})", _quotes


def _numbers() -> _Rules:
    digit = f"[{characters().digits}]"
    gap = r"[- \xa0]"
    area = rf"(?:\([0-9]{{2,3}}\)[ \xa0]?|(?:\+\+?)?(?:[0-9]{{2,4}}{gap})?[0-9]{{2,4}}{gap})"
    yield "D.,:\u2044\u066b\u066c\xad+-", rf"([-+]?(?:{digit}*(?:[.,:\u2044\u066b\u066c\xad]{digit}+)+|{digit}+))", word
    yield "D", rf"((?:{digit}{{1,4}}{gap})?{digit}{{1,4}}(?:\\?/|\u2044){digit}{{1,4}})", plain
    yield "D", r"([0-9]{1,2}[-/][0-9]{1,2}[-/][0-9]{2,4})", word
    yield "D(+", rf"({area}[0-9]{{3,4}}{gap}?[0-9]{{3,5}})", plain
    yield "²³¹⁰⁴⁵⁶⁷⁸⁹₀₁₂₃₄₅₆₇₈₉", "([²³¹⁰⁴-⁹]+|[₀-₉]+)", word
    yield "+", r"(\+\+?(?:[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5})", word


_DECLARATION = r"<[!?][A-Za-z-][^>\n]*"  # without the bracket at its end


def _tag() -> str:
    """A tag of an element. Nothing in it can be read in two ways, so nothing is given back to be read again."""
    name = r"[A-Za-z][A-Za-z0-9_:.-]*"
    value = r"""= *(?:"[^"\n]*"|'[^'\n]*')"""
    return rf"<(?:{name}(?: ++(?:{name}(?: *{value})?+|{value}))*+ */?>|/{name} *>)"


def _addresses() -> _Rules:
    c = characters()
    last = r'[^ \t\n"()<>{|}.,!?-]'
    path = rf'(?:/[^ \t\n"<>|()]+{last})'
    yield "<", rf"({_tag()})", plain
    yield "<", rf"({_DECLARATION}>)|{_DECLARATION}", plain
    yield "L", rf'((?i:https?)://[^ \t\n"()<>{{|}}]+{last})', plain
    www = rf'(?i:www)\.(?:[^{SPACE}\n"<>|.!?(){{}},]+\.)'  # its last group once, or more often
    yield "L", rf"({www}+[A-Za-z]{{2,4}}{path}?)|{www}*", plain
    label = r"""[^ \t\n!"$'(),-_`{|}]+"""
    yield ANY, rf"((?:{label}\.)+(?i:com|net|org|edu){path}?)|{label}(?:\.{label})*", plain
    label = r'[^ \t\n\xa0"<>|(){}.]+'
    name = r'(?:<|&lt;)?[A-Za-z0-9][^ \t\n\xa0"<>|(){}]*'
    yield "LD<&", rf"({name}@(?:{label}\.)*{label}(?:>|&gt;)?)|{name}", plain
    yield "@", r"(@[A-Za-z_][A-Za-z_0-9]*)", plain
    yield "#", rf"(#(?:[{c.letters}{c.marks}\xad]|{ACCENTED})+)", plain


def _marks() -> _Rules:
    eye = r"[-^x=~<>']"
    yield "&", r"(&(?i:lt|gt|amp|quot|nbsp|apos|[mn]dash);)", _entity
    yield "&", r"(&(?:#[0-9]+|[aeiouAEIOU](?:acute|grave|uml));)", plain
    yield "<>:;=", r"([<>]?[:;=][-o*']?[()DPdpO@|\\{\[\]])[^A-Za-z0-9]", plain
    yield "L-^=~<>'", rf"({eye}_{eye})", plain
    yield "(", rf"(\({eye}[_.-]?{eye}\))", plain
    yield "-", r"(-(?i:[lr][rcs]b)-)", plain
    yield "-", r"(-+)", _if_long(4)
    yield "!?", r"([!?]+)", _if_long(1)
    yield ".", r"(\.{3,5}|\.(?:[ \xa0]\.){2,4})", dropped
    yield "*_#@", r"(\*+|_+|#{2,}|@{2,})", plain
    yield "<>\\", r"(<<|>>|\\\*)", plain
    yield "\xad\t \x85\xa0\u3000", rf"([{SPACE}]+|\xad)", dropped


def _table(name: str) -> dict[str, list[str]]:
    table: dict[str, list[str]] = json.loads(
        resources.files(__package__).joinpath(f"lexicons/{name}.json").read_text(encoding="utf-8")
    )
    return table


def _ranges(lines: list[str]) -> str:
    spans = (span.split("-") for span in " ".join(lines).split())
    return "".join("-".join(rf"\u{end}" for end in span) for span in spans)


def _any(words: list[str]) -> str:
    return "(?i:" + "|".join(sorted(map(re.escape, words), key=len, reverse=True)) + ")"


def _endings() -> str:
    lists = special_words()
    capitalised = "|".join(rf"{w[0]}(?i:{w[1:]})" for w in lists.endings_capitalised)
    return f"(?:{_any(lists.endings)}|{capitalised}|{_lower_tail(lists.endings_lower_tail)})"


def _lower_tail(words: list[str]) -> str:
    return "(?:" + "|".join(f"[{w[0]}{w[0].upper()}]{w[1:]}" for w in words) + ")"
