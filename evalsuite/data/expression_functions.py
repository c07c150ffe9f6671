"""The functions that expressions may call besides JMESPath's own (``FUNCTIONS`` of ``expressions`` is the list).

text(x)               as the prompt shows it: 5 and 5.0 -> "5", true -> "True"
lower(x)              lower case, of a text or of each text of a list
strip(x)              without white space at both ends, of a text or of each text of a list
padded(x, width)      a number with zeros before it, as in COCO's file names: 5 -> "000000000005"
replace(x, old, new)  every ``old`` in the text replaced
split(x, separator)   the parts of a text
at(list, index)       one element; the index may be text ("2"), as some data sets store it; from 0
items(x)              a list as it is; a list written as text ("['a', 'b']") read
unique(list)          without repetitions, first places kept
any_order(list)       each "a, b" of the list in every order of its parts (InfographicVQA's rule)
value(object, name)   what an object holds under a name that is itself a value
letter(index)         0 -> "A"
lettered(list)        ["x", "y"] -> ["(A) x", "(B) y"]
corners(box)          [x, y, width, height] -> [x1, y1, x2, y2]
shares(box, size)     [x1, y1, x2, y2] in pixels of an image of [height, width] -> shares of its sides
named_boxes(boxes, numbers, names)  {bbox, category} of each box, whose class is a number from 1 into the names
image_size(image)     [height, width] in pixels, from the header alone where there is one
"""

from __future__ import annotations

import ast
import itertools
import json
from collections.abc import Callable, Mapping
from typing import Any

MAX_PERMUTED_PARTS = 6

LONGEST_TEXT, WIDEST = 1 << 20, 100
"""Characters that replace and join may make; those that padded may."""

LONGEST_CLASS_NAME = 1_000
MOST_UNIQUE_OBJECTS = 1_000
"""Lists and objects that ``unique`` compares with one another."""

LONGEST_LIST_AS_TEXT = 1 << 20
"""Characters of a list written as text that ``items`` reads."""


def text(value: Any) -> str:
    """A value as prompts and ids show it. Raises ValueError for None, NaN, lists and objects.

    >>> text(5.0), text(True), text("no")
    ('5', 'True', 'no')
    """
    if isinstance(value, str):
        return value
    if isinstance(value, float):
        if value != value:
            raise ValueError("the value is not a number (NaN)")
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, int):
        return str(value)
    raise ValueError(f"a text or number is needed, not {_kind(value)}")


def _each(function: Callable[[str], str]) -> Callable[[Any], Any]:
    def apply(value: Any) -> Any:
        return [function(text(item)) for item in value] if isinstance(value, list) else function(text(value))

    return apply


def _at(values: Any, index: Any) -> Any:
    place = int(text(index))
    values = _list(values)
    if not 0 <= place < len(values):
        raise ValueError(f"there is no element {place} in a list of {len(values)}")
    return values[place]


def _items(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    if len(text(value)) > LONGEST_LIST_AS_TEXT:
        raise ValueError(f"a list of more than {LONGEST_LIST_AS_TEXT:,} characters, written as text")
    for read in (json.loads, ast.literal_eval):  # literals only; neither runs anything
        try:
            found = read(text(value))
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(found, list):
            return found
    raise ValueError(f"{str(value)[:60]!r} is not a list")


def _any_order(answers: Any) -> list[str]:
    orders: dict[str, None] = {}
    for answer in map(text, _list(answers)):
        parts = answer.split(", ")
        # Beyond a handful of parts the orders run into thousands; such an answer is kept as written.
        if len(parts) > MAX_PERMUTED_PARTS:
            orders[answer] = None
        else:
            orders.update(dict.fromkeys(map(", ".join, itertools.permutations(parts))))
    return list(orders)


def _unique(values: Any) -> list[Any]:
    kept: list[Any] = []
    seen: set[Any] = set()
    objects: list[Any] = []  # no hash: each is compared with all before it
    for value in _list(values):
        plain = not isinstance(value, (list, dict))
        if value in (seen if plain else objects):
            continue
        if plain:
            seen.add(value)
        else:
            objects.append(value)
        if len(objects) > MOST_UNIQUE_OBJECTS:
            raise ValueError(f"more than {MOST_UNIQUE_OBJECTS} different lists or objects")
        kept.append(value)
    return kept


def _letter(index: Any) -> str:
    place = int(text(index))
    if not 0 <= place < 26:
        raise ValueError(f"there is no letter for index {place}")
    return chr(ord("A") + place)


def _lettered(values: Any) -> list[str]:
    return [f"({_letter(place)}) {text(value)}" for place, value in enumerate(_list(values))]


def _corners(box: Any) -> list[float]:
    left, top, width, height = _list(box)
    return [left, top, left + width, top + height]


def _shares(box: Any, size: Any) -> list[float]:
    left, top, right, bottom = _list(box)
    height, width = _list(size)
    return [left / width, top / height, right / width, bottom / height]


def _named_boxes(boxes: Any, numbers: Any, names: Any) -> list[dict[str, Any]]:
    pairs = zip(_list(boxes), _list(numbers), strict=True)
    return [{"bbox": box, "category": _class_name(names, number)} for box, number in pairs]


def _class_name(names: Any, number: Any) -> str:
    name = text(_at(names, int(text(number)) - 1))
    if len(name) > LONGEST_CLASS_NAME:
        raise ValueError(f"the name of a class has more than {LONGEST_CLASS_NAME} characters")
    return name


def _padded(value: Any, width: Any) -> str:
    if int(text(width)) > WIDEST:
        raise ValueError(f"a width of more than {WIDEST}")
    return text(value).zfill(int(text(width)))


def _replaced(value: Any, old: Any, new: Any) -> str:
    whole, part, other = text(value), text(old), text(new)
    _at_most(len(whole) + whole.count(part) * max(0, len(other) - len(part)))
    return whole.replace(part, other)


def _joined(separator: Any, values: Any) -> str:
    """JMESPath's own join, with a limit."""
    between, parts = text(separator), list(map(text, _list(values)))
    _at_most(sum(map(len, parts)) + len(between) * len(parts))
    return between.join(parts)


def _at_most(length: int) -> None:
    if length > LONGEST_TEXT:
        raise ValueError(f"gives a text of more than {LONGEST_TEXT:,} characters")


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"a list is needed, not {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    names = {"NoneType": "nothing", "list": "a list", "tuple": "a list", "dict": "an object", "bytes": "bytes"}
    return names.get(type(value).__name__, type(value).__name__)


PURE: Mapping[str, tuple[int, Callable[..., Any]]] = {
    "any_order": (1, _any_order),
    "at": (2, _at),
    "corners": (1, _corners),
    "items": (1, _items),
    "join": (2, _joined),
    "letter": (1, _letter),
    "lettered": (1, _lettered),
    "lower": (1, _each(str.lower)),
    "named_boxes": (3, _named_boxes),
    "padded": (2, _padded),
    "replace": (3, _replaced),
    "shares": (2, _shares),
    "split": (2, lambda value, separator: text(value).split(text(separator))),
    "strip": (1, _each(str.strip)),
    "text": (1, text),
    "value": (2, lambda record, name: record.get(text(name)) if isinstance(record, dict) else None),
    "unique": (1, _unique),
}
