"""What is one token: the rules of the Penn Treebank tokenizer that caption scores are defined with.

At every place of a line all rules are tried. The longest match wins, between equal ones the earlier rule. What a rule asks
of the text *after* its token lies in the match but outside group 1, and counts for the length too. The rules were found by
giving strings to the program and reading its answers; ``tables/ptb_characters.json`` was found so for every code point.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib import resources
from typing import NamedTuple

# Words that never lose their period, in any capitalisation; a hyphen may follow it (``St.-Tropez``).
TITLES = """mr mrs ms dr drs prof profs sen sens rep reps atty attys lt col gen messrs gov govs adm rev maj sgt cpl pvt capt
st ste ave pres lieut hon brig cmdr comdr pfc spc supt supts det mt ft adj adv asst assoc ens insp mlle mme msgr sfc dept
natl elec invt cie cf vs ph jos wm alex""".split()
# The same, but the token ends at the period whatever follows (``Inc.s`` is ``inc.`` and ``s``).
ENDINGS = """jr sr bros esq blvd rd ct sq bldg univ assn intl sys bancorp bhd plc rt ltd inc corp co cos
jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri
ala ariz calif colo conn dak fla ga ind kan kans ky md mich minn mo mont neb nev okla penn tenn va vt wis wisc wyo
etc al seq est ext tel ph.d ed.d""".split()
CAPITALISED_ENDINGS = "Miss Ark Az Del Ill La Mass Ore Pa Tex Wash".split()
LOWER_TAIL_TITLES = "mfg mtg".split()  # all letters but the first must be lower-case
LOWER_TAIL_ENDINGS = "pty ptys pte ptes ppty pptys ppte pptes".split()
BEFORE_NUMBERS = "ca fig figs no nos pp art prop op".split()
# Behind one letter and a period these start a sentence, so that the period is a full stop (``Vitamin C. The``).
SENTENCE_STARTS = """A About According Additionally After An As At But Earlier He Her Here However If In It Last Many Mr. Ms.
Now Once One Other Our She Since So Some Such That The Their Then There These They This We What When While Yet You""".split()
SPLIT_WORDS = {"cannot": 3, "gonna": 3, "gotta": 3, "wanna": 3, "gimme": 3, "lemme": 3}
FILE_TYPES = """bat bmp c class cgi cpp dll doc docx exe gif gz h htm html jar java jpeg jpg mov mp3 pdf php pl png ppt ps py
sql tar txt wav x xml zip""".split()

SPACE = r"\t \x85\xa0\u2000-\u200a\u3000"  # white space around a token
APOSTROPHE = r"(?:['’\x92]|&apos;)"
OPENING = r"[‘\x91`\u201b]"  # opening quotes that are taken for an apostrophe at a few places
ACCENTED = r"&[aeiouAEIOU](?:acute|grave|uml);"  # written-out accented letters are letters
NO_URL = r'\t \n"()<>{|}'
QUOTES = "`‘’‚‛“”„‟«»‹›\x91\x92\x93\x94"


class Rule(NamedTuple):
    """``pattern`` matches a token (group 1) with the text it asks to see behind it.

    starts: first characters it can match; L stands for all letters and marks, D for all digits, and a letter or digit
    that a rule may start with is always written as L or D.
    """

    starts: str
    pattern: re.Pattern[str]


class Characters(NamedTuple):
    """Insides of regular-expression classes, ASCII included except among the symbols."""

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


def _ranges(lines: list[str]) -> str:
    spans = (span.split("-") for span in " ".join(lines).split())
    return "".join("-".join(rf"\u{end}" for end in span) for span in spans)


@cache
def rules() -> tuple[Rule, ...]:
    """All rules, in order of precedence."""
    table = [*_words(), *_abbreviations(), *_apostrophes(), *_numbers(), *_addresses(), *_marks()]
    return tuple(Rule(starts, re.compile(pattern)) for starts, pattern in table)


def _word() -> tuple[str, str]:
    """A word, and words joined by single periods, exclamation or question marks."""
    c = characters()
    rest = rf"[{c.letters}{c.marks}{c.digits}\xad]*(?:{ACCENTED}[{c.letters}{c.marks}{c.digits}\xad]*)*"
    word = rf"(?:[{c.letters}{c.marks}\xad]|{ACCENTED}){rest}"
    return word, rf"{word}(?:[.!?]{word})*"


def _things() -> tuple[str, str, str]:
    """Letters and digits joined by hyphens; the same without apostrophes; ASCII with inner periods and commas."""
    c = characters()
    alnum, joint = rf"[{c.letters}{c.digits}\xad]", r"[-_\u058a\u2010\u2011]"
    part = rf"(?:[dDoOlL](?:{APOSTROPHE}|{OPENING}){alnum})?{alnum}+"
    plain = r"[A-Za-z0-9]+(?:-[A-Za-z]+){0,2}"
    return rf"{part}(?:{joint}{part})*", plain, r"[A-Za-z0-9][A-Za-z0-9.,]*(?:-[A-Za-z0-9]+)+"


def _words() -> list[tuple[str, str]]:
    c = characters()
    word, words = _word()
    thing, plain, dotted = _things()
    capitals = r"[A-Z]+(?:(?:[+&]|&amp;)[A-Z]+)+"
    upper_name, vowel_name = _names()
    comma_words = "|".join([thing, dotted, words, capitals, upper_name])
    return [
        ("L&", rf"({words}){APOSTROPHE}(?:[sSmMdD]|(?i:re|ve|ll))"),
        ("L", rf"([A-Za-z]+)[nN](?:{APOSTROPHE}|{OPENING})[tT]"),
        *(("L", rf"(?i:({whole[:cut]}){whole[cut:]})") for whole, cut in SPLIT_WORDS.items()),
        *_known_words(),
        ("LD&", rf"((?:{comma_words})\.)[,;:、]"),
        ("L&\xad", rf"({words})"),
        ("L", rf"({_endings()}\.)[\s\S][\s\S]"),
        ("LD", rf"({thing})"),
        ("LD", rf"({dotted})"),
        ("LD", rf"({plain}(?:\\?/{plain}){{1,2}})"),
        ("L", rf"({capitals})"),
        ("L", r"([Cc]\+\+|[CcFf]#)"),
        ("L", r"([A-Z]+\$)"),
    ]


def _known_words() -> list[tuple[str, str]]:
    """Words with an apostrophe that are one token; some only with the straight one."""
    straight = "c'mon ev'ry nat'l nor'easter s'mores e'er".split()
    typographic = [w.replace("'", APOSTROPHE) for w in "cap'n c'est ol' dunkin' somethin' d' j' l'".split()]
    return [("L", rf"((?i:{'|'.join([*typographic, *straight])}))")]


def _names() -> tuple[str, str]:
    c = characters()
    upper = rf"[A-HJ-XZn](?:{APOSTROPHE}|{OPENING})[{c.letters}]{{2}}[{c.letters}]*"
    vowel = rf"[A-Za-z]+[aeiouyAEIOUY](?:{APOSTROPHE}|{OPENING})[aeiouA-Z][A-Za-z]*"
    return upper, vowel


def _apostrophes() -> list[tuple[str, str]]:
    c = characters()
    upper, vowel = _names()
    quotes = "'’\x92&"
    clitic = rf"{APOSTROPHE}(?:[sSmMdD]|(?i:re|ve|ll))"
    return [
        ("L", rf"({upper}|{vowel})"),
        ("L", rf"([yY]{APOSTROPHE})[{c.letters}]"),
        (quotes, rf"({APOSTROPHE}[nN]{APOSTROPHE}?|{APOSTROPHE}(?i:em|till?|cause))"),
        ("'", r"('[tT])(?i:is|was)"),
        ("L", rf"([nN](?:{APOSTROPHE}|{OPENING})[tT])"),
        (quotes, rf"({clitic})[^A-Za-z]"),
        (quotes, rf"({APOSTROPHE}[2-9]0[sS])"),
        (quotes, rf"({APOSTROPHE}[0-9][0-9])[{SPACE}\n]"),
        ("'", r"(')[A-Za-z][^ \t\n]"),
        (quotes, rf"({clitic})"),
    ]


def _abbreviations() -> list[tuple[str, str]]:
    c = characters()
    starts = "|".join(rf"{re.escape(w[0])}(?i:{re.escape(w[1:])})" for w in SENTENCE_STARTS)
    digit = f"[{c.digits}]"
    acronym = r"(?:[A-Za-z](?:\.[A-Za-z])+)"
    kept = rf"(?:{_any(TITLES, 'i')}|{_lower_tail(LOWER_TAIL_TITLES)})"
    file_name = rf"[{c.letters}{c.marks}{c.digits}]+(?:\.[{c.letters}{c.marks}{c.digits}]+)*\.{_any(FILE_TYPES, 'i')}"
    return [
        ("LD", rf"((?:[A-Za-z0-9][A-Za-z0-9.,]*(?:-[A-Za-z0-9]+)*-)?{acronym}\.)"),
        ("L", rf"((?:{_endings()}|{kept})\.)"),
        ("L", rf"([A-Za-z])\.[{SPACE}\n]+(?:{starts})[{SPACE}\n]"),
        ("L", r"([A-Za-z]\.)"),
        ("L", rf"({_any(BEFORE_NUMBERS, 'i')}\.)[{SPACE}\n]?{digit}"),
        ("LD", rf"({file_name})[{SPACE}\n.,!?]"),
    ]


def _numbers() -> list[tuple[str, str]]:
    digit = f"[{characters().digits}]"
    number = rf"(?:{digit}*(?:[.,:\u2044\u066b\u066c\xad]{digit}+)+|{digit}+)"
    gap = r"[- \xa0]"
    phone = (
        rf"(?:\([0-9]{{2,3}}\)[ \xa0]?|(?:\+\+?)?(?:[0-9]{{2,4}}{gap})?[0-9]{{2,4}}{gap})"
        rf"[0-9]{{3,4}}{gap}?[0-9]{{3,5}}"
    )
    dotted_phone = r"\+\+?(?:[0-9]{2,4}\.)?[0-9]{2,4}\.[0-9]{3,4}\.[0-9]{3,5}"
    return [
        ("D.,:\u2044\u066b\u066c\xad+-", rf"([-+]?{number})"),
        ("D", rf"((?:{digit}{{1,4}}{gap})?{digit}{{1,4}}(?:\\?/|\u2044){digit}{{1,4}})"),
        ("D(+", rf"({phone}|{dotted_phone})"),
    ]


def _addresses() -> list[tuple[str, str]]:
    c = characters()
    name = r"[A-Za-z][A-Za-z0-9_:.-]*"
    attribute = r"""(?:[A-Za-z][A-Za-z0-9_:.-]*)? *= *(?:"[^"\n]*"|'[^'\n]*')"""
    path = rf'/[^ \t\n"<>|()]+[^{NO_URL}.,!?-]'
    inner = r'[^ \t\n\xa0"<>|(){}]'
    label = r'[^ \t\n\xa0"<>|(){}.]'
    return [
        ("<", rf"(<(?:{name}(?: +{name}| +{attribute})* */?|/{name} *|[!?][A-Za-z-][^>\n]*)>)"),
        ("L", rf"((?i:https?)://[^{NO_URL}]+[^{NO_URL}.,!?-])"),
        ("L", rf'((?i:www)\.(?:[^{SPACE}\n"<>|.!?(){{}},]+\.)+[A-Za-z]{{2,4}}(?:{path[1:] if False else path})?)'),
        ("", rf"((?:[^ \t\n!\"$'(),-_`{{|}}]+\.)+(?i:com|net|org|edu)(?:{path})?)"),
        ("LD<", rf"(<?[A-Za-z0-9]{inner}*@(?:{label}+\.)*{label}+>?)"),
        ("@", r"(@[A-Za-z_][A-Za-z_0-9]*)"),
        ("#", rf"(#(?:[{c.letters}{c.marks}]|{ACCENTED})+)"),
    ]


def _marks() -> list[tuple[str, str]]:
    face = r"[-^x=~<>']"
    return [
        ("&", r"(&(?:(?i:lt|gt|amp|quot|nbsp|apos|[mn]dash)|#[0-9]+|[aeiouAEIOU](?:acute|grave|uml));)"),
        ("<>:;=", r"([<>]?[:;=][-o*']?[()DPdpO@|\\{\[\]])[^A-Za-z0-9]"),
        ("L-^=~<>'", rf"({face}_{face})"),
        ("(", rf"(\({face}[_.-]?{face}\))"),
        ("-", r"(-(?i:[lr][rcs]b)-)"),
        (QUOTES, rf"([{QUOTES}]{{1,2}})"),
        ("'", r"(''?)"),
        ("!?", r"([!?]+)"),
        ("-", r"(-+)"),
        (".", r"(\.{3,5}|\.(?:[ \xa0]\.){2,4})"),
        ("*_#@", r"(\*+|_+|#{2,}|@{2,})"),
        ("<>", r"(<<|>>)"),
        ("\\", r"(\\\*)"),
    ]


def _any(words: list[str], flags: str = "") -> str:
    alternatives = "|".join(sorted(map(re.escape, words), key=len, reverse=True))
    return rf"(?{flags}:{alternatives})"


def _endings() -> str:
    return rf"(?:{_any(ENDINGS, 'i')}|{_capitalised(CAPITALISED_ENDINGS)}|{_lower_tail(LOWER_TAIL_ENDINGS)})"


def _capitalised(words: list[str]) -> str:
    return "(?:" + "|".join(rf"{w[0]}(?i:{w[1:]})" for w in words) + ")"


def _lower_tail(words: list[str]) -> str:
    return "(?:" + "|".join(rf"[{w[0]}{w[0].upper()}]{w[1:]}" for w in words) + ")"
