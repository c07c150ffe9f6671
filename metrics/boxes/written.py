"""Boxes and texts in what a model writes: PaliGemma's location tokens, or a JSON list.

PaliGemma writes a box as four tokens ``<locY1><locX1><locY2><locX2>``, its text after it, and `` ; `` between objects::

    <loc0120><loc0033><loc0510><loc0400> cat ; <loc0007><loc0500><loc0900><loc1023> dining table

(its paper's detection format, https://arxiv.org/abs/2407.07726; that of text spotting is unpublished and taken to be
the same). Both readers skip what they cannot read and count the skipped pieces.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from evalsuite.metrics.base import Answer, Array

LOCATIONS = 1024
GEMMA_SEPARATORS = (2161, 235248, 235289)
"""Gemma's token ids of the pieces ``" ;"``, ``" "`` and ``";"``."""

MAX_COORDINATE = 1e9  # beyond it areas lose the precision that a comparison of overlaps needs
_BOX_TOKENS = 4
_RUN = re.compile(r"((?:<loc\d{4}>)+)(?:<seg\d{3}>)*", re.ASCII)
_LOCATION = re.compile(r"<loc(\d{4})>", re.ASCII)
_CONTROL_IDS = (0, 1)  # padding and end of sequence


@dataclass(frozen=True, slots=True)
class LocatedText:
    """One object of an answer.

    box: y1, x1, y2, x2 in 0..1023. first: place of y1 among the location tokens of the answer.
    """

    box: tuple[int, int, int, int]
    text: str
    first: int


def parse_located_texts(text: str, *, text_first: bool = False) -> tuple[list[LocatedText], int]:
    """The objects of an answer in location tokens, and how many pieces could not be read.

    Not readable are: runs of other than four location tokens, tokens above 1023, half tokens, text without a box.

    text_first: the text precedes its box, ``cat <loc0120>... ; dog <loc0007>...``.

    >>> parse_located_texts("<loc0001><loc0002><loc0300><loc1023> a cat ; <loc0001><loc0002> dog")
    ([LocatedText(box=(1, 2, 300, 1023), text='a cat', first=0)], 1)
    """
    runs = list(_RUN.finditer(text))
    if not runs:
        return [], int(bool(text.strip()))
    edges = [0, *(edge for run in runs for edge in run.span()), len(text)]
    between = [text[edges[k] : edges[k + 1]] for k in range(0, len(edges), 2)]  # before, between and after the runs
    objects, malformed, first = [], 0, 0
    for place, run in enumerate(runs):
        tokens = [int(number) for number in _LOCATION.findall(run[1])]
        if text_first:
            label, broken = _clean(between[place], place > 0, False)
        else:
            label, broken = _clean(between[place + 1], False, place + 1 < len(runs))
        malformed += broken
        if len(tokens) == _BOX_TOKENS and max(tokens) < LOCATIONS:
            objects.append(LocatedText((tokens[0], tokens[1], tokens[2], tokens[3]), label, first))
        else:
            malformed += 1
        first += len(tokens)
    outside = between[-1] if text_first else between[0]
    return objects, malformed + bool(outside.strip(" ;\n\t"))


def _clean(text: str, after_separator: bool, before_separator: bool) -> tuple[str, int]:
    """A text without the ``;`` that parts it from its neighbour, and 1 if a broken location token was cut off it."""
    cut = text.find("<loc")
    label = (text if cut < 0 else text[:cut]).strip()
    if after_separator and (label == ";" or (label[:1] == ";" and label[1:2].isspace())):
        label = label[1:].lstrip()
    # At the very end a lone ";" may be a text, "word ;" can only be a separator.
    elif label[-1:] == ";" and (label[-2:-1].isspace() or (label == ";" and (before_separator or cut >= 0))):
        label = label[:-1].rstrip()
    return label, int(cut >= 0)


def parse_json_list(text: str) -> tuple[list[Any], int] | None:
    """The elements of a JSON list and how many pieces could not be read; None if the text does not begin like a list.

    A Markdown fence around the list is ignored. Of a list that is cut off, the complete elements count.

    >>> parse_json_list('[{"a": 1}, {"a": 2')
    ([{'a': 1}], 1)
    """
    body = text.strip()
    if body.startswith("```"):
        body = body.partition("\n")[2].removesuffix("```").strip()
    if not body.startswith("["):
        return None
    try:
        whole = json.loads(body)
        return whole, 0
    except (ValueError, RecursionError):
        return _elements(body)


def _elements(body: str) -> tuple[list[Any], int]:
    """The elements of a broken list, up to where it breaks."""
    decoder, position = json.JSONDecoder(), 1
    found: list[Any] = []
    while True:
        while position < len(body) and body[position] in " \t\r\n,":
            position += 1
        if position >= len(body) or body[position] == "]":
            return found, 1
        try:
            element, position = decoder.raw_decode(body, position)
        except (ValueError, RecursionError):
            return found, 1
        found.append(element)


def finite_numbers(values: Any, count: int) -> tuple[float, ...] | None:
    """``values`` as floats if it is a list of ``count`` finite numbers of at most MAX_COORDINATE, else None."""
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != count:
        return None
    try:
        numbers = tuple(map(float, values))
    except (TypeError, ValueError, OverflowError):
        return None
    return numbers if all(-MAX_COORDINATE <= number <= MAX_COORDINATE for number in numbers) else None


def number_block(rows: Sequence[Any], *shape: int) -> Array | None:
    """``rows`` as an array (n, *shape) if all are lists of that shape with numbers as in finite_numbers, else None."""
    flat: Iterable[Any] = rows
    for length in shape:
        flat = list(flat)
        if not set(map(type, flat)) <= {list, tuple} or not set(map(len, flat)) <= {length}:
            return None
        flat = chain.from_iterable(flat)
    try:  # several times faster than an array of nested lists
        block = np.fromiter(flat, np.float64, len(rows) * math.prod(shape)).reshape(len(rows), *shape)
    except (TypeError, ValueError, OverflowError):
        return None
    return block if (np.abs(block) <= MAX_COORDINATE).all() else None  # the comparison is False for NaN


def text_log_probabilities(
    answer: Answer, objects: Sequence[LocatedText], separators: Collection[int] = GEMMA_SEPARATORS
) -> list[tuple[float, ...]] | None:
    """Log-probabilities of the tokens of each object's text; None if the answer's tokens cannot be told apart.

    The k-th location token of the text is the k-th of the token ids; their ids follow each other and are the highest
    that the answer uses, as in PaliGemma's vocabulary. What lies between an object's fourth location token and the next
    location token are the tokens of its text, without ``separators``, padding and end of sequence at their end.
    """
    ids, logs = answer.token_ids, answer.log_probabilities
    if not objects or ids is None or logs is None or len(ids) != len(logs):
        return None
    locations = [int(number) for number in _LOCATION.findall(answer.text)]
    first_id = max(ids, default=0) - max(locations)
    places = [place for place, token in enumerate(ids) if token >= first_id]
    if [ids[place] - first_id for place in places] != locations:
        return None
    ignored = {*separators, *_CONTROL_IDS}
    found = []
    for entry in objects:
        last = entry.first + _BOX_TOKENS - 1
        start, stop = places[last] + 1, places[last + 1] if last + 1 < len(places) else len(ids)
        while stop > start and ids[stop - 1] in ignored:
            stop -= 1
        found.append(tuple(logs[start:stop]))
    return found


def likelihood(log_probabilities: Sequence[float], *, mean: bool = False) -> float | None:
    """Probability of some tokens together, or its geometric mean per token; None for no tokens or a NaN.

    >>> round(likelihood([math.log(0.5), math.log(0.5)]), 9)
    0.25
    """
    if not log_probabilities:
        return None
    total = sum(log_probabilities) / (len(log_probabilities) if mean else 1)
    return None if math.isnan(total) else math.exp(min(total, 0.0))
