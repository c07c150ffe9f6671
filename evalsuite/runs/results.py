"""Results in long form: one row per value, as JSON and as Parquet. Reports read these and nothing else."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.files.writing import replacing, write_json
from evalsuite.runs.answer_counts import AnswerCounts
from evalsuite.runs.folder import RESULTS, RESULTS_PARQUET


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


def write_results(folder: Path, rows: Sequence[ResultRow]) -> None:
    """Write ``results.json`` and ``results.parquet`` (attributes there as JSON text), each whole or not at all."""
    records = [dataclasses.asdict(row) for row in rows]
    write_json(folder / RESULTS, records)
    _write_parquet(folder / RESULTS_PARQUET, records)


def _write_parquet(path: Path, records: Sequence[Mapping[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"str": pa.string(), "int": pa.int64(), "bool": pa.bool_()}
    types |= {"float | None": pa.float64(), "int | None": pa.int64()}
    schema = pa.schema(
        [(field.name, types.get(str(field.type), pa.string())) for field in dataclasses.fields(ResultRow)]
    )
    flat = [{**record, "attributes": json.dumps(record["attributes"], sort_keys=True)} for record in records]
    flat = [{name: _unicode(value) for name, value in record.items()} for record in flat]
    with replacing(path) as temporary, open(temporary, "wb") as handle:
        pq.write_table(pa.Table.from_pylist(flat, schema=schema), handle)


def _unicode(value: Any) -> Any:
    """Text without lone surrogates, which a folder's name may hold and Parquet cannot."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
