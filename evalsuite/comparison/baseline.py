"""Baseline files: what a run answered, small enough for review, to gate later runs against."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalsuite._version import __version__
from evalsuite.comparison.answers import RunAnswers, StoredAnswer
from evalsuite.comparison.paired import difference
from evalsuite.errors import UNREADABLE, StoreError, UsageError
from evalsuite.files.sealed import Sealed, read_sealed, write_sealed
from evalsuite.metrics import Answer, load_metric
from evalsuite.runs.lock import unchanging
from evalsuite.scoring.workers import StatisticsWorkers

if TYPE_CHECKING:
    from evalsuite.specs import TaskRegistry, TaskSpec

FORMAT = 1
TOLERANCE = "tolerance"
"""The one part of a baseline file that may be edited."""

ANEW = "Make it anew from its run: evalsuite baseline RUN"
KINDS = ("statistical", "absolute", "relative")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much a value may get worse.

    kind: ``statistical`` (the drop must lie beyond the paired 95% interval; ``amount`` is the largest drop, in paper
    units, that an interval may still reach to count as passed), ``absolute`` (in paper units) or ``relative`` (a share
    of the baseline's value).
    """

    kind: str = "statistical"
    amount: float = 1.0

    @classmethod
    def read(cls, given: Any, where: str) -> Tolerance:
        """From ``{"absolute": 0.5}``. Raises UsageError that starts with ``where``."""
        if isinstance(given, Mapping) and len(given) == 1:
            ((kind, amount),) = given.items()
            if kind in KINDS and type(amount) in (int, float) and 0 <= amount < math.inf:
                return cls(kind, float(amount))
        choices = ", ".join(f'{{"{kind}": NUMBER}}' for kind in KINDS)
        raise UsageError(f"{where}: a tolerance is one of {choices}, not {json.dumps(given)[:60]}")

    def written(self) -> dict[str, float]:
        return {self.kind: self.amount}


@dataclass(frozen=True, slots=True)
class BaselineSplit:
    """What is kept of one split of one task.

    answers: id -> (content digest, answer); empty when only values are kept. asked: see :func:`asked_digest`.
    """

    task: str
    split: str
    metric: str
    signature: str
    value: float
    n: int
    higher_is_better: bool
    asked: str
    answers: Mapping[str, tuple[str, Answer]]


@dataclass(frozen=True)
class Baseline:
    """A baseline file. tolerances: by task id; ``default`` for the others."""

    path: Path
    splits: tuple[BaselineSplit, ...]
    tolerances: Mapping[str, Tolerance]

    def tolerance(self, task: str) -> Tolerance:
        return self.tolerances.get(task) or self.tolerances.get("default") or Tolerance()


def write_baseline(
    folder: Path, path: Path, registry: TaskRegistry | None = None, *, answers: bool = True, jobs: int = 1
) -> Baseline:
    """Write the baseline of a run; tolerances of a baseline that is there already stay.

    answers: keep every answer, which paired intervals need; without them only values are kept.
    Raises StoreError when the folder is no run, goes on, or a task of it is not complete.
    """
    kept = _kept_tolerance(path)
    with unchanging(folder, "baseline"), StatisticsWorkers(jobs) as workers:
        run = RunAnswers.open(folder, registry)
        unfinished = [task for task, entry in run.manifest["tasks"].items() if entry.get("state") != "done"]
        if unfinished:
            raise StoreError(f"{folder}: {', '.join(unfinished)} did not finish; give the run command again first")
        splits = [
            _split_entry(run, task, split, workers, answers) for task in run.tasks() for split in run.splits(task)
        ]
    if not splits:
        raise StoreError(f"{folder}: holds no answers; there is nothing to hold later runs against")
    document = {
        "baseline_version": FORMAT,
        "evalsuite": __version__,
        "run": run.name,
        TOLERANCE: kept or {"default": Tolerance().written()},
        "splits": splits,
    }
    _parsed_document(path, document)  # what is wrong with tolerances that stay is found before anything is written
    write_sealed(path, document, free=[TOLERANCE], allow_nan=True)
    return read_baseline(path)


def read_baseline(path: Path) -> Baseline:
    """A baseline as it was written, or with other tolerances.

    Raises UsageError or StoreError that names the file and the place when it is none, or anything else was changed.
    """
    sealed = _read(path)
    baseline = _parsed_document(path, sealed.document)
    sealed.check(f"only its tolerances may be edited. {ANEW} --out {path}")
    return baseline


def _parsed_document(path: Path, document: Any) -> Baseline:
    """What a baseline file holds, checked by itself: every example that it counts is there, each once."""
    if not isinstance(document, dict):
        raise StoreError(f"{path}: is no baseline file. {ANEW}")
    if document.get("baseline_version") != FORMAT:
        raise StoreError(f"{path}: not a baseline of this version (baseline_version {FORMAT}); make it anew")
    tolerance = document.get(TOLERANCE, {})
    if not isinstance(tolerance, Mapping):
        raise UsageError(f"{path}: tolerance is a mapping of task ids, or default, to tolerances")
    tolerances = {task: Tolerance.read(given, f"{path}: tolerance of {task}") for task, given in tolerance.items()}
    entries = document.get("splits")
    if not isinstance(entries, list) or not entries:
        raise StoreError(f"{path}: holds no splits, against which nothing can be judged. {ANEW}")
    splits = []
    for number, entry in enumerate(entries, 1):
        try:
            splits.append(_parsed(entry))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StoreError(f"{path}: entry {number} of splits is damaged ({error!r}); make the file anew") from error
    places = [(split.task, split.split) for split in splits]
    if len(set(places)) < len(places):
        raise StoreError(f"{path}: holds a split twice. {ANEW}")
    unknown = sorted(set(tolerances) - {"default", *(split.task for split in splits)})
    if unknown:
        raise UsageError(f"{path}: tolerance names {unknown[0]!r}, which the baseline does not hold")
    return Baseline(path, tuple(splits), tolerances)


def asked_digest(spec: TaskSpec) -> str:
    """What a model is asked and how, without the data: another prompt or decoding is another baseline."""
    import hashlib

    parts = spec.model_dump(mode="json", include={"prompt", "image", "decoding", "parsing"})
    return hashlib.blake2b(json.dumps(parts, sort_keys=True).encode(), digest_size=8).hexdigest()


def _split_entry(
    run: RunAnswers, task: str, split: str, workers: StatisticsWorkers, with_answers: bool
) -> dict[str, Any]:
    spec, stored = run.spec(task), run.answers(task, split)
    use = spec.headline()
    taken = [item.answer for item in stored]
    same = difference(
        use, taken, taken, [i.references for i in stored], [i.strata for i in stored], workers, resamples=1
    )
    entry: dict[str, Any] = {
        "task": task,
        "split": split,
        "metric": same.value.name,
        "signature": load_metric(use.name, **use.parameters).signature(),
        "value": same.after,
        "unit": same.value.unit,
        "n": len(stored),
        "higher_is_better": same.value.higher_is_better,
        "asked": asked_digest(spec),
    }
    if with_answers:
        scores = load_metric(use.name, **use.parameters).takes_answers
        entry["answers"] = {item.id: _written(item, scores) for item in stored}
    return entry


def _written(item: StoredAnswer, with_scores: bool) -> list[Any]:
    """[content digest, text], and the log-probabilities where the metric reads them."""
    row: list[Any] = [item.content, item.answer.text]
    if with_scores and item.answer.log_probabilities is not None:
        row += [list(item.answer.token_ids or ()), [round(value, 6) for value in item.answer.log_probabilities]]
    return row


def _parsed(entry: Mapping[str, Any]) -> BaselineSplit:
    answers = {}
    for id, (content, text, *scores) in entry.get("answers", {}).items():
        ids, values = scores if scores else (None, None)
        answer = Answer(str(text), id, tuple(ids) if ids else None, tuple(values) if values is not None else None)
        answers[id] = (str(content), answer)
    count = int(entry["n"])
    if count < 1 or ("answers" in entry and len(answers) != count):
        raise ValueError(f"n is {count}, and there are {len(answers)} answers")
    return BaselineSplit(
        str(entry["task"]),
        str(entry["split"]),
        str(entry["metric"]),
        str(entry["signature"]),
        float(entry["value"]),
        count,
        bool(entry["higher_is_better"]),
        str(entry["asked"]),
        answers,
    )


def _kept_tolerance(path: Path) -> Any:
    """The tolerances of a baseline that is there already, whatever became of the rest of it."""
    if not path.exists():
        return {}
    try:
        document = _read(path).document
    except StoreError as error:
        raise StoreError(f"{error}. Its tolerances would be lost: mend the file, or move it away") from error
    return document.get(TOLERANCE, {}) if isinstance(document, dict) else {}


def _read(path: Path) -> Sealed:
    try:
        return read_sealed(path, free=[TOLERANCE])
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}). {ANEW}") from error
    except UNREADABLE as error:
        raise StoreError(f"{path}: is damaged ({error}). {ANEW}") from error
