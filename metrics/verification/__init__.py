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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from evalsuite.errors import DataError, MissingDependency, UnknownName

Line = dict[str, Any]

CHECKS: dict[str, str] = {
    "anls": "answers:anls",
    "bleu": "captions:bleu",
    "box_iou": "boxes:box_iou",
    "cider": "captions:cider",
    "coco_map": "boxes:coco_map",
    "exact_match": "answers:exact_match",
    "grits_con": "tables:grits_con",
    "grits_loc": "tables:grits_loc",
    "grits_top": "tables:grits_top",
    "hiertext_word_f1": "boxes:hiertext_word_f1",
    "kern_cer_ser_ler": "music:kern_error_rates",
    "kern_preprocess": "music:kern_preprocess",
    "meteor": "captions:meteor",
    "mmvp": "closed_answers:mmvp",
    "nes": "long_captions:non_entailment",
    "perspective_fractions": "safety:perspective_fractions",
    "polygon_iou": "boxes:polygon_iou",
    "pope": "closed_answers:pope",
    "ptb_tokenizer": "captions:ptb_tokenizer",
    "radgraph_f1": "radiology:radgraph_f1",
    "radgraph_f1_corpus": "radiology:radgraph_f1_corpus",
    "referring_seg_miou": "masks:referring_seg_miou",
    "relaxed_accuracy": "answers:relaxed_accuracy",
    "rouge_l": "captions:rouge_l",
    "rsvqa": "closed_answers:rsvqa",
    "scienceqa": "closed_answers:science_qa",
    "smiles_exact_match": "molecules:smiles_exact_match",
    "tallyqa": "closed_answers:tallyqa",
    "teds": "tables:teds",
    "teds_struct": "tables:teds",
    "textvqa": "answers:textvqa",
    "vizwiz": "answers:vizwiz",
    "vqa_soft": "answers:vqa_soft",
    "vqa_v2": "answers:vqa_v2",
    "vqvae_mask_decode": "masks:vqvae_mask_decode",
}
"""Golden file -> checker, as module:function below this package. A checker takes the lines and the file's folder."""


REQUIRED_SHARE: dict[str, float] = {"ptb_tokenizer": 0.995}
"""Golden file -> share of its comparisons that must agree, where it is not all of them."""

FAILURES_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Comparison:
    """One official value beside ours. Numbers (or flat lists of numbers) agree within ``tolerance``, the rest exactly.

    tolerance: relative to max(1, |official|); below 1e-9 of magnitude it is absolute.
    required: must agree even where the file's REQUIRED_SHARE allows some to differ.
    """

    what: str
    ours: Any
    official: Any
    tolerance: float = 1e-9
    required: bool = True

    def difference(self) -> float:
        """Largest scaled difference: 0 for equal values, inf for values that cannot be compared or differ in kind."""
        return _difference(self.ours, self.official)

    @property
    def agrees(self) -> bool:
        return self.difference() <= self.tolerance


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one golden file came out. ``failures`` holds the first disagreements, as text.

    largest_difference: of all comparisons that agree. disagreements: of all comparisons; required_disagreements: of
    those that must agree whatever ``required_share`` is.
    problem: why the file could not be read, with the line. missing: what this machine lacks to compare it.
    """

    name: str
    lines: int = 0
    compared: int = 0
    not_compared: int = 0
    largest_difference: float = 0.0
    disagreements: int = 0
    failures: tuple[str, ...] = ()
    required_share: float = 1.0
    required_disagreements: int = 0
    problem: str = ""
    missing: str = ""

    @property
    def passed(self) -> bool:
        """Something was compared, and enough of it agrees."""
        enough = self.disagreements <= (1 - self.required_share) * self.compared
        return not self.problem and self.compared > 0 and enough and not self.required_disagreements

    @property
    def outcome(self) -> Literal["agrees", "differs", "nothing compared", "not checked", "broken file"]:
        """In words. ``not checked``: something is missing on this machine. All others but ``agrees`` are failures."""
        if self.problem:
            return "broken file"
        if self.missing:
            return "not checked"
        if not self.compared:
            return "nothing compared"
        return "agrees" if self.passed else "differs"


Checker = Callable[[list[Line], Path], Iterator[tuple[Line, list[Comparison]]]]


def shipped_golden_files() -> Path:
    """The folder of golden files inside the package: a selection of what was recorded."""
    return Path(str(resources.files("evalsuite.metrics").joinpath("golden")))


def verify_folder(folder: Path, names: Sequence[str] = ()) -> list[Verdict]:
    """Run the golden files of a folder, or those called ``names``; see :func:`verify_each`."""
    return list(verify_each(folder, names))


def verify_each(folder: Path, names: Sequence[str] = ()) -> Iterator[Verdict]:
    """The verdict of every ``*.jsonl`` and ``*.jsonl.gz`` of a folder, by name; other files are left alone.

    A broken file, and one that no checker knows, are verdicts with a ``problem``.
    Raises DataError for a folder or file that does not exist, UnknownName for a name that no checker knows.
    """
    for name in names:
        if name not in CHECKS:
            raise UnknownName("golden file", name, CHECKS)
    files = _golden_files(folder)
    for name in names:
        if name not in files:
            raise DataError(f"{folder}: there is no {name}.jsonl or {name}.jsonl.gz")
    for name in sorted(set(names)) or files:
        try:
            yield verify_file(files[name])
        except (DataError, UnknownName) as error:
            yield Verdict(name, problem=str(error))


def _golden_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise DataError(f"{folder}: there is no such folder")
    found = [*folder.glob("*.jsonl.gz"), *folder.glob("*.jsonl")]  # an unpacked file hides a packed one
    files = {golden_name(path): path for path in found}
    return {name: files[name] for name in sorted(files)}


def golden_name(path: Path) -> str:
    """``cider`` for ``…/cider.jsonl.gz``."""
    return path.name.removesuffix(".gz").removesuffix(".jsonl")


def verify_file(path: Path) -> Verdict:
    """Run one golden file through our metrics.

    Raises UnknownName for a file that no checker knows, DataError for one that cannot be read.
    """
    name = golden_name(path)
    if name not in CHECKS:
        raise UnknownName("golden file", name, CHECKS, str(path))
    lines = read_golden(path)
    try:
        return _verdict(name, lines, path)
    except MissingDependency as error:
        return Verdict(name, len(lines), not_compared=len(lines), missing=str(error))


def _verdict(name: str, lines: list[Line], path: Path) -> Verdict:
    module, _, function = CHECKS[name].partition(":")
    checker: Checker = getattr(importlib.import_module(f"evalsuite.metrics.verification.{module}"), function)
    compared = disagreements = required = empty = 0
    largest = 0.0
    failures: list[str] = []
    for line, comparisons in _checked(checker, lines, path):
        empty += not comparisons
        for comparison in comparisons:
            compared += 1
            if comparison.agrees:
                largest = max(largest, comparison.difference())
                continue
            disagreements += 1
            required += comparison.required
            if len(failures) < FAILURES_SHOWN:
                ours, official = repr(comparison.ours), repr(comparison.official)
                failures.append(f"{line['id']} {comparison.what}: {ours}, official {official}")
    share = REQUIRED_SHARE.get(name, 1.0)
    return Verdict(name, len(lines), compared, empty, largest, disagreements, tuple(failures), share, required)


def _checked(checker: Checker, lines: list[Line], path: Path) -> Iterator[tuple[Line, list[Comparison]]]:
    """What the checker finds. A line without the fields that it reads is an error of the file."""
    last = "the first line"
    try:
        for line, comparisons in checker(lines, path.parent):
            last = f"the line after {line['id']}"
            yield line, comparisons
    except (LookupError, TypeError, AttributeError) as error:
        raise DataError(f"{path}: {last} is not what its checker reads ({type(error).__name__}: {error})") from error


def read_golden(path: Path) -> list[Line]:
    """The lines of a golden file, ``{"__float__": "nan"}`` as NaN. Raises DataError naming the line that is broken."""
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
    return [_line(text, f"{path}:{number}") for number, text in enumerate(content.splitlines(), 1)]


def _line(text: bytes, place: str) -> Line:
    try:
        line: Line = json.loads(text, object_hook=_decode)
    except ValueError as error:
        raise DataError(f"{place}: not JSON ({error})") from error
    for field in ("id", "inputs", "expected"):
        if not isinstance(line, dict) or field not in line:
            raise DataError(f"{place}: not a golden line, an object with id, inputs and expected: no {field}")
    return line


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
