"""Results made elsewhere, brought into our long form so that reports and studies can show them beside ours.

A file is a CSV or JSON array in long form (``task``, ``value`` and, where they are known, ``split``, ``metric``, ``n``,
``ci_low``, ``ci_high``; every other column is an attribute of the run, such as ``size``), or the results file of
lm-evaluation-harness, lmms-eval or VLMEvalKit. Each set of attributes becomes a run folder. Values are in the unit that
papers print, save shares in harness files, which are brought to it.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite._version import __version__
from evalsuite.errors import UNREADABLE, DataError, UnknownName, UsageError
from evalsuite.metrics import load_metric
from evalsuite.runs.failures import now
from evalsuite.runs.folder import run_name
from evalsuite.runs.lock import locked
from evalsuite.runs.manifest import IMPORTED, MANIFEST_VERSION, write_manifest
from evalsuite.runs.results import ResultRow, write_results

if TYPE_CHECKING:
    from evalsuite.metrics import Value
    from evalsuite.specs import TaskRegistry, TaskSpec

WIDE_ENDINGS = ("_acc", "_score")
_COLUMNS = ("task", "split", "stratum", "metric", "value", "ci_low", "ci_high", "n")


@dataclass(frozen=True, slots=True)
class ImportedValue:
    """One value as a file has it. scale: what it is multiplied by to be in the unit that papers print."""

    task: str
    value: float
    split: str = ""
    stratum: str = ""
    metric: str = ""
    n: int = 0
    ci_low: float | None = None
    ci_high: float | None = None
    scale: float = 1.0
    attributes: Mapping[str, str] = field(default_factory=dict)


def import_results(
    path: Path,
    registry: TaskRegistry,
    out: Path,
    *,
    names: Mapping[str, str] | None = None,
    attributes: Mapping[str, Any] | None = None,
    source: str = "",
) -> list[Path]:
    """Write one run folder below ``out`` for each set of attributes in the file; returns them.

    names: task as the file has it -> ours, or ours:split; tasks of a harness file that are not named are left out.
    attributes: of all values of the file. source: who made them.
    Raises UsageError or DataError that names the file and the line.
    """
    given = dict(attributes or {})
    wide = is_wide_file(path)
    harness = wide or is_harness_file(path)
    values = wide_values(path, names or {}) if wide else harness_values(path) if harness else long_form_values(path)
    runs: dict[str, list[ResultRow]] = {}
    settings: dict[str, dict[str, Any]] = {}
    for item in values:
        name = (names or {}).get(item.task) or (names or {}).get(f"{item.task}:{item.metric}")
        if name is None and (harness or names) and item.task not in registry.ids():
            continue
        task, _, split = (name or item.task).partition(":")
        attributes_here = {**given, **item.attributes}
        run = run_name({"backend": IMPORTED, "model": path.stem, "tasks": "", **attributes_here})
        row = _row(item, registry.get(task), split, attributes_here, run, source or path.stem)
        if row is not None:
            runs.setdefault(run, []).append(row)
            settings[run] = attributes_here
    if not runs:
        known = "; name them with --name THEIRS=OURS" if harness else ""
        raise UsageError(f"{path}: no value of a known task{known}")
    return [_write(out / run, rows, settings[run], path) for run, rows in runs.items()]


def is_harness_file(path: Path) -> bool:
    """Whether it is the results file of lm-evaluation-harness or lmms-eval."""
    if path.suffix != ".json":
        return False
    document = _json(path)
    return isinstance(document, dict) and isinstance(document.get("results"), dict)


def is_wide_file(path: Path) -> bool:
    """Whether it is a result of VLMEvalKit: ``MODEL_DATASET_acc.csv`` or ``_score.csv``, a column per value."""
    if path.suffix != ".csv" or not path.stem.endswith(WIDE_ENDINGS):
        return False
    records = _csv_records(path)
    return bool(records) and not {"task", "value"} <= records[0][1].keys()


def wide_values(path: Path, names: Mapping[str, str]) -> Iterator[ImportedValue]:
    """The columns of VLMEvalKit's file: the overall accuracy as DATASET, others as ``DATASET:COLUMN``.

    Model and data set are parted by an underscore that both may have, so that ``names`` must name the data set.
    Accuracy is ``acc`` where there is such a column (POPE, whose "Overall" is F1). Values of multiple-choice sets are
    shares.
    """
    stem = path.stem
    for ending in WIDE_ENDINGS:
        stem = stem.removesuffix(ending)
    known = {name.partition(":")[0] for name in names}
    fitting = [name for name in known if stem == name or stem.endswith(f"_{name}")]
    if not fitting:
        raise UsageError(f"{path}: a result of VLMEvalKit; say which data set it is of: --name DATASET=TASK")
    dataset = max(fitting, key=len)
    place, record = _csv_records(path)[0]
    numbers = {name: _number(value, f"{path}: {place}") for name, value in record.items() if _is_number(value)}
    scale = 100.0 if "split" in record and all(0 <= value <= 1 for value in numbers.values()) else 1.0
    overall = "acc" if "acc" in numbers else "Overall"
    for name, value in numbers.items():
        yield ImportedValue(dataset if name == overall else f"{dataset}:{name}", value, scale=scale)


def long_form_values(path: Path) -> Iterator[ImportedValue]:
    """The values of a CSV file, or of a JSON array of objects."""
    for place, record in _records(path):
        where = f"{path}: {place}"
        if not record.get("task") or record.get("value") in (None, ""):
            raise DataError(f"{where}: needs task and value; it has {', '.join(record)}")
        attributes = {k: str(v) for k, v in record.items() if k not in _COLUMNS and v not in (None, "")}
        nested = record.get("attributes")
        if isinstance(nested, Mapping):
            attributes = {str(name): str(value) for name, value in nested.items()}
        yield ImportedValue(
            str(record["task"]),
            _number(record["value"], where),
            str(record.get("split") or ""),
            str(record.get("stratum") or ""),
            str(record.get("metric") or ""),
            _count(record.get("n") or 0, where),
            _optional(record.get("ci_low"), where),
            _optional(record.get("ci_high"), where),
            attributes=attributes,
        )


def harness_values(path: Path) -> Iterator[ImportedValue]:
    """The values of ``{"results": {task: {"metric,filter": number}}}``, standard errors left out."""
    document = _json(path)
    counts = document.get("n-samples", {})
    for task, values in document["results"].items():
        if not isinstance(values, Mapping):
            raise DataError(f"{path}: results of {task!r} are {type(values).__name__}, not metrics with values")
        count = counts.get(task, {}) if isinstance(counts, Mapping) else {}
        n = _count(count.get("effective", 0), str(path)) if isinstance(count, Mapping) else 0
        for name, value in values.items():
            metric = name.split(",")[0]
            if isinstance(value, (int, float)) and not isinstance(value, bool) and not metric.endswith("_stderr"):
                yield ImportedValue(task, _number(value, str(path)), metric=metric, n=n, scale=math.nan)


def _row(
    item: ImportedValue, spec: TaskSpec, split: str, attributes: Mapping[str, Any], run: str, source: str
) -> ResultRow | None:
    """The result row of a value; None for a metric that the task does not have."""
    use, value = _metric(spec, item.metric)
    if value is None:
        if not math.isnan(item.scale):
            known = [info.name for use in spec.metrics for info in load_metric(use.name, **use.parameters).values]
            raise UnknownName(f"metric of {spec.id}", item.metric, known)
        return None
    splits = [known.name for known in spec.reported()]
    chosen = split or item.split or splits[0]
    if chosen not in [known.name for known in spec.splits]:
        raise UnknownName(f"split of {spec.id}", chosen, [known.name for known in spec.splits])
    scale = value.scale if math.isnan(item.scale) else item.scale
    paper = next((row for row in spec.rows if row.split == chosen and _stratum(row.stratum) == item.stratum), None)
    headline = use == spec.headline() and value == load_metric(use.name, **use.parameters).values[0]
    return ResultRow(
        task=spec.id,
        task_version=spec.version,
        title=spec.title,
        family=spec.family,
        paper_name=paper.name if paper else "",
        reference=paper.reference if paper else "",
        split=chosen,
        stratum=item.stratum,
        metric=value.name,
        signature=f"{IMPORTED} from {source}",
        protocol=use.protocol,
        headline=headline,
        value=item.value * scale,
        ci_low=None if item.ci_low is None else item.ci_low * scale,
        ci_high=None if item.ci_high is None else item.ci_high * scale,
        unit=value.unit,
        n=item.n,
        errors=0,
        higher_is_better=value.higher_is_better,
        attributes=dict(attributes),
        run=run,
        data=IMPORTED,
        backend=IMPORTED,
        model=source,
    )


def _metric(spec: TaskSpec, name: str) -> tuple[Any, Value | None]:
    """The use and the value of that name; the headline where none is given."""
    if not name:
        use = spec.headline()
        return use, load_metric(use.name, **use.parameters).values[0]
    for use in spec.metrics:
        metric = load_metric(use.name, **use.parameters)
        for info in metric.values:
            if name in (info.name, metric.name):
                return use, info
    return spec.headline(), None


def _stratum(stratum: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in stratum.items())


def _write(folder: Path, rows: Sequence[ResultRow], attributes: Mapping[str, Any], source: Path) -> Path:
    tasks = {row.task: {"version": row.task_version, "state": "done", "data": {"kind": IMPORTED}} for row in rows}
    manifest = {
        "manifest_version": MANIFEST_VERSION,
        "evalsuite": __version__,
        "name": folder.name,
        "created": now(),
        "run": {"backend": IMPORTED, "data": IMPORTED, "attributes": dict(attributes), "source": source.name},
        "tasks": tasks,
        "models": {},
        "environment": {},
        "sessions": [],
    }
    with locked(folder, "results import"):
        write_manifest(folder, manifest)
        write_results(folder, rows)
    return folder


def _records(path: Path) -> Iterable[tuple[str, Mapping[str, Any]]]:
    if path.suffix == ".json":
        document = _json(path)
        if not isinstance(document, list) or not all(isinstance(item, Mapping) for item in document):
            raise DataError(f"{path}: is neither an array of objects nor a results file of a known harness")
        return [(f"object {number}", item) for number, item in enumerate(document, 1)]
    if path.suffix in (".csv", ".tsv"):
        return _csv_records(path)
    raise UsageError(f"{path}: results are read from .csv, .tsv and .json files")


def _csv_records(path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",", strict=True)
            return [(f"line {reader.line_num}", record) for record in reader]
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file") from None
    except UNREADABLE as error:
        raise DataError(f"{path}: cannot be read ({error})") from error


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def _number(value: Any, where: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise DataError(f"{where}: {value!r} is not a number")
    return number


def _count(value: Any, where: str) -> int:
    number = _number(value, where)
    if not 0 <= number < 1 << 53:
        raise DataError(f"{where}: {value!r} is no number of examples")
    return int(number)


def _optional(value: Any, where: str) -> float | None:
    return None if value in (None, "") else _number(value, where)
