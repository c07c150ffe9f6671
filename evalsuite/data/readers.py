"""One reader per file format: a path in, records out. ``.gz`` and ``.bz2`` are unpacked on the fly."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from evalsuite.errors import DataError

RecordDict = dict[str, Any]
Reader = Callable[[Path, frozenset[str] | None], Iterator[RecordDict]]

_COMPRESSED: Mapping[str, Callable[[Path, str], Any]] = {".gz": gzip.open, ".bz2": bz2.open}
_CELL_LIMIT = 1 << 30  # base64 images in TSV files exceed the csv module's 128 kB
_BATCH = 64  # Parquet rows turned into objects at once; they may hold images


@dataclass(frozen=True, slots=True)
class RecordFile:
    """A file and the reader for its format."""

    path: Path
    reader: Reader

    def records(self, columns: frozenset[str] | None = None) -> Iterator[RecordDict]:
        """All records; ``columns`` limits what is read where the format can. Raises DataError naming file and line."""
        try:
            yield from self.reader(self.path, columns)
        except (UnicodeDecodeError, EOFError, OSError, zlib.error) as error:
            raise DataError(f"{self.path}: cannot be read: {error}") from error

    def column_names(self, first: Mapping[str, Any]) -> list[str]:
        """Every column of the file, given its first record (of which only some columns may have been read)."""
        if self.reader is parquet:
            return list(_parquet_file(self.path).schema_arrow.names)
        return list(first)

    def count(self) -> int:
        """Number of records, without keeping them."""
        if self.reader is parquet:
            return int(_parquet_file(self.path).metadata.num_rows)
        if self.reader is json_lines:
            with open_binary(self.path) as file:
                return sum(not line.isspace() for line in file)
        return sum(1 for _ in self.records(frozenset()))


def ending(path: Path) -> str:
    """``jsonl`` of ``val.jsonl`` and of ``val.jsonl.gz``."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return suffixes[-1].lstrip(".") if suffixes else ""


def stem(path: Path) -> str:
    """``val`` of ``val.jsonl`` and of ``val.jsonl.gz``."""
    name = Path(path.name)
    return Path(name.stem).stem if name.suffix.lower() in _COMPRESSED else name.stem


def json_lines(path: Path, _columns: frozenset[str] | None) -> Iterator[RecordDict]:
    """One object per line; empty lines are passed over."""
    with open_binary(path) as file:
        for number, line in enumerate(file, start=1):
            if not line.isspace():
                yield _object(line, f"{path}:{number}")


def json_document(path: Path, _columns: frozenset[str] | None) -> Iterator[RecordDict]:
    """One of: a list of objects; an object id -> object (each gets its key as ``id``, unless it has one); an object
    with exactly one list of objects, such as ``{"info": …, "data": […]}``; JSON lines under the wrong ending."""
    with open_binary(path) as file:
        first, rest = file.readline(), file.read()
    if rest.strip() and _is_whole_object(first):
        yield from json_lines(path, None)
        return
    document = parse_json(first + rest, path)
    rows = document if isinstance(document, list) else _rows_of_object(document, path)
    for place, row in enumerate(rows):
        if not isinstance(row, dict):
            raise DataError(f"{path}: element {place} is not an object, but {str(row)[:60]!r}")
        yield row


def comma_separated(path: Path, _columns: frozenset[str] | None) -> Iterator[RecordDict]:
    """The first line names the columns; every value is text."""
    return _separated(path, ",")


def tab_separated(path: Path, _columns: frozenset[str] | None) -> Iterator[RecordDict]:
    """As CSV, with tabs."""
    return _separated(path, "\t")


def parquet(path: Path, columns: frozenset[str] | None) -> Iterator[RecordDict]:
    """Row groups are read one after the other, and only the given columns of them."""
    file = _parquet_file(path)
    wanted = None if columns is None else [name for name in file.schema_arrow.names if name in columns]
    batches = file.iter_batches(batch_size=_BATCH, columns=wanted)
    while (batch := _next_batch(batches, path)) is not None:
        yield from batch.to_pylist()


READERS: Mapping[str, Reader] = {
    "jsonl": json_lines,
    "json": json_document,
    "csv": comma_separated,
    "tsv": tab_separated,
    "jsonlines": json_lines,
    "parquet": parquet,
}


def _separated(path: Path, delimiter: str) -> Iterator[RecordDict]:
    csv.field_size_limit(_CELL_LIMIT)
    with open_binary(path) as binary, io.TextIOWrapper(binary, "utf-8-sig", newline="") as text:
        rows = csv.reader(text, delimiter=delimiter, strict=True)
        try:
            header = next(rows, None)
            if header is None:
                raise DataError(f"{path}: the file is empty; its first line should name the columns")
            for row in rows:
                if len(row) == len(header):
                    yield dict(zip(header, row, strict=True))
                elif row:
                    raise DataError(f"{path}:{rows.line_num}: {len(row)} values for {len(header)} columns")
        except csv.Error as error:
            raise DataError(f"{path}:{rows.line_num}: {error}") from None


def _parquet_file(path: Path) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path)
    except pyarrow.ArrowInvalid as error:
        raise DataError(f"{path}: not a Parquet file: {error}") from None


def _next_batch(batches: Iterator[Any], path: Path) -> Any:
    import pyarrow

    try:
        return next(batches, None)
    except pyarrow.ArrowException as error:
        raise DataError(f"{path}: broken Parquet file: {error}") from None


def open_binary(path: Path) -> IO[bytes]:
    """The file's bytes, unpacked when it ends in .gz or .bz2."""
    opener = _COMPRESSED.get(path.suffix.lower())
    file: IO[bytes] = opener(path, "rb") if opener else path.open("rb")
    return file


def _object(line: bytes, place: str) -> RecordDict:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{place}: not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise DataError(f"{place}: not an object, but {str(value)[:60]!r}")
    return value


def _is_whole_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def parse_json(data: bytes, path: Path) -> Any:
    """A whole JSON document. Raises DataError that names the file and the line."""
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not valid JSON: {error}") from None


def _rows_of_object(document: Any, path: Path) -> list[Any]:
    if not isinstance(document, dict):
        raise DataError(f"{path}: neither a list of objects nor an object, but {str(document)[:60]!r}")
    if document and all(isinstance(value, dict) for value in document.values()):
        return [{"id": key, **value} for key, value in document.items()]
    filled = {name: value for name, value in document.items() if isinstance(value, list) and value}
    lists = [name for name, value in filled.items() if isinstance(value[0], dict)]
    if len(lists) != 1:
        raise DataError(f"{path}: which list holds the records? Lists of objects in it: {', '.join(lists) or 'none'}")
    rows: list[Any] = document[lists[0]]
    return rows
