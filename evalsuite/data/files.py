"""Records from local files: JSON lines, JSON, CSV, TSV, Parquet, and the formats that benchmarks come in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from evalsuite.data.expressions import Columns
from evalsuite.data.fingerprints import file_digests
from evalsuite.data.formats import RECORDS, load_format
from evalsuite.data.readers import READERS, RecordFile, ending, stem
from evalsuite.errors import DataError, did_you_mean
from evalsuite.types import JsonValue, Record

if TYPE_CHECKING:
    from evalsuite.specs.parts import FilesLookup
    from evalsuite.specs.parts import FilesSource as FilesSpec

SOURCE_FILE, SOURCE_PATH = "source_file", "source_path"
ANY_COLUMN = Columns(None, frozenset())


class FilesSource:
    """The splits of one task below a folder.

    A split is the files that ``files.splits`` names (globs allowed, sorted by name), else ``<split>.<ending>`` or
    ``<split>-*-of-*.<ending>``. Every record gets ``source_file``, the name of its file without ending, and
    ``source_path``, the same with the folders below the data folder, unless it has such columns. With ``split_column``
    only the records that name this split there are given. Memory does not grow with the data for JSON lines, CSV, TSV
    and Parquet; a JSON document is read whole.

    columns: what the mapping reads; nothing else is read from Parquet, and a missing one is found at once.
    """

    def __init__(self, folder: Path, files: FilesSpec, columns: Columns = ANY_COLUMN) -> None:
        if not folder.is_dir():
            raise DataError(f"{folder}: there is no such folder")
        self._folder, self._files = folder, files
        self._columns = Columns(columns.needed, columns.required - {SOURCE_FILE, SOURCE_PATH})
        if (column := files.split_column) is not None:
            needed = None if columns.needed is None else columns.needed | {column}
            self._columns = Columns(needed, self._columns.required | {column})

    @property
    def media_root(self) -> Path:
        """The folder that relative image and video paths start from."""
        return self._folder / self._inside(self._files.images)

    def count(self, split: str) -> int | None:
        """Records in the split."""
        if self._files.split_column is not None:
            return sum(1 for _ in self.records(split))
        return sum(self._reader(path).count() for path in self._paths(split))

    def records(self, split: str) -> Iterator[Record]:
        """All records, file by file. Raises DataError for a missing file or column, or a malformed line."""
        for path in self._paths(split):
            name = stem(path)
            place_below = path.parent.relative_to(self._folder) / name
            reader = self._reader(path)
            for place, record in enumerate(reader.records(self._columns.needed)):
                if place == 0:
                    self._check_columns(reader, record)
                if self._files.split_column is not None and record.get(self._files.split_column) != split:
                    continue
                record.setdefault(SOURCE_FILE, name)
                record.setdefault(SOURCE_PATH, place_below.as_posix())
                yield record

    def fingerprint(self, split: str) -> Mapping[str, JsonValue]:
        """Name, size and SHA-256 of the annotation files. Images are not read."""
        return {"files": file_digests(self._paths(split), self._folder)}

    def table(self, split: str, lookup: FilesLookup) -> Iterator[Record]:
        """The records of other files below the folder."""
        for path in self._matches(split, lookup.splits[split]):
            yield from self._reader(path, lookup.format).records()

    def table_fingerprint(self, split: str, lookup: FilesLookup) -> JsonValue:
        return file_digests(self._matches(split, lookup.splits[split]), self._folder)

    def _reader(self, path: Path, format: str | None = None) -> RecordFile:
        format = format or self._files.format
        if format != RECORDS:
            read = load_format(format)
            return RecordFile(path, lambda place, _columns: read(place))
        kind = ending(path)
        if kind not in READERS:
            raise DataError(f"{path}: files ending in {path.suffix!r} cannot be read. Known: {', '.join(READERS)}")
        return RecordFile(path, READERS[kind])

    def _check_columns(self, reader: RecordFile, record: Mapping[str, Any]) -> None:
        for name in sorted(self._columns.required - record.keys()):
            known = reader.column_names(record)
            raise DataError(
                f"{reader.path}: there is no column {name!r}. {did_you_mean(name, known)} "
                f"The first record has: {', '.join(known)}"
            )

    def _paths(self, split: str) -> list[Path]:
        patterns = self._files.splits.get(split)
        return self._by_name(split) if patterns is None else self._matches(split, patterns)

    def _matches(self, split: str, patterns: Sequence[str]) -> list[Path]:
        found: list[Path] = []
        for pattern in patterns:
            matches = sorted(path for path in self._folder.glob(self._inside(pattern)) if path.is_file())
            if not matches:
                raise self._not_found(split, [pattern])
            found += map(self._not_outside, matches)
        return list(dict.fromkeys(found))

    def _by_name(self, split: str) -> list[Path]:
        endings = [*READERS, *(f"{kind}.gz" for kind in READERS if kind != "parquet")]
        single = [path for kind in endings if (path := self._folder / f"{split}.{kind}").is_file()]
        if len(single) > 1:
            names = ", ".join(path.name for path in single)
            raise DataError(f"{self._folder}: split {split!r} is there more than once ({names}); keep one of them")
        shards = sorted(path for kind in endings for path in self._folder.glob(f"{split}-*-of-*.{kind}"))
        if not single and not shards:
            raise self._not_found(split, [f"{split}.{{{','.join(READERS)}}}", f"{split}-*-of-*.parquet"])
        return [self._not_outside(path) for path in single or shards]

    def _not_outside(self, path: Path) -> Path:
        """The path itself. Raises DataError for a link that leads out of the data folder (which may be a link)."""
        if not path.resolve().is_relative_to(self._folder.resolve()):
            raise DataError(f"{path}: is a link that leads out of the data folder; copy the file into it")
        return path

    def _not_found(self, split: str, patterns: list[str]) -> DataError:
        there = sorted(path.name + ("/" if path.is_dir() else "") for path in self._folder.iterdir())
        shown = ", ".join(there[:20]) + (", …" if len(there) > 20 else "") if there else "nothing"
        looked_for = " or ".join(patterns)
        missing = f"{self._folder}: no file of split {split!r}"
        return DataError(f"{missing}. Looked for: {looked_for}. The folder holds: {shown}")

    def _inside(self, name: str) -> str:
        """A name from the spec that may not point out of the data folder."""
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts or "\0" in name:
            raise DataError(f"{name!r} must be a path below the data folder {self._folder}")
        return name
