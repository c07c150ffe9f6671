"""Caption tokens as the official caption scores use them, without Java.

Equal to the ``PTBTokenizer`` of coco-caption and pycocoevalcap 1.2 (Stanford CoreNLP 3.4.1 with ``-preserveLines
-lowerCase``, then single punctuation marks are removed). The official wrapper joins all captions of a call by line
feeds and runs one process; what that does to results is reproduced:

- the look-ahead of some rules crosses the line end (``vitamin C.`` before ``The dog`` is ``vitamin c``, elsewhere
  ``vitamin c.``), and the last caption of a call has nothing behind it (``we'll`` is ``we ll`` there);
- \\r, \\v, \\f, U+2028 and U+2029 inside a caption end a line for the tokenizer but not for the wrapper, which shifts
  all later captions of the call by one and loses the last.

Known to differ, each rare: soft hyphens (U+00AD) next to punctuation; strings that glue web addresses, abbreviations
and apostrophes together without spaces; a capital sigma at the end of a word behind a hyphen; ``n`` before ``n't``. A
lone surrogate, where the official wrapper fails, is dropped.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from evalsuite.metrics.captions.pieces import Pieces, pieces_between_spaces
from evalsuite.metrics.captions.ptb_rules import (
    ANY,
    BRACKETS,
    DIGITS,
    LETTERS_AND_MARKS,
    NORMALISED,
    SPLIT_WORDS,
    Rule,
    characters,
    rules,
    special_words,
)

__all__ = ["token_pieces", "tokenize", "tokenize_corpus"]

_LINE_END = re.compile("\r\n|[\n\r\x0b\x0c\u2028\u2029]")
_UNSEEN_LINE_END = re.compile("[\r\x0b\x0c\u2028\u2029]")  # those that the wrapper leaves in captions
_LOOK_AHEAD = 64  # characters behind a line that can matter to it
_SEEN_BEHIND = 2  # characters behind a chunk with which its tokens were found
_MEMO_SIZE = 200_000
_UNKNOWN = "\0"  # a token that holds this character itself is only found more slowly
_SINGLE_PUNCTUATION = frozenset(".,:;!?'`\"-")
_SPLIT = {pair.replace(" ", ""): pair for pair in SPLIT_WORDS}
_LAST_WORD = re.compile(r"[^A-Za-z]")
_WEB_SUFFIX = re.compile(r"\.(?:com|net|org|edu)", re.IGNORECASE)
# Digits may belong to a phone number or a fraction, "<" to a tag; a period may be a full stop or not.
_DEPENDS_ON_PLACE = re.compile(r"[\d<\s]|(?:^|[^A-Za-z])[A-Za-z]\.$|^\.+$")


def tokenize(text: str, following: str | None = None) -> str:
    """The tokens of one caption, lower-case and without single punctuation marks, joined by one space.

    following: the next caption of the call, whose start can matter; None: this is the last caption of the call.
    """
    text = _LINE_END.sub(" ", text)
    return _scan(text if following is None else f"{text}\n{following}", len(text))


def tokenize_corpus(captions: Sequence[str]) -> list[str]:
    """What one call of the official tokenizer gives for these captions, in their order."""
    return token_pieces(captions).sentences()


def token_pieces(captions: Sequence[str]) -> Pieces:
    """The tokens of :func:`tokenize_corpus`: a piece is what stood between two spaces, or a whole caption."""
    lines = [caption.replace("\n", " ") for caption in captions]
    call = "\n".join(lines)
    if _UNSEEN_LINE_END.search(call):
        lines = _LINE_END.split(call)
    chunks = pieces_between_spaces(lines[: len(captions)])
    texts = list(map(_MEMO.__getitem__, chunks.texts))
    dependent = chunks.sentences_with([_UNKNOWN in text for text in texts])
    # Behind the last caption of the call there is nothing.
    in_context = [line for line in sorted({*dependent, len(lines) - 1}) if 0 <= line < len(captions)]
    return chunks.rewritten(texts, {line: _in_context(lines, line) for line in in_context})


def _in_context(lines: list[str], number: int) -> str:
    behind, length = [lines[number]], 0
    for line in lines[number + 1 : number + 1 + _LOOK_AHEAD]:
        if length > _LOOK_AHEAD:
            break
        behind.append(line)
        length += len(line)
    return _scan("\n".join(behind), len(lines[number]))


class _Memo(dict[str, str]):
    """Tokens of what stands between two spaces; _UNKNOWN where they depend on the neighbours."""

    def __missing__(self, chunk: str) -> str:
        if len(self) > _MEMO_SIZE:
            self.clear()
        self[chunk] = tokens = _tokens_anywhere(chunk)
        return tokens


_MEMO = _Memo()


def _tokens_anywhere(chunk: str) -> str:
    simple = _plain_word().fullmatch(chunk)
    if simple:
        word, mark = simple[1].lower(), simple[2]
        if mark != "." or (len(word) > 1 and word not in _period_words()[0]):
            return _SPLIT.get(word, word)
    if _DEPENDS_ON_PLACE.search(chunk) or (
        chunk.endswith(".") and _LAST_WORD.split(chunk)[-2].lower() in _period_words()[1]
    ):
        return _UNKNOWN
    return _scan(chunk + " z", len(chunk), look_up=False)


@cache
def _plain_word() -> re.Pattern[str]:
    """Letters of any script, and a mark of punctuation behind them."""
    c = characters()
    return re.compile(f"([{c.letters}][{c.letters}{c.marks}]*)([.,;:!?]?)")


@cache
def _period_words() -> tuple[frozenset[str], frozenset[str]]:
    """Lower-case words that can keep a period behind them, and those that keep it before numbers only."""
    lists = special_words()
    endings = [*lists.endings, *lists.endings_capitalised, *lists.endings_lower_tail]
    numbers = frozenset(lists.before_numbers)
    return numbers.union(word.lower() for word in [*lists.titles, *lists.titles_lower_tail, *endings]), numbers


@cache
def _rules_for(character: str, web: bool) -> tuple[Rule, ...]:
    """The rules that can match at a character; ``web``: also those that can match at any."""
    c = characters()
    if re.match(f"[{c.letters}{c.marks}]", character):
        kind = LETTERS_AND_MARKS
    else:
        kind = DIGITS if re.match(f"[{c.digits}]", character) else character
    return tuple(rule for rule in rules() if (web if rule.starts == ANY else kind in rule.starts))


@cache
def _alone(character: str) -> str:
    """The token of a character that no rule begins with; "" if it is dropped."""
    if character in BRACKETS or character in NORMALISED:
        return BRACKETS.get(character) or NORMALISED[character]
    if "!" <= character <= "~":
        return "" if character in _SINGLE_PUNCTUATION else character.lower()
    return character.lower() if re.match(f"[{characters().symbols}]", character) else ""


def _scan(text: str, end: int, look_up: bool = True) -> str:
    """The tokens that begin before ``end``. look_up: do not scan chunks whose tokens are the same in every place."""
    web = _WEB_SUFFIX.search(text) is not None
    tokens = []
    in_vain = [0] * len(rules())
    stripped, position = True, 0
    while position < end:
        start = position
        known = _known_chunk(text, position, end) if look_up else None
        if known is not None:
            token, position = known
        else:
            token, position = _next_token(text, position, web, in_vain)
        if token:
            tokens.append(token)
        if not text[start].isspace():
            stripped = bool(token)
    line = " ".join(tokens)
    return line.rstrip() if stripped else line  # the official wrapper strips the line before it drops marks


def _known_chunk(text: str, position: int, end: int) -> tuple[str, int] | None:
    """The tokens of the chunk that begins here and the place behind it; None where no chunk begins, or unknown."""
    if position > 0 and text[position - 1] != " ":
        return None
    stop = text.find(" ", position, end)
    stop = end if stop < 0 else stop
    if stop == position or stop + _SEEN_BEHIND > len(text):
        return None
    tokens = _MEMO[text[position:stop]]
    # A space is no token.
    return None if _UNKNOWN in tokens else (tokens, min(stop + 1, end))


def _next_token(text: str, position: int, web: bool, in_vain: list[int]) -> tuple[str, int]:
    """The token that begins here, "" if it is dropped, and the place behind it.

    in_vain: for each rule the place before which it cannot match; what is found out is written down.
    """
    longest, stop, render = 0, 0, None
    for rule in _rules_for(text[position], web):
        if position < in_vain[rule.number]:
            continue
        match = rule.pattern.match(text, position)
        if match is None:
            continue
        if match.end(1) < 0:
            in_vain[rule.number] = match.end()
        elif match.end() > longest:
            longest, stop, render = match.end(), match.end(1), rule.render
    if render is None:
        return _alone(text[position]), position + 1
    return render(text[position:stop]), stop
