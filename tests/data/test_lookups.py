"""Second tables: answers and images that lie apart from the questions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evalsuite.data import BadExample, TaskData, open_task_data
from evalsuite.errors import DataError
from evalsuite.specs.schema import TaskSpec
from evalsuite.types import Example

QUESTIONS = [{"question_id": n, "question": f"q{n}", "photo": f"p{n % 2}"} for n in (3, 1, 2)]
ANSWERS = [{"question_id": str(n), "answers": [{"answer": f"a{n}"}, {"answer": "no"}]} for n in (1, 2, 3)]


def spec(**files: Any) -> TaskSpec:
    lookup = {"name": "annotation", "splits": {"val": ["answers.json"]}, "on": "question_id", "key": "question_id"}
    return TaskSpec.model_validate(
        {
            "id": "two_files",
            "version": 1,
            "title": "Two files",
            "family": "vqa",
            "description": "Questions in one file, answers in another.",
            "citation": "Nobody 2020",
            "license": "CC0",
            "transfer": "vqav2",
            "splits": [{"name": "val"}],
            "data": {"files": {"splits": {"val": ["questions.json"]}, "lookups": [lookup], **files}},
            "fields": {
                "id": "question_id",
                "references": "annotation.answers[].answer",
                "values": {"question": "question"},
            },
            "prompt": {"prefix": "{question}"},
            "decoding": {"max_new_tokens": 8},
            "metrics": [{"name": "exact_match", "headline": True}],
        }
    )


def opened(folder: Path, answers: list[dict[str, Any]] = ANSWERS, **files: Any) -> TaskData:
    (folder / "questions.json").write_text(json.dumps({"questions": QUESTIONS}))
    (folder / "answers.json").write_text(json.dumps({"annotations": answers}))
    return open_task_data(spec(**files), "files", data_dir=folder)


def test_answers_join_their_questions_in_the_order_of_the_questions(tmp_path: Path) -> None:
    """Keys are compared as text: 3 in one file is "3" in the other."""
    found = list(opened(tmp_path).examples("val"))
    assert [(e.key.id, e.references) for e in found] == [("3", ["a3", "no"]), ("1", ["a1", "no"]), ("2", ["a2", "no"])]


def test_a_question_without_an_answer_is_an_error_of_its_own(tmp_path: Path) -> None:
    data = opened(tmp_path, ANSWERS[:1])
    data.check()  # one of the first three is whole
    kinds = [type(example) for example in data.examples("val")]
    assert kinds == [BadExample, Example, BadExample]


def test_a_key_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="lookup annotation: two records have the same key"):
        list(opened(tmp_path, ANSWERS + ANSWERS[:1]).examples("val"))


def test_a_missing_second_file_stops_the_task_before_it_starts(tmp_path: Path) -> None:
    data = opened(tmp_path)
    (tmp_path / "answers.json").unlink()
    with pytest.raises(DataError, match=r"answers\.json"):
        data.check()


def test_the_fingerprint_changes_with_the_second_file(tmp_path: Path) -> None:
    before = opened(tmp_path).fingerprint()
    assert opened(tmp_path).fingerprint() == before
    assert opened(tmp_path, list(reversed(ANSWERS))).fingerprint() != before


def test_images_may_lie_in_a_second_table_too(tmp_path: Path) -> None:
    """Parquet keeps them as bytes, which pass through the lookup unchanged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (tmp_path / "red.png").parent.mkdir(exist_ok=True)
    Image.new("RGB", (5, 7), "red").save(tmp_path / "red.png")
    photos = [{"id": f"p{n}", "image": {"bytes": (tmp_path / "red.png").read_bytes(), "path": None}} for n in range(2)]
    pq.write_table(pa.Table.from_pylist(photos), tmp_path / "photos.parquet")
    photo = {"name": "picture", "splits": {"val": ["photos.parquet"]}, "on": "photo", "key": "id"}
    answers = {"name": "annotation", "splits": {"val": ["answers.json"]}, "on": "question_id", "key": "question_id"}
    fields = {"images": ["picture.image"]}
    data = opened(tmp_path, lookups=[answers, photo], fields=fields)
    (picture,) = next(iter(data.examples("val"))).visuals  # type: ignore[union-attr]
    assert picture.frames()[0].size == (5, 7)
