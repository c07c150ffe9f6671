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
from evalsuite.files import lines

RecordDict = dict[str, Any]
Reader = Callable[[Path, frozenset[str] | None], Iterator[RecordDict]]

_COMPRESSED: Mapping[str, Callable[[Path, str], Any]] = {".gz": gzip.open, ".bz2": bz2.open}
MAX_RECORD = 1 << 27
"""Most bytes of a line and characters of a cell. Images written as base64 into TSV files take some megabytes."""

MAX_DOCUMENT = 1 << 31
"""Most bytes of a document that is read whole, unpacked. The largest annotation files have some 500 MB."""

MAX_UNPACKED_SHARE, FREELY_UNPACKED = 200, 1 << 26
"""A compressed file that gives more than so many bytes, and more than so many times its size, is a bomb: text gives
some ten times its size."""

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
        except (UnicodeDecodeError, EOFError, OSError, MemoryError, zlib.error) as error:
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
                return sum(not line.isspace() for line in lines.lines_of(file, self.path, MAX_RECORD))
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
        for number, value in lines.json_lines(file, path, MAX_RECORD):
            if not isinstance(value, dict):
                raise DataError(f"{path}:{number}: not an object, but {str(value)[:60]!r}")
            yield value


def json_document(path: Path, _columns: frozenset[str] | None) -> Iterator[RecordDict]:
    """One of: a list of objects; an object id -> object (each gets its key as ``id``, unless it has one); an object
    with exactly one list of objects, such as ``{"info": …, "data": […]}``; JSON lines under the wrong ending."""
    with open_binary(path) as file:
        first = file.readline(MAX_DOCUMENT)
        rest = read_whole(file, path)
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
    csv.field_size_limit(MAX_RECORD)
    with open_binary(path) as binary, io.TextIOWrapper(binary, "utf-8-sig", newline="") as text:
        rows = csv.reader(lines.lines_of(text, path, MAX_RECORD), delimiter=delimiter, strict=True)
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
    """The file's bytes, unpacked when it ends in .gz or .bz2. Reading on raises DataError when it is a bomb."""
    opener = _COMPRESSED.get(path.suffix.lower())
    if opener is None:
        return path.open("rb")
    return io.BufferedReader(_Unpacked(opener(path, "rb"), path), 1 << 16)


class _Unpacked(io.RawIOBase):
    """An unpacked stream that ends in a DataError where it gives too much for its size."""

    def __init__(self, stream: Any, path: Path) -> None:
        self._stream, self._path, self._given = stream, path, 0
        self._most = max(FREELY_UNPACKED, MAX_UNPACKED_SHARE * path.stat().st_size)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        self._given += len(data)
        if self._given > self._most:
            raise DataError(
                f"{self._path}: unpacks to more than {MAX_UNPACKED_SHARE} times its size, which no annotations do; "
                "unpack it yourself if you trust it"
            )
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


def read_whole(file: IO[bytes], path: Path) -> bytearray:
    """What is left of a file. Raises DataError beyond MAX_DOCUMENT bytes."""
    data = bytearray()
    while chunk := file.read(1 << 20):
        data += chunk
        if len(data) > MAX_DOCUMENT:
            raise DataError(f"{path}: a document of more than {MAX_DOCUMENT >> 20} MB; write its records as JSON Lines")
    return data


def _is_whole_object(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def parse_json(data: bytes | bytearray, path: Path) -> Any:
    """A whole JSON document. Raises DataError that names the file and the line."""
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}:{error.lineno}: not valid JSON: {error}") from None
    except (ValueError, RecursionError) as error:  # no text, a number of thousands of digits, thousands of levels
        raise DataError(f"{path}: not valid JSON: {error}") from None


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
