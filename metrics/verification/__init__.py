"""Agreement with the official implementations, line by line of golden files.

A golden file ``<name>.jsonl`` (or ``.jsonl.gz``) holds one JSON object a line: ``id``, ``inputs``, ``expected``,
``source``. Its checker turns a line into comparisons of our public metric API with the official values. An entry
``{"error": "Name"}`` means that the official program raises there; it is not compared.
"""

from __future__ import annotations

import gzip
import importlib
import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalsuite.errors import DataError, UnknownName

Line = dict[str, Any]

CHECKS: dict[str, str] = {
    "anls": "vqa:anls",
    "bleu": "captions:bleu",
    "box_iou": "boxes:box_iou",
    "cider": "captions:cider",
    "coco_map": "boxes:coco_map",
    "exact_match": "vqa:exact_match",
    "grits_con": "tables:grits",
    "grits_loc": "tables:grits",
    "grits_top": "tables:grits",
    "hiertext_word_f1": "boxes:hiertext_word_f1",
    "kern_cer_ser_ler": "music:kern_error_rates",
    "kern_preprocess": "music:kern_preprocess",
    "meteor": "captions:meteor",
    "mmvp": "vqa:mmvp",
    "nes": "reports:non_entailment",
    "perspective_fractions": "reports:perspective_fractions",
    "polygon_iou": "boxes:polygon_iou",
    "pope": "vqa:pope",
    "ptb_tokenizer": "captions:ptb_tokenizer",
    "radgraph_f1": "reports:radgraph_f1",
    "radgraph_f1_corpus": "reports:radgraph_f1_corpus",
    "referring_seg_miou": "masks:referring_seg_miou",
    "relaxed_accuracy": "vqa:relaxed_accuracy",
    "rouge_l": "captions:rouge_l",
    "rsvqa": "vqa:rsvqa",
    "scienceqa": "vqa:science_qa",
    "smiles_exact_match": "molecules:smiles_exact_match",
    "tallyqa": "vqa:tallyqa",
    "teds": "tables:teds",
    "teds_struct": "tables:teds",
    "textvqa": "vqa:textvqa",
    "vizwiz": "vqa:vizwiz",
    "vqa_soft": "vqa:vqa_soft",
    "vqa_v2": "vqa:vqa_v2",
    "vqvae_mask_decode": "masks:vqvae_mask_decode",
}
"""Golden file -> checker, as module:function below this package. A checker takes the lines and the file's folder."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One official value beside ours. Numbers (or flat lists of numbers) agree within ``tolerance``, the rest exactly.

    tolerance: relative to max(1, |official|); below 1e-9 of magnitude it is absolute.
    """

    what: str
    ours: Any
    official: Any
    tolerance: float = 1e-9

    def difference(self) -> float:
        """Largest scaled difference: 0 for equal values, inf for values that cannot be compared or differ in kind."""
        return _difference(self.ours, self.official)

    @property
    def agrees(self) -> bool:
        return self.difference() <= self.tolerance


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one golden file came out. ``failures`` holds the first disagreements, as text."""

    name: str
    lines: int
    compared: int
    not_compared: int
    largest_difference: float
    disagreements: int
    failures: tuple[str, ...]
    required_share: float = 1.0

    @property
    def passed(self) -> bool:
        """Something was compared, and enough of it agrees."""
        return self.compared > 0 and self.disagreements <= (1 - self.required_share) * self.compared


Checker = Callable[[list[Line], Path], Iterator[tuple[Line, list[Comparison]]]]


def verify_file(path: Path) -> Verdict:
    """Run one golden file through our metrics. Raises UnknownName for a file no checker knows, DataError for a bad one."""
    name = path.name.removesuffix(".gz").removesuffix(".jsonl")
    if name not in CHECKS:
        raise UnknownName("golden file", name, CHECKS, str(path))
    module, _, function = CHECKS[name].partition(":")
    checker: Checker = getattr(importlib.import_module(f"evalsuite.metrics.verification.{module}"), function)
    lines = read_golden(path)
    compared = disagreements = empty = 0
    largest = 0.0
    failures: list[str] = []
    for line, comparisons in checker(lines, path.parent):
        empty += not comparisons
        for comparison in comparisons:
            compared += 1
            if comparison.agrees:
                largest = max(largest, comparison.difference())
                continue
            disagreements += 1
            if len(failures) < 10:
                failures.append(f"{line['id']} {comparison.what}: {comparison.ours!r}, official {comparison.official!r}")
    share = getattr(checker, "required_share", 1.0)
    return Verdict(name, len(lines), compared, empty, largest, disagreements, tuple(failures), share)


def read_golden(path: Path) -> list[Line]:
    """The lines of a golden file, ``{"__float__": "nan"}`` as NaN. Raises DataError naming the line that is broken."""
    opener = gzip.open if path.suffix == ".gz" else open
    lines = []
    with opener(path, "rt", encoding="utf-8") as handle:
        for number, text in enumerate(handle, 1):
            try:
                lines.append(json.loads(text, object_hook=_decode))
            except ValueError as error:
                raise DataError(f"{path}:{number}: not JSON ({error})") from error
    return lines


def is_error(expected: Any) -> bool:
    """Whether the official program raises on this input and so gives no value to compare."""
    return isinstance(expected, dict) and "error" in expected


def _decode(value: dict[str, Any]) -> Any:
    return float(value["__float__"]) if value.keys() == {"__float__"} else value


def _difference(ours: Any, official: Any) -> float:
    if isinstance(official, bool) or isinstance(ours, bool) or isinstance(official, str) or official is None:
        return 0.0 if ours == official else math.inf
    if isinstance(official, (list, tuple)):
        if len(ours) != len(official):
            return math.inf
        return max((_difference(a, b) for a, b in zip(ours, official, strict=True)), default=0.0)
    if isinstance(official, dict):
        if ours.keys() != official.keys():
            return math.inf
        return max((_difference(ours[key], official[key]) for key in official), default=0.0)
    return _number_difference(float(ours), float(official))


def _number_difference(ours: float, official: float) -> float:
    if math.isnan(official) or math.isnan(ours):
        return 0.0 if math.isnan(official) and math.isnan(ours) else math.inf
    if math.isinf(official) or math.isinf(ours):
        return 0.0 if ours == official else math.inf
    return abs(ours - official) / max(1.0, abs(official))
