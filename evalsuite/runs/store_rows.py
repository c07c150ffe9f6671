"""A prediction as a row of the store, with a checksum over all of it, and back."""

from __future__ import annotations

import hashlib
import json
import re

from evalsuite.errors import StoreError
from evalsuite.types import ExampleKey, Prediction

MADE_UP = {"made_up_id": True}
"""Details of a row whose id is not the data's: the example has none, or shares it with another one."""

_ESCAPED = "surrogates:"
"""What a stored id begins with that SQLite could not hold as it is; an id that begins so itself is escaped as well."""

COLUMNS = "task, split, position, id, prompt, text, error, target, details, checksum"

Row = tuple[str, str, int, str, str, str, str | None, str, str, bytes]


def to_row(prediction: Prediction) -> Row:
    strata = {name: storable(value) for name, value in prediction.strata.items()}
    target = {"references": prediction.references, "strata": strata}
    key = prediction.key
    row = (
        key.task,
        key.split,
        prediction.position,
        storable_id(key.id),
        storable(prediction.prompt),
        storable(prediction.text),
        None if prediction.error is None else storable(prediction.error),
        json.dumps(target, separators=(",", ":")),
        json.dumps(dict(prediction.details), separators=(",", ":")) if prediction.details else "{}",
    )
    return (*row, _digest(row))


def to_prediction(row: Row) -> Prediction:
    """Raises StoreError for a row that no store writes, checksum or not."""
    task, split, position, id_, prompt, text, error, target, details, _ = row
    try:
        fields, facts = json.loads(target), json.loads(details)
        references, strata = fields["references"], fields["strata"]
    except (ValueError, RecursionError, KeyError, TypeError) as failure:
        raise StoreError(f"the row of {task}/{split}/{id_} cannot be read: {failure!r}") from failure
    if not (
        all(isinstance(value, str) for value in (id_, prompt, text, *_pairs(strata)))
        and isinstance(error, (str, type(None)))
        and isinstance(references, (list, type(None)))
        and isinstance(facts, dict)
    ):
        raise StoreError(f"the row of {task}/{split}/{id_} does not hold what a prediction is made of")
    return Prediction(ExampleKey(task, split, id_of(id_)), position, prompt, text, references, strata, error, facts)


def _pairs(strata: object) -> list[object]:
    """Names and values; something that is no text when it is no object."""
    return [part for pair in strata.items() for part in pair] if isinstance(strata, dict) else [None]


def checksum(row: Row) -> bytes:
    try:
        return _digest(row[:9])
    except UnicodeEncodeError:
        return b""


def _digest(fields: tuple[object, ...]) -> bytes:
    return hashlib.blake2b("\x1f".join(map(str, fields)).encode(), digest_size=8).digest()


def decode(raw: bytes) -> str:
    """Damaged bytes become lone surrogates, which no checksum fits: the row counts as damaged, not the file."""
    return raw.decode("utf-8", "surrogateescape")


def storable(text: str) -> str:
    """Text that SQLite can hold: lone surrogates, which are no characters, become U+FFFD."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def storable_id(id_: str) -> str:
    r"""An id as SQLite can hold it, different ones differently: halves of surrogate pairs are written as escapes.

    >>> half = "a\\b" + chr(0xD800)
    >>> storable_id("a\\b"), storable_id(half), id_of(storable_id(half)) == half
    ('a\\b', 'surrogates:a\\\\b\\ud800', True)
    """
    try:
        id_.encode()
        if not id_.startswith(_ESCAPED):
            return id_
    except UnicodeEncodeError:
        pass
    return _ESCAPED + id_.replace("\\", r"\\").encode("utf-8", "backslashreplace").decode()


def id_of(stored: str) -> str:
    """The id that is stored so."""
    if not stored.startswith(_ESCAPED):
        return stored
    escape = re.compile(r"\\(?:\\|u([0-9a-f]{4}))")
    return escape.sub(lambda found: chr(int(found[1], 16)) if found[1] else "\\", stored.removeprefix(_ESCAPED))
