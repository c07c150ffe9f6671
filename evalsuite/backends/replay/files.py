"""Files of predictions in the forms people have them: JSON lines, CSV, Parquet, COCO and VQA results, id -> text; and
the sample logs of other harnesses (:mod:`evalsuite.backends.replay.sample_logs`)."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from evalsuite.backends.endings import ending
from evalsuite.backends.replay.sample_logs import harness_fields, is_harness_record, is_vlmevalkit_record
from evalsuite.errors import DataError, UsageError
from evalsuite.files.lines import json_lines, lines_of
from evalsuite.types import ENDINGS

ID_FIELDS = ("id", "example_id", "image_id", "question_id", "questionId", "filename")
TEXT_FIELDS = ("text", "prediction", "caption", "answer", "output", "html", "generated_text")
LONGEST_TEXT = 1 << 20
"""Characters of a prediction. A page of HTML has some 100,000; edit distances take the square."""

MAX_RECORD, MAX_DOCUMENT = 1 << 26, 1 << 29
"""Most characters of a line, and of a JSON document that is read whole."""

FORMATS = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Fields:
    """Names of the columns that hold id and text; None: recognised among ID_FIELDS and TEXT_FIELDS."""

    id: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """One prediction as it stands in a file. task and split are "" where the file has not both columns.

    ended: why it ended, where a column ``finish_reason`` (a server's word) or ``ended`` (ours) says it.
    """

    id: str
    text: str
    task: str = ""
    split: str = ""
    ended: str | None = None


def read_predictions(path: Path, fields: Fields) -> Iterator[Line]:
    """The predictions of one file, in its order. A null text is no prediction and is left out.

    Raises UsageError when the file or its columns are not what was asked for, DataError for a wrong row.
    """
    try:
        yield from _read(path, fields)
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file of predictions (--predictions FILE)") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not UTF-8 text ({error.reason} at byte {error.start})") from error
    except (OSError, EOFError, MemoryError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def file_digest(path: Path) -> str:
    """SHA-256 of the file, as it lies on disk."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read(path: Path, fields: Fields) -> Iterator[Line]:
    suffix = Path(path.name.removesuffix(".gz")).suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        records: Iterable[tuple[str, Any]] = _json_lines(path)
    elif suffix in (".csv", ".tsv"):
        records = _separated(path, "\t" if suffix == ".tsv" else ",")
    elif suffix == ".parquet":
        records = _parquet(path, fields)
    elif suffix == ".json":
        data = _json(path)
        if isinstance(data, dict | _Pairs):
            yield from _mapping(path, data)
            return
        records = _json_array(path, data)
    else:
        raise UsageError(f"{path}: unknown kind of file {suffix!r}. Known: {', '.join(FORMATS)}, each also with .gz")
    yield from _lines(path, records, fields)


# --- records of each format, each with the place it stands at ------------------------------------------------------


class _Pairs(list[tuple[str, Any]]):
    """A JSON object in which a key occurs twice; ``dict`` would keep the last one silently."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any] | _Pairs:
    found = dict(pairs)
    return found if len(found) == len(pairs) else _Pairs(pairs)


def _open_text(path: Path) -> IO[str]:
    if path.name.endswith(".gz"):
        return gzip.open(path, "rt", encoding="utf-8-sig", newline="")
    return path.open(encoding="utf-8-sig", newline="")


def _json(path: Path) -> Any:
    with _open_text(path) as file:
        text = file.read(MAX_DOCUMENT + 1)
        if len(text) > MAX_DOCUMENT:
            raise DataError(f"{path}: a JSON document of more than {MAX_DOCUMENT >> 20} MB; write it as .jsonl")
        try:
            return json.loads(text, object_pairs_hook=_object)
        except json.JSONDecodeError as error:
            hint = ". If it has one JSON object per line, name it .jsonl" if error.msg == "Extra data" else ""
            raise DataError(f"{path}: line {error.lineno} is not JSON ({error.msg}){hint}") from error
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}: is not JSON ({error})") from error


def _json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    with _open_text(path) as file:
        for number, record in json_lines(file, path, MAX_RECORD, _object):
            yield f"line {number}", record


def _json_array(path: Path, data: Any) -> Iterator[tuple[str, Any]]:
    if not isinstance(data, list):
        raise DataError(f"{path}: expected an array of records or an object id -> text, found {type(data).__name__}")
    for number, record in enumerate(data, 1):
        yield f"record {number}", record


def _mapping(path: Path, data: dict[str, Any] | _Pairs) -> Iterator[Line]:
    """An object id -> text."""
    for key, value in data.items() if isinstance(data, dict) else data:
        text = _text(value, f"{path}: entry {key!r}")
        if text is not None:
            yield Line(key, text)


def _separated(path: Path, delimiter: str) -> Iterator[tuple[str, Any]]:
    # A page of HTML in one cell is longer than the csv module's default limit of 128 KiB.
    csv.field_size_limit(max(csv.field_size_limit(), MAX_RECORD))
    with _open_text(path) as file:
        reader = csv.DictReader(lines_of(file, path, MAX_RECORD), delimiter=delimiter, strict=True)
        try:
            for record in reader:
                if None in record or None in record.values():
                    raise DataError(f"{path}: line {reader.line_num} has not as many cells as the header")
                yield f"line {reader.line_num}", record
        except csv.Error as error:
            raise DataError(f"{path}: line {reader.line_num} is not CSV ({error})") from error


def _parquet(path: Path, fields: Fields) -> Iterator[tuple[str, Any]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
        names = file.schema_arrow.names
        wanted = [_column(path, names, fields.id, "id"), _column(path, names, fields.text, "text")]
        wanted += [name for name in ("task", "split", "finish_reason", "ended") if name in names]
        number = 0
        for batch in file.iter_batches(columns=wanted):
            for record in batch.to_pylist():
                number += 1
                yield f"row {number}", record
    except pa.ArrowException as error:
        raise DataError(f"{path}: cannot be read as Parquet ({error})") from error


# --- from records to lines -----------------------------------------------------------------------------------------


def _lines(path: Path, records: Iterable[tuple[str, Any]], fields: Fields) -> Iterator[Line]:
    id_field = text_field = None
    for place, record in records:
        where = f"{path}: {place}"
        if not isinstance(record, Mapping):
            problem = "has a key twice" if isinstance(record, _Pairs) else f"is {type(record).__name__}, not an object"
            raise DataError(f"{where} {problem}")
        if is_harness_record(record):
            id_, answer = harness_fields(record, fields.id, ID_FIELDS, where)
            text = _text(answer, f"{where}, field 'resps'")
            if text is not None:
                yield Line(_id(id_, where), text, ended=_ended(record))
            continue
        if id_field is None or text_field is None:
            id_field = _column(path, list(record), fields.id, "id")
            text_field = _column(path, list(record), fields.text, "text")
        for name in (id_field, text_field):
            if name not in record:
                raise DataError(f"{where} has no field {name!r}; it has {listed(list(map(repr, record)))}")
        text = _text(record[text_field], f"{where}, field {text_field!r}")
        if text is not None:
            id_ = _id(record[id_field], f"{where}, field {id_field!r}")
            named = "task" in record and "split" in record  # as exports of evalsuite have; one alone may mean anything
            task, split = (str(record[name] or "") if named else "" for name in ("task", "split"))
            yield Line(id_, text, task, split, _ended(record))


def _ended(record: Mapping[str, Any]) -> str | None:
    own = record.get("ended")
    return own if own in ENDINGS else ending(record.get("finish_reason"))


def _column(path: Path, columns: Sequence[str], chosen: str | None, role: str) -> str:
    """The column that holds the id or the text. Raises UsageError that lists the columns when it is not plain."""
    option = f"--option {role}_field=NAME"
    if chosen is None and is_vlmevalkit_record(columns):
        chosen = "index" if role == "id" else "prediction"
    listed = ", ".join(map(repr, columns))
    if chosen is not None:
        if chosen not in columns:
            raise UsageError(f"{path}: no column {chosen!r} ({option}). Columns: {listed}")
        return chosen
    found = [name for name in (ID_FIELDS if role == "id" else TEXT_FIELDS) if name in columns]
    if len(found) == 1:
        return found[0]
    if found:
        both = " and ".join(map(repr, found))
        raise UsageError(f"{path}: {both} may each hold the {role}; choose with {option}. Columns: {listed}")
    known = ", ".join(ID_FIELDS if role == "id" else TEXT_FIELDS)
    raise UsageError(f"{path}: no column that holds the {role} ({known}); name it with {option}. Columns: {listed}")


def _id(value: Any, where: str) -> str:
    """Ids compare as text: 5, 5.0 (a whole number in a float column) and "5" are one id, "05" is another."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise DataError(f"{where}: an id is text or a whole number, found {value!r}")
    return str(value)


def _text(value: Any, where: str) -> str | None:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:
        raise DataError(f"{where}: a prediction of {len(value):,} characters; at most {LONGEST_TEXT:,}")
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise DataError(f"{where}: a prediction is text, found {_shorten(value)}")


def _shorten(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= 60 else f"{shown[:57]}..."


def listed(ids: Sequence[str]) -> str:
    """A few ids for a message: ``a, b, … (12 in all)``."""
    shown = ", ".join(ids[:_SHOWN])
    return shown if len(ids) <= _SHOWN else f"{shown}, … ({len(ids)} in all)"
