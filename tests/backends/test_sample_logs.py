"""Predictions out of the logs of other harnesses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalsuite.backends.replay.files import Fields, Line, read_predictions
from evalsuite.errors import DataError


def sample(**changes: Any) -> dict[str, Any]:
    """One line of ``samples_docvqa_val_*.jsonl`` as lm-evaluation-harness and lmms-eval write it."""
    return {
        "doc_id": 17,
        "doc": {"questionId": 49153, "question": "what is the date?", "answers": ["1/8/93"]},
        "target": "['1/8/93']",
        "arguments": [["what is the date?", {"until": ["\n"]}]],
        "resps": [["January 8, 1993."]],
        "filtered_resps": ["january 8, 1993"],
        "anls": 0.0,
        **changes,
    }


def read(path: Path, *records: dict[str, Any], **fields: str) -> list[Line]:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return list(read_predictions(path, Fields(**fields)))


def test_a_sample_gives_its_raw_response_under_the_id_of_its_doc(tmp_path: Path) -> None:
    """What another harness's filters made of the answer is part of what may be wrong."""
    assert read(tmp_path / "s.jsonl", sample()) == [Line("49153", "January 8, 1993.")]


def test_a_sample_that_says_why_its_answer_ended_is_believed(tmp_path: Path) -> None:
    assert read(tmp_path / "s.jsonl", sample(finish_reason="length"))[0].ended == "length"


def test_a_doc_without_a_known_id_goes_by_its_place(tmp_path: Path) -> None:
    assert read(tmp_path / "s.jsonl", sample(doc={"query": "q"})) == [Line("17", "January 8, 1993.")]
    assert read(tmp_path / "s.jsonl", sample(doc=None)) == [Line("17", "January 8, 1993.")]
    both = {"image_id": 1, "question_id": 2}
    assert read(tmp_path / "s.jsonl", sample(doc=both)) == [Line("17", "January 8, 1993.")]


def test_the_id_may_be_named(tmp_path: Path) -> None:
    both = {"image_id": 1, "question_id": 2}
    assert read(tmp_path / "s.jsonl", sample(doc=both), id="image_id")[0].id == "1"
    assert read(tmp_path / "s.jsonl", sample(), id="doc_id")[0].id == "17"
    with pytest.raises(DataError, match="line 1: neither the sample nor its doc has a field 'uid'"):
        read(tmp_path / "s.jsonl", sample(), id="uid")


@pytest.mark.parametrize(("responses", "what"), [([["a", "b"]], "2 responses"), ([], "no response")])
def test_logs_of_choices_or_several_samples_cannot_be_replayed(tmp_path: Path, responses: Any, what: str) -> None:
    with pytest.raises(DataError, match=f"line 1: {what}"):
        read(tmp_path / "s.jsonl", sample(resps=responses))


def test_a_vlmevalkit_table_has_its_ids_in_index(tmp_path: Path) -> None:
    """``answer`` holds the reference there, not the prediction."""
    path = tmp_path / "model_DocVQA_VAL.tsv"
    path.write_text("index\tquestion\tanswer\tprediction\n3\twhich year?\t1993\t1994\n")
    assert list(read_predictions(path, Fields())) == [Line("3", "1994")]
