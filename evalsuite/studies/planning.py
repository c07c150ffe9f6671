"""What a study will cost: examples, tokens, compute, storage, and time from a short calibration run.

Compute counts two operations per parameter and token, for the image encoder (SigLIP So400m, 14-pixel patches) and for
the language model; attention over long prefixes comes on top and is left out. Answers count with their greatest length
unless a calibration run says how long they are. Time takes the calibration's speed for other sizes too, which is what a
machine gives that is as well filled there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.errors import UsageError
from evalsuite.reports.scaling.grid import size_number
from evalsuite.runs.folder import STORE
from evalsuite.runs.manifest import read_answered
from evalsuite.runs.store import PredictionStore
from evalsuite.specs import TaskRegistry, TaskSpec
from evalsuite.specs.parts import Split
from evalsuite.studies.grid import Cell, cells
from evalsuite.studies.spec import StudySpec

ENCODER_PARAMETERS = 0.4e9
PATCH = 14
CHARACTERS_PER_TOKEN = 4.0  # of an English prompt; used only where no prompt length is fixed
USUAL_PROMPT = 24  # tokens, of tasks that fix no length and were not calibrated
BYTES_PER_PREDICTION = 700  # measured on runs of all tasks: the store with prompts, answers and references
DEFAULT_RESOLUTION = 224


@dataclass(frozen=True, slots=True)
class Lengths:
    """Tokens of one example of a task at one resolution."""

    image: int
    prompt: float
    answer: float
    beams: int = 1

    def prefill(self, parameters: float) -> float:
        """Operations for the image encoder and the prefix."""
        return 2 * ENCODER_PARAMETERS * self.image + 2 * parameters * (self.image + self.prompt)

    def decode(self, parameters: float) -> float:
        """Operations for the answer, of all beams."""
        return 2 * parameters * self.answer * self.beams


@dataclass(frozen=True, slots=True)
class Estimate:
    """A cell, or the sum of several. hours: on the machine of the calibration, None without one.

    unknown: splits whose size no paper gives; they are left out. operations: None where the size is no number.
    """

    name: str
    examples: int
    prefix_tokens: int
    answer_tokens: int
    operations: float | None
    hours: float | None
    storage: int
    unknown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Calibration:
    """What runs were seen to take. seconds_per_operation: of prefill and of decoding.

    prompts, answers: mean tokens by task.
    """

    seconds_per_operation: tuple[float, float]
    prompts: Mapping[str, float]
    answers: Mapping[str, float]
    bytes_per_prediction: float


def plan_study(study: StudySpec, registry: TaskRegistry, calibration: Calibration | None = None) -> list[Estimate]:
    """One estimate per cell of the grid."""
    return [_estimate(cell, study, registry, calibration) for cell in cells(study)]


def total(estimates: Sequence[Estimate]) -> Estimate:
    """The sum of all cells; unknown as soon as one is."""
    operations, hours = [item.operations for item in estimates], [item.hours for item in estimates]
    return Estimate(
        "total",
        sum(item.examples for item in estimates),
        sum(item.prefix_tokens for item in estimates),
        sum(item.answer_tokens for item in estimates),
        None if None in operations else math.fsum(value or 0 for value in operations),
        None if None in hours else math.fsum(value or 0 for value in hours),
        sum(item.storage for item in estimates),
        tuple(dict.fromkeys(name for item in estimates for name in item.unknown)),
    )


def calibrate(folders: Iterable[Path], registry: TaskRegistry) -> Calibration:
    """Speed, prompt and answer lengths of runs that were made with the machine and backend in question.

    Raises UsageError when a run names no size or holds no times: the echo and replay backends take none.
    """
    rows: list[tuple[float, float, float]] = []
    prompts: dict[str, float] = {}
    answers: dict[str, float] = {}
    size, count = 0, 0
    for folder in folders:
        attributes = read_answered(folder)["run"]["attributes"]
        parameters = _parameters(attributes)
        if parameters is None:
            raise UsageError(f"{folder}: a calibration run needs its size: --set size=3B --set resolution=224")
        with PredictionStore(folder / STORE, read_only=True) as store:
            for (task, split), number in store.counts().items():
                if task not in registry.ids():
                    continue
                seen = _seen(store, task, split)
                if seen is None:
                    continue
                seconds, prompt, answer = seen
                prompts[task], answers[task] = prompt, answer
                spec = registry.get(task)
                lengths = Lengths(image_tokens(spec, attributes), prompt, answer, spec.decoding.beam_size)
                done = number.stored
                rows.append((lengths.prefill(parameters) * done, lengths.decode(parameters) * done, seconds))
                count += done
        size += (folder / STORE).stat().st_size
    if not rows:
        raise UsageError("the calibration runs hold no times; make them with the backend that the study will use")
    return Calibration(_speed(rows), prompts, answers, size / count)


def image_tokens(spec: TaskSpec, attributes: Mapping[str, Any]) -> int:
    """Image tokens of one example at the resolution that the attributes name."""
    side = _resolution(attributes) // PATCH
    frames = spec.image.frames or 1 if spec.fields.video else len(spec.fields.images)
    return frames * side * side


def _estimate(cell: Cell, study: StudySpec, registry: TaskRegistry, calibration: Calibration | None) -> Estimate:
    parameters = _parameters(cell.attributes)
    limit = study.asked().limit
    examples = prefix = answer = 0
    prefill = decode = 0.0
    unknown = []
    for spec in registry.select(cell.tasks):
        lengths = _lengths(spec, cell.attributes, calibration)
        for split in spec.splits if cell.splits else spec.reported():
            if cell.splits and split.name not in cell.splits:
                continue
            size = _size(spec, split, study)
            if size is None and (limit is None or limit.number is None):
                unknown.append(f"{spec.id}/{split.name}")
                continue
            number = size or 0
            if limit is not None:
                number = min(limit.of(size), size or limit.of(None))
            examples += number
            prefix += round(number * (lengths.image + lengths.prompt))
            answer += round(number * lengths.answer)
            prefill += number * lengths.prefill(parameters or 0)
            decode += number * lengths.decode(parameters or 0)
    hours = None
    if calibration is not None and parameters is not None:
        per_prefill, per_decode = calibration.seconds_per_operation
        hours = (prefill * per_prefill + decode * per_decode) / 3600
    stored = calibration.bytes_per_prediction if calibration else BYTES_PER_PREDICTION
    operations = None if parameters is None else prefill + decode
    return Estimate(cell.name, examples, prefix, answer, operations, hours, round(examples * stored), tuple(unknown))


def _size(spec: TaskSpec, split: Split, study: StudySpec) -> int | None:
    """Examples of a split, where they are known: those of the paper, or of the synthetic world."""
    if study.asked().data == "synthetic":
        return None if spec.data.synthetic is None else spec.data.synthetic.size * study.asked().data_scale
    return split.size


def _lengths(spec: TaskSpec, attributes: Mapping[str, Any], calibration: Calibration | None) -> Lengths:
    prompt = float(spec.prompt.max_tokens or USUAL_PROMPT)
    answer = float(spec.decoding.max_new_tokens)
    if calibration is not None:
        prompt, answer = calibration.prompts.get(spec.id, prompt), calibration.answers.get(spec.id, answer)
    return Lengths(image_tokens(spec, attributes), prompt, answer, spec.decoding.beam_size)


def _parameters(attributes: Mapping[str, Any]) -> float | None:
    """Parameters of the language model: those of the size without the image encoder's."""
    number = size_number(str(attributes.get("size", "")))
    return None if not math.isfinite(number) else max(number - ENCODER_PARAMETERS, number / 2)


def _resolution(attributes: Mapping[str, Any]) -> int:
    digits = "".join(character for character in str(attributes.get("resolution", "")) if character.isdigit())
    return int(digits or DEFAULT_RESOLUTION)


def _seen(store: PredictionStore, task: str, split: str) -> tuple[float, float, float] | None:
    """Seconds of all examples, mean prompt tokens, mean answer tokens; None where no time was noted."""
    seconds, prompt, answer, number = 0.0, 0.0, 0.0, 0
    for prediction in store.read(task, split):
        if prediction.details.get("seconds") is None:
            continue
        number += 1
        seconds += float(prediction.details["seconds"])
        prompt += len(prediction.prompt) / CHARACTERS_PER_TOKEN + 2
        tokens = prediction.details.get("tokens")
        answer += 1 + (len(prediction.text) / CHARACTERS_PER_TOKEN if tokens is None else float(tokens))
    return (seconds, prompt / number, answer / number) if seconds > 0 else None


def _speed(rows: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """Seconds per operation of prefill and of decoding that fit the rows best, neither below 0."""
    import numpy as np
    from scipy.optimize import nnls

    table = np.array(rows)
    scale = table[:, :2].max(axis=0)
    scale[scale == 0] = 1.0
    found, _ = nnls(table[:, :2] / scale, table[:, 2])
    return float(found[0] / scale[0]), float(found[1] / scale[1])
