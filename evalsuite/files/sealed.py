"""JSON files that carry a digest of their own: what was changed since it was written is named, never taken as right.

The digest stands under ``digest`` and is over what the file says. A file that people keep in git may be formatted anew;
one that nobody edits must have our form too (``exact``), so that no bit of it changes unseen. A key that stands twice
makes a file unreadable, as readers differ in which of the two they take.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.errors import EvalsuiteError, StoreError, caution
from evalsuite.files.writing import json_text, write_atomically

DIGEST = "digest"
NO_DIGEST = "carries no digest, so that nothing shows whether it was changed since it was written"
_FORM = "sha256:"
_WHOLE = 1 << 53
"""Up to here a float that is a whole number is that number, however a program writes it."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a file holds, without its digest.

    document: of any form; whoever reads it knows which. problem: what is wrong with the digest, "" when it fits;
    is_old: whether there is none.
    """

    path: Path
    document: Any
    problem: str = ""
    is_old: bool = False

    def check(self, way_out: str, kind: type[EvalsuiteError] = StoreError, old: str = "") -> None:
        """Raise ``kind`` for a file that was changed since it was written; ``way_out`` says what to do then.

        old: what is said, once, of a file without digest; "" when such a one is refused as well.
        """
        if self.problem:
            raise kind(f"{self.path}: {self.problem}; {way_out}")
        if self.is_old and not old:
            raise kind(f"{self.path}: {NO_DIGEST}; {way_out}")
        if self.is_old:
            caution(old)


def write_sealed(
    path: Path, document: Mapping[str, Any], free: Collection[str] = (), *, allow_nan: bool = False
) -> None:
    """Replace ``path`` by an object and its digest, whole or not at all.

    free: keys of the object that may be edited. Raises StoreError when it cannot be written.
    """
    plain = json_text(document, allow_nan=allow_nan)
    sealed = {**json.loads(plain), DIGEST: _digest(plain, free)}
    write_atomically(path, json_text(sealed, allow_nan=allow_nan))


def read_sealed(path: Path, free: Collection[str] = (), *, exact: bool = False) -> Sealed:
    """What is in the file, and whether it is what was written.

    free: as it was written with. exact: the form must be the writer's too. Raises OSError, ValueError or RecursionError
    (:data:`evalsuite.errors.UNREADABLE`) for what cannot be read as JSON.
    """
    text = path.read_bytes().decode("utf-8")
    document = json.loads(text, object_pairs_hook=_once)
    if not isinstance(document, dict):
        return Sealed(path, document, is_old=True)
    noted = document.pop(DIGEST, None)
    if noted is None:
        moved = any(isinstance(value, str) and value.startswith(_FORM) for value in document.values())
        return Sealed(path, document, "the name of its digest was changed or damaged" if moved else "", not moved)
    fits = noted == _digest(text, free)
    if not fits or (exact and text != json_text({**document, DIGEST: noted})):
        return Sealed(path, document, "was changed or damaged after it was written (its digest does not fit)")
    return Sealed(path, document)


def digest_of(data: bytes) -> str:
    """The digest of a whole file that cannot carry its own."""
    return _FORM + hashlib.sha256(data).hexdigest()


def _digest(text: str, free: Collection[str]) -> str:
    """Of what an object says: order of keys, spaces and the form of whole numbers do not count."""
    said = json.loads(text, parse_float=_number)
    covered = {name: value for name, value in said.items() if name not in (DIGEST, *free)}
    return digest_of(json.dumps(covered, sort_keys=True, separators=(",", ":")).encode())


def _number(text: str) -> float | int:
    value = float(text)
    return int(value) if value.is_integer() and abs(value) <= _WHOLE else value


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r:.80} stands twice in one object")
    return found
