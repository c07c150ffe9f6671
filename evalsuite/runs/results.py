"""Results in long form: one row per value, as JSON and as Parquet. Reports read these and nothing else."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.errors import StoreError, caution
from evalsuite.files.sealed import digest_of
from evalsuite.files.writing import json_text, replacing
from evalsuite.redaction import redacted
from evalsuite.runs.answer_counts import AnswerCounts
from evalsuite.runs.folder import MANIFEST, RESULTS, RESULTS_PARQUET
from evalsuite.runs.lock import is_used_by_others
from evalsuite.runs.manifest import IMPORTED, old_folder, read_manifest, write_manifest


@dataclass(frozen=True, slots=True)
class ResultRow:
    """One value of one metric on one split or stratum of a task.

    value, ci_low, ci_high: in ``unit``, the unit that papers print; None where the metric is undefined.
    n: examples scored, failed ones as empty answers; errors: how many failed.
    signature: metric, version and parameters; with ``protocol`` and ``task_version``, what to quote with the value.
    partial: why the value stands for a part of the published split (a limit, an interruption, fewer examples); "" where
        it stands for all of it.
    unread, cut, empty, withheld: how many of the n answers were so, see
        :class:`~evalsuite.runs.answer_counts.AnswerCounts`; None where it cannot be known.
    """

    task: str
    task_version: int
    title: str
    family: str
    paper_name: str
    reference: str
    split: str
    stratum: str
    metric: str
    signature: str
    protocol: str
    headline: bool
    value: float | None
    ci_low: float | None
    ci_high: float | None
    unit: str
    n: int
    errors: int
    higher_is_better: bool
    attributes: Mapping[str, Any]
    run: str
    data: str
    backend: str
    model: str
    partial: str = ""
    unread: int | None = None
    cut: int | None = None
    empty: int | None = None
    withheld: int | None = None

    @property
    def answer_counts(self) -> AnswerCounts:
        return AnswerCounts(self.unread, self.cut, self.empty, self.withheld)


class DamagedResults(StoreError):
    """Results are not those that were written. ``what``: which file, and how it is known."""

    def __init__(self, what: str, way_out: str) -> None:
        self.what = what
        super().__init__(f"{what}; {way_out}")


def write_results(folder: Path, rows: Sequence[ResultRow], scoring: Mapping[str, Any] | None = None) -> None:
    """Write ``results.json`` and ``results.parquet`` (attributes there as JSON text), each whole or not at all.

    Their digests stand in the manifest before they take their places: while they are written, those of the old files
    beside those of the new ones, so that a process that is killed in between leaves nothing that looks damaged.
    scoring: how the values were made, kept with the digests. The folder must be locked, and have a manifest.
    """
    contents = {RESULTS: _json(rows), RESULTS_PARQUET: _parquet(rows)}
    digests = {name: digest_of(content) for name, content in contents.items()}
    written = {**digests, "scoring": redacted(dict(scoring or {}))}
    manifest = read_manifest(folder)
    before = _written(manifest)
    if before[:1] != [written]:
        there = {name: _digest_there(folder / name) for name in digests}
        before = [entry for entry in before if any(entry[name] == there[name] for name in there)]
        manifest[_KEY] = [written, *before]
        write_manifest(folder, manifest)
    for name, content in contents.items():
        with replacing(folder / name) as temporary:
            temporary.write_bytes(content)
    if len(manifest[_KEY]) > 1:
        manifest[_KEY] = [written]
        write_manifest(folder, manifest)


def read_results(folder: Path) -> bytes:
    """What ``results.json`` holds, after both files were compared with what was written.

    Raises OSError where there are none, DamagedResults where they are not the ones that were written, StoreError where
    the manifest is none.
    """
    while True:
        written = _written(read_manifest(folder)) if (folder / MANIFEST).exists() else []
        content = (folder / RESULTS).read_bytes()
        what = _damage(folder, content, written)
        if not what:
            return content
        if _written(read_manifest(folder)) == written:  # else they were written meanwhile
            raise DamagedResults(f"{folder}/{what}", _way_out(folder))


def scored_with(folder: Path) -> Mapping[str, Any]:
    """How the results of a run were made, as :func:`write_results` was told; empty where nobody noted it."""
    return next((entry["scoring"] for entry in _written(read_manifest(folder))), {})


def are_those_written(folder: Path, rows: Sequence[ResultRow]) -> bool:
    """Whether rows are, to the byte, the newest that were written into a run folder."""
    return [entry[RESULTS] for entry in _written(read_manifest(folder))][:1] == [digest_of(_json(rows))]


_KEY = "results"
_CHANGED = "was changed or damaged after it was written (its digest is another)"


def _written(manifest: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The digests of results, the newest first; two while files are written."""
    noted = manifest.get(_KEY)
    return [entry for entry in noted if _is_noted(entry)] if isinstance(noted, list) else []


def _is_noted(entry: Any) -> bool:
    names = {RESULTS, RESULTS_PARQUET}
    return isinstance(entry, dict) and names <= entry.keys() and isinstance(entry.get("scoring"), dict)


def _digest_there(path: Path) -> str:
    try:
        return digest_of(path.read_bytes())
    except OSError:
        return ""


def _damage(folder: Path, content: bytes, written: Sequence[Mapping[str, Any]]) -> str:
    """Which file is not what was written, and how; "" when both are."""
    if not written:
        caution(old_folder(folder))
        return ""
    fitting = [entry for entry in written if entry[RESULTS] == digest_of(content)]
    if not fitting:
        return f"{RESULTS}: {_CHANGED}"
    if not (folder / RESULTS_PARQUET).exists():  # nothing of ours reads it
        return ""
    digest = _digest_there(folder / RESULTS_PARQUET)
    if any(entry[RESULTS_PARQUET] == digest for entry in fitting) or is_used_by_others(folder):
        return ""  # or it is being written
    if any(entry[RESULTS_PARQUET] == digest for entry in written):
        return f"{RESULTS_PARQUET}: is of another scoring than {RESULTS}, as the writing of one was interrupted"
    return f"{RESULTS_PARQUET}: {_CHANGED}"


def _way_out(folder: Path) -> str:
    if read_manifest(folder)["run"]["backend"] == IMPORTED:
        return "bring the values in again: evalsuite results import"
    return f"make it again from the stored answers: evalsuite score {folder}"


def _json(rows: Sequence[ResultRow]) -> bytes:
    return json_text([dataclasses.asdict(row) for row in rows]).encode()


def _parquet(rows: Sequence[ResultRow]) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"str": pa.string(), "int": pa.int64(), "bool": pa.bool_()}
    types |= {"float | None": pa.float64(), "int | None": pa.int64()}
    schema = pa.schema(
        [(field.name, types.get(str(field.type), pa.string())) for field in dataclasses.fields(ResultRow)]
    )
    records = map(dataclasses.asdict, rows)
    flat = [{**record, "attributes": json.dumps(record["attributes"], sort_keys=True)} for record in records]
    flat = [{name: _unicode(value) for name, value in record.items()} for record in flat]
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(flat, schema=schema), file)
    return file.getvalue()


def _unicode(value: Any) -> Any:
    """Text without lone surrogates, which a folder's name may hold and Parquet cannot."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
