"""What is one token: the rules of the Penn Treebank tokenizer that caption scores are defined with.

At every place of a line all rules are tried. The longest match wins, between equal ones the earlier rule. What a rule asks
of the text *behind* its token lies in the match but outside group 1, and counts for the length too. The rules were found
by giving strings to the program and reading its answers; ``tables/ptb_characters.json`` so for every code point.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources
from typing import NamedTuple

# Words that never lose their period, in any capitalisation; a hyphen may follow it (``St.-Tropez``).
TITLES = """mr mrs ms dr drs prof profs sen sens rep reps atty attys lt col gen messrs gov govs adm rev maj sgt cpl pvt capt
st ste ave pres lieut hon brig cmdr comdr pfc spc supt supts det mt ft adj adv asst assoc ens insp mlle mme msgr sfc dept
natl elec invt cie cf vs ph jos wm alex""".split()
# The same, but the token ends at the period (``Inc.s`` is ``inc.`` and ``s``).
ENDINGS = """jr sr bros esq blvd rd ct sq bldg univ assn intl sys bancorp bhd plc rt ltd inc corp co cos
jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri
ala ariz calif colo conn dak fla ga ind kan kans ky md mich minn mo mont neb nev okla penn tenn va vt wis wisc wyo
etc al seq est ext tel ph.d ed.d""".split()
CAPITALISED_ENDINGS = ["Miss", "Ark", "Az", "Del", "Ill", "La", "Mass", "Ore", "Pa", "Tex", "Wash"]
LOWER_TAIL_TITLES = ["mfg", "mtg"]  # all letters but the first must be lower-case
LOWER_TAIL_ENDINGS = ["pty", "ptys", "pte", "ptes", "ppty", "pptys", "ppte", "pptes"]
BEFORE_NUMBERS = ["ca", "fig", "figs", "no", "nos", "pp", "art", "prop", "op"]
# Behind one letter and a period these start a sentence, so that the period is a full stop (``Vitamin C. The``).
SENTENCE_STARTS = """A About According Additionally After An As At But Earlier He Her Here However If In It Last Many Mr. Ms.
Now Once One Other Our She Since So Some Such That The Their Then There These They This We What When While Yet You""".split()
SPLIT_WORDS = ["can not", "gon na", "got ta", "wan na", "gim me", "lem me"]
STRAIGHT_WORDS = ["c'mon", "ev'ry", "nat'l", "nor'easter", "s'mores", "e'er"]  # only with the ASCII apostrophe
APOSTROPHE_WORDS = ["cap'n", "c'est", "ol'", "dunkin'", "somethin'", "d'", "j'", "l'"]
FILE_TYPES = """bat bmp c class cgi cpp dll doc docx exe gif gz h htm html jar java jpeg jpg mov mp3 pdf php pl png ppt ps py
sql tar txt wav x xml zip""".split()

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
    """``pattern`` matches a token (group 1) with the text it asks to see behind it.

    starts: first characters that it can match: L all letters and marks, D all digits, otherwise characters; "" any.
    render: what is printed for the token; "" nothing.
    """

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
    table = json.loads(resources.files(__package__).joinpath("tables/ptb_characters.json").read_text("utf-8"))
    letters, digits, marks, symbols = (_ranges(table[name]) for name in ("letters", "digits", "marks", "symbols"))
    return Characters("A-Za-z" + letters, "0-9" + digits, marks, symbols)


@cache
def rules() -> tuple[Rule, ...]:
    """All rules, in order of precedence."""
    parts = (_words(), _compounds(), _abbreviations(), _apostrophes(), _numbers(), _addresses(), _marks())
    return tuple(Rule(starts, re.compile(pattern), render) for part in parts for starts, pattern, render in part)


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
_DOTTED = rf"(?:{_ACRONYM}|[A-Za-z0-9][A-Za-z0-9.,\xad]*)(?:-(?:{_ACRONYM}|[A-Za-z0-9\xad]+))+"
_CAPITALS = r"[A-Z]+(?:(?:[+&]|&amp;)[A-Z]+)+"


def _words() -> _Rules:
    letters = characters().letters
    yield "L&", rf"({_word()}){APOSTROPHE}(?:[sSmMdD]|(?i:re|ve|ll))", word
    yield "L\xad", rf"([A-Za-z\xad]+)[nN]{LOOSE_APOSTROPHE}[tT]", word
    for pair in SPLIT_WORDS:
        first, second = pair.split()
        yield "L", rf"((?i:{first}))(?i:{second})", word
    known = "|".join([*STRAIGHT_WORDS, *(w.replace("'", APOSTROPHE) for w in APOSTROPHE_WORDS)])
    yield "L", rf"((?i:{known}))", word
    for stem in (_word(), _thing(), _DOTTED, _CAPITALS):
        yield "LD&\xad", rf"({stem}\.)[,;:、]", word
    yield "L&\xad", rf"({_word()})", word
    yield "L", rf"({_endings()}\.)[\s\S][\s\S]", word
    yield "L", rf"([A-HJ-XZn]{LOOSE_APOSTROPHE}[{letters}]{{2}}[{letters}]*)", word
    yield "L", rf"([{letters}]+[aeiouyAEIOUY]{LOOSE_APOSTROPHE}[aeiouA-Z][{letters}]*)", word


def _compounds() -> _Rules:
    part = r"[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}"
    yield "LD", rf"({_thing()})", word
    yield "LD", rf"({_DOTTED})", word
    yield "LD", rf"({part}(?:\\?/{part}){{1,2}})", word
    yield "L", rf"({_CAPITALS})", _ampersands
    yield "L", r"([Cc]\+\+|[CcFf]#|[A-Z]+\$)", word


def _abbreviations() -> _Rules:
    c = characters()
    starts = "|".join(rf"{w[0]}(?i:{re.escape(w[1:])})" for w in SENTENCE_STARTS)
    stem = rf"[{c.letters}{c.marks}{c.digits}]+"
    yield "L", rf"({_ACRONYM})", word
    yield "L", rf"((?:{_endings()}|{_any(TITLES)}|{_lower_tail(LOWER_TAIL_TITLES)})\.)", word
    yield "L", rf"([A-Za-z])\.[{SPACE}\n]+(?:{starts}|{_tag()})[{SPACE}\n]", word
    yield "L", r"([A-Za-z]\.)", word
    yield "L", rf"({_any(BEFORE_NUMBERS)}\.)[{SPACE}\n]?[{c.digits}]", word
    yield "LD", rf"({stem}(?:\.{stem})*\.{_any(FILE_TYPES)})[{SPACE}\n.,!?]", word


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


def _tag() -> str:
    name = r"[A-Za-z][A-Za-z0-9_:.-]*"
    attribute = rf"""(?:{name})? *= *(?:"[^"\n]*"|'[^'\n]*')"""
    return rf"<(?:{name}(?: +{name}| +{attribute})* */?|/{name} *|[!?][A-Za-z-][^>\n]*)>"


def _addresses() -> _Rules:
    c = characters()
    last = r'[^ \t\n"()<>{|}.,!?-]'
    path = rf'(?:/[^ \t\n"<>|()]+{last})'
    yield "<", rf"({_tag()})", plain
    yield "L", rf'((?i:https?)://[^ \t\n"()<>{{|}}]+{last})', plain
    yield "L", rf'((?i:www)\.(?:[^{SPACE}\n"<>|.!?(){{}},]+\.)+[A-Za-z]{{2,4}}{path}?)', plain
    yield ANY, rf"((?:[^ \t\n!\"$'(),-_`{{|}}]+\.)+(?i:com|net|org|edu){path}?)", plain
    yield "LD<&", r'((?:<|&lt;)?[A-Za-z0-9][^ \t\n\xa0"<>|(){}]*@(?:[^ \t\n\xa0"<>|(){}.]+\.)*[^ \t\n\xa0"<>|(){}.]+(?:>|&gt;)?)', plain
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


def _ranges(lines: list[str]) -> str:
    spans = (span.split("-") for span in " ".join(lines).split())
    return "".join("-".join(rf"\u{end}" for end in span) for span in spans)


def _any(words: list[str]) -> str:
    return "(?i:" + "|".join(sorted(map(re.escape, words), key=len, reverse=True)) + ")"


def _endings() -> str:
    capitalised = "|".join(rf"{w[0]}(?i:{w[1:]})" for w in CAPITALISED_ENDINGS)
    return f"(?:{_any(ENDINGS)}|{capitalised}|{_lower_tail(LOWER_TAIL_ENDINGS)})"


def _lower_tail(words: list[str]) -> str:
    return "(?:" + "|".join(f"[{w[0]}{w[0].upper()}]{w[1:]}" for w in words) + ")"
