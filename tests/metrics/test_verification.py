"""Agreement with the official programs, and that the comparison itself can fail."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import DataError, UnknownName
from evalsuite.metrics.verification import (
    CHECKS,
    Comparison,
    Verdict,
    golden_name,
    read_golden,
    shipped_golden_files,
    verify_each,
    verify_file,
    verify_folder,
)

SHIPPED = sorted(shipped_golden_files().glob("*.jsonl.gz"))


def cider_line(corpus: float) -> dict[str, Any]:
    image = {"id": 1, "references": ["a dog"], "predictions": ["a dog"]}
    inputs = {"images": [image], "tokenize": True}
    return {"id": "cider/one", "inputs": inputs, "expected": {"corpus": corpus, "per_image": [0.0]}, "source": "hand"}


def write(path: Path, *lines: object) -> Path:
    path.write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return path


@pytest.mark.parametrize("path", SHIPPED, ids=golden_name)
def test_every_shipped_value_is_ours(path: Path) -> None:
    verdict = verify_file(path)
    assert not verdict.failures
    # METEOR is compared where Java is installed; test_java_captions says what holds elsewhere.
    assert verdict.passed or (verdict.name == "meteor" and "java" in verdict.missing), verdict


def test_every_checker_has_a_shipped_file() -> None:
    assert {golden_name(path) for path in SHIPPED} == CHECKS.keys()


def test_a_wrong_value_is_caught_and_named(tmp_path: Path) -> None:
    verdict = verify_file(write(tmp_path / "cider.jsonl", cider_line(0.0), cider_line(0.1)))
    assert (verdict.outcome, verdict.compared, verdict.disagreements) == ("differs", 4, 1)
    assert verdict.failures == ("cider/one corpus: 0.0, official 0.1",)


def test_what_the_official_program_refuses_is_not_compared(tmp_path: Path) -> None:
    refused = {**cider_line(0.0), "expected": {"error": "AssertionError"}}
    both = verify_file(write(tmp_path / "cider.jsonl", cider_line(0.0), refused))
    assert (both.outcome, both.compared, both.not_compared) == ("agrees", 2, 1)
    alone = verify_file(write(tmp_path / "cider.jsonl", refused))
    assert (alone.outcome, alone.passed) == ("nothing compared", False)


def test_an_unknown_file_is_reported_and_others_go_on(tmp_path: Path) -> None:
    write(tmp_path / "cidre.jsonl", cider_line(0.0))
    write(tmp_path / "cider.jsonl", cider_line(0.0))
    write(tmp_path / "README.md", "not a golden file")
    known, unknown = verify_folder(tmp_path)
    assert (known.name, known.outcome) == ("cider", "agrees")
    assert unknown.outcome == "broken file" and "'cidre'. Did you mean 'cider'?" in unknown.problem


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", r"cider.jsonl:2: not JSON"),
        ("[]", r"cider.jsonl:2: not a golden line.*no id"),
        ({"id": "x", "inputs": {}}, r"cider.jsonl:2: not a golden line.*no expected"),
    ],
)
def test_a_malformed_line_is_named_by_its_number(tmp_path: Path, line: object, message: str) -> None:
    path = write(tmp_path / "cider.jsonl", cider_line(0.0), line)
    with pytest.raises(DataError, match=message):
        verify_file(path)
    (verdict,) = verify_folder(tmp_path)
    assert verdict.outcome == "broken file" and ":2:" in verdict.problem


def test_a_line_that_its_checker_cannot_read_is_named(tmp_path: Path) -> None:
    line = {"id": "cider/two", "inputs": {"images": []}, "expected": {}}
    path = write(tmp_path / "cider.jsonl", cider_line(0.0), line)
    with pytest.raises(DataError, match="the line after cider/one is not what its checker reads"):
        verify_file(path)


def test_a_truncated_archive_is_an_error_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "cider.jsonl.gz"
    path.write_bytes(gzip.compress(json.dumps(cider_line(0.0)).encode())[:-9])
    with pytest.raises(DataError, match=r"cider\.jsonl\.gz: cannot be read"):
        read_golden(path)


def test_names_choose_files_and_must_exist(tmp_path: Path) -> None:
    write(tmp_path / "cider.jsonl", cider_line(0.0))
    write(tmp_path / "bleu.jsonl", "{")
    assert [verdict.name for verdict in verify_each(tmp_path, ["cider"])] == ["cider"]
    with pytest.raises(UnknownName, match="unknown golden file 'cidre'"):
        verify_folder(tmp_path, ["cidre"])
    with pytest.raises(DataError, match=r"there is no rouge_l.jsonl"):
        verify_folder(tmp_path, ["rouge_l"])
    with pytest.raises(DataError, match="no such folder"):
        verify_folder(tmp_path / "nowhere")


def test_an_unpacked_file_stands_for_the_packed_one(tmp_path: Path) -> None:
    (tmp_path / "cider.jsonl.gz").write_bytes(gzip.compress(b"{"))
    write(tmp_path / "cider.jsonl", cider_line(0.0))
    assert [verdict.outcome for verdict in verify_folder(tmp_path)] == ["agrees"]


def token_line(text: str, tokens: str, category: str) -> dict[str, Any]:
    inputs = {"kind": "string", "category": category, "text": text}
    return {"id": f"ptb/{text}", "inputs": inputs, "expected": {"solo": tokens}, "source": "by hand"}


def test_of_the_tokenizer_a_few_probes_may_differ_but_no_real_caption(tmp_path: Path) -> None:
    good = [token_line("a dog", "a dog", "coco_real")] * 399
    probe, caption = token_line("x", "y", "fuzz"), token_line("x", "y", "coco_real")
    path = tmp_path / "ptb_tokenizer.jsonl"
    assert verify_file(write(path, *good, probe)).outcome == "agrees"
    assert verify_file(write(path, *good, probe, probe, probe)).outcome == "differs"
    assert verify_file(write(path, *good, caption)).outcome == "differs"


@pytest.mark.parametrize(
    ("ours", "official", "agrees"),
    [
        (0.1 + 0.2, 0.3, True),
        (0.3001, 0.3, False),
        (1e6 + 1e-5, 1e6, True),  # relative above 1
        (float("nan"), float("nan"), True),
        (float("nan"), 0.0, False),
        (float("inf"), float("inf"), True),
        (1, True, True),
        (0.5, True, False),
        ("a", "a", True),
        ([1.0, 2.0], [1.0], False),
        ({"a": [1.0]}, {"a": [1.0]}, True),
        ({"a": 1.0}, {"b": 1.0}, False),
        (0.0, None, False),
    ],
)
def test_what_counts_as_equal(ours: Any, official: Any, agrees: bool) -> None:
    assert Comparison("value", ours, official).agrees is agrees


def test_a_verdict_without_comparisons_has_not_passed() -> None:
    assert not Verdict("cider").passed
