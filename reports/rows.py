"""Results in long form: one row per value, read from the ``results.json`` of runs and checked."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from evalsuite.errors import UNREADABLE, StoreError
from evalsuite.runs.folder import RESULTS, STUDY
from evalsuite.runs.results import ResultRow, read_results
from evalsuite.runs.study_file import read_study

__all__ = ["ResultRow", "not_comparable", "parse_row", "read_rows"]


def read_rows(runs: Iterable[Path]) -> list[ResultRow]:
    """The rows of these runs, in the order given. A run is its folder or its ``results.json``.

    Raises DamagedResults for files that are not as they were written, StoreError that names the file, the row and the
    field when something is missing or has another shape.
    """
    rows: list[ResultRow] = []
    for folder in run_folders(runs):
        rows.extend(_read_file(folder / RESULTS))
    return rows


def run_folders(runs: Iterable[Path]) -> list[Path]:
    """The folders of these runs, each once.

    A run may be given as its folder, as its ``results.json``, or as the folder of the study that it belongs to. Of a
    study only the runs that have results are among them.
    """
    folders: dict[Path, Path] = {}
    for run in map(Path, runs):
        for folder in _runs_of_study(run) if (run / STUDY).is_file() else [run.parent if run.is_file() else run]:
            folders.setdefault(folder.resolve(), folder)
    return list(folders.values())


def _runs_of_study(folder: Path) -> list[Path]:
    names = [str(cell["folder"]) for cell in read_study(folder)["cells"]]
    found = [folder / name for name in names if (folder / name / RESULTS).is_file()]
    if not found:
        raise StoreError(f"{folder}: no run of this study has results yet")
    return found


STAND_INS = {
    "weights:random": "the mask decoder has random weights (give --metric-option mask_iou.weights=FILE)",
    "model:letter_trigrams": "texts are compared by letters (give --metric-option embedding_similarity.model=FOLDER)",
    "|judge:": "a model rated the sentences, not people",
    "scores:word_list": "captions are searched for words of a list (give --metric-option toxicity.scores=FILE)",
}
"""Part of a signature -> why such values mean nothing beside published ones."""


def not_comparable(row: ResultRow) -> str:
    """Why the value must not be compared with a published one, or "": synthetic data, no trained model, a server's own
    protocol, a stand-in for what a metric needs, or only a part of the examples.
    """
    if row.data == "synthetic":
        return "the data are synthetic"
    if row.backend not in ("replay", "echo") and row.model in ("tiny", "tiny-paligemma"):
        return "the model has random weights"
    if row.backend not in ("replay", "echo") and row.model == "miniature":
        return "the model is a miniature that was trained on synthetic data"
    if row.backend == "echo":
        return "the answers are not a model's"
    if row.backend == "server":
        return "a server prepared images and prompt by its own rules (the report names the known differences)"
    for part, reason in STAND_INS.items():
        if part in row.signature:
            return reason
    return row.partial


def _read_file(path: Path) -> list[ResultRow]:
    try:
        data = json.loads(read_results(path.parent))
    except FileNotFoundError:
        raise StoreError(f"{path}: no such file. Score the run first: evalsuite score {path.parent}") from None
    except UNREADABLE as error:
        raise StoreError(f"{path}: cannot be read ({error}). Score again: evalsuite score {path.parent}") from error
    if not isinstance(data, list):
        raise StoreError(f"{path}: expected one array with a row per value, found {type(data).__name__}")
    return [parse_row(item, f"{path}: row {number}") for number, item in enumerate(data, 1)]


def parse_row(item: Any, where: str = "row") -> ResultRow:
    """One checked row. Fields that are not known here are ignored. Raises StoreError that starts with ``where``."""
    if not isinstance(item, Mapping):
        raise StoreError(f"{where}: expected an object, found {type(item).__name__}")
    values: dict[str, Any] = {}
    for field in dataclasses.fields(ResultRow):
        if field.name not in item and field.default is not dataclasses.MISSING:
            continue  # an older version did not know it
        if field.name not in item:
            raise StoreError(f"{where}: field {field.name!r} is missing; another version wrote it. Score the run again")
        values[field.name] = _checked(item[field.name], str(field.type), f"{where}: field {field.name!r}")
    return ResultRow(**values)


def _checked(value: Any, kind: str, where: str) -> Any:
    """``value`` when it fits its field's annotation, given as text."""
    if kind == "int | None" and value is None:
        return None
    if kind == "float | None" and (value is None or (isinstance(value, float) and not math.isfinite(value))):
        return None
    expected = _KINDS.get(kind, Mapping)
    if not isinstance(value, expected) or (isinstance(value, bool) and kind != "bool"):
        raise StoreError(f"{where} should be {kind}, found {value!r:.80}")
    if isinstance(value, int) and abs(value) > MOST:
        raise StoreError(f"{where} is too large: {value!r:.20}…")
    return value


MOST = 1 << 53
"""Beyond it whole numbers are no count of anything, and no float holds them."""


_KINDS: dict[str, Any] = {"float | None": (int, float), "int": int, "int | None": int, "bool": bool, "str": str}
