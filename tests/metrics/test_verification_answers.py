"""The text metrics agree with what the official evaluations said, line by line of the files that ship."""

from __future__ import annotations

import copy
import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from evalsuite.metrics.verification import CHECKS, read_golden, shipped_golden_files, verify_file

GOLDEN = shipped_golden_files()
COMPARISONS = {
    "anls": 1287,
    "exact_match": 1117,
    "mmvp": 752,
    "pope": 806,
    "relaxed_accuracy": 1818,
    "rsvqa": 1394,
    "scienceqa": 1246,
    "tallyqa": 1023,
    "textvqa": 1110,
    "vizwiz": 1416,
    "vqa_soft": 2113,
    "vqa_v2": 1726,
}


@pytest.mark.parametrize(("name", "comparisons"), COMPARISONS.items())
def test_every_official_value_agrees(name: str, comparisons: int) -> None:
    verdict = verify_file(GOLDEN / f"{name}.jsonl.gz")
    assert verdict.failures == ()
    assert verdict.compared == comparisons
    assert verdict.largest_difference < 1e-12


@pytest.mark.parametrize("name", COMPARISONS)
def test_another_official_value_is_a_disagreement(name: str, tmp_path: Path) -> None:
    """Changing all values of the first lines is noticed, so that agreement means something.

    All but those of ScienceQA's wrong choices: which of them it is, is not compared.
    """
    lines = [line for line in read_golden(GOLDEN / f"{name}.jsonl.gz") if "error" not in str(line["expected"])][:40]
    with gzip.open(tmp_path / f"{name}.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps({**line, "expected": changed(line["expected"])}) + "\n" for line in lines)
    verdict = verify_file(tmp_path / f"{name}.jsonl.gz")
    assert verdict.disagreements == verdict.compared > 0 or (name == "scienceqa" and verdict.disagreements > 150)
    assert not verdict.passed


def changed(value: Any) -> Any:
    """Every number, text and truth value replaced by another; the parameters of the official program are kept."""
    if isinstance(value, dict):
        return {key: entry if key in ("to_lower", "gt") else changed(entry) for key, entry in value.items()}
    if isinstance(value, list):
        name_and_number = len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], float)
        return [value[0], changed(value[1])] if name_and_number else [changed(entry) for entry in value]
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return -1 if value.startswith("random") else f"{value}?"
    return value if value is None else value + 0.5


@pytest.mark.parametrize("name", COMPARISONS)
def test_lines_of_an_unknown_form_are_not_compared(name: str, tmp_path: Path) -> None:
    line = {"id": "x", "inputs": {"kind": "by_reference", "file": "elsewhere"}, "expected": {"official": {"acc": 1.0}}}
    (tmp_path / f"{name}.jsonl").write_text(json.dumps(line), encoding="utf-8")
    verdict = verify_file(tmp_path / f"{name}.jsonl")
    assert (verdict.lines, verdict.compared, verdict.not_compared) == (1, 0, 1)


def test_values_that_the_official_program_fails_on_are_left_out(tmp_path: Path) -> None:
    line = read_golden(GOLDEN / "pope.jsonl.gz")[-1]
    broken = copy.deepcopy(line)
    broken["expected"] = {"official": {"error": "ZeroDivisionError"}, "big_vision": {"error": "KeyError"}}
    (tmp_path / "pope.jsonl").write_text(json.dumps(broken), encoding="utf-8")
    assert verify_file(tmp_path / "pope.jsonl").compared == 0


def test_every_checked_file_has_a_checker() -> None:
    rooms = ("answers:", "closed_answers:")
    assert set(COMPARISONS) == {name for name, checker in CHECKS.items() if checker.startswith(rooms)}
