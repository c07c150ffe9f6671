"""Question files of RSVQA: what is active in the split, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalsuite.data.formats import load_format
from evalsuite.errors import DataError


def read(tmp_path: Path, document: Any) -> list[dict[str, Any]]:
    path = tmp_path / "LR_split_test_questions.json"
    path.write_text(json.dumps(document))
    return list(load_format("rsvqa_questions")(path))


def test_questions_of_other_splits_are_passed_over(tmp_path: Path) -> None:
    mine = {"id": 1, "img_id": 4, "type": "comp", "question": "Are there?", "answers_ids": [1], "active": True}
    assert read(tmp_path, {"questions": [{"id": 0, "active": False}, mine]}) == [mine]


def test_a_file_without_questions_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"LR_split_test_questions\.json: .*list 'questions'"):
        read(tmp_path, {"answers": []})


def test_an_entry_that_is_no_question_is_named_by_its_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"question 1 must be an object with 'active'"):
        read(tmp_path, {"questions": [{"id": 0, "active": False}, "?"]})
