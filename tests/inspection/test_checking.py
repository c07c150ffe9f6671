"""Checking data: everything that is wrong in one list; what would stop a run is an error, the rest warnings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import UnknownName
from evalsuite.inspection.checking import DataCheck, check_data
from evalsuite.specs.schema import TaskSpec

Make = Callable[..., TaskSpec]
Write = Callable[..., Path]
Rows = list[dict[str, Any]]


def messages(check: DataCheck, level: str) -> list[str]:
    return [problem.message for problem in check.problems if problem.level == level]


def test_sound_data_have_no_problem(make_spec: Make, write: Write, rows: Rows) -> None:
    check = check_data(make_spec(), "files", data_dir=write(rows))
    assert check.problems == [] and check.ok
    (split,) = check.splits
    assert (split.name, split.examples, split.published) == ("val", 4, 4)


def test_columns_are_listed_with_their_types_and_their_use(make_spec: Make, write: Write, rows: Rows) -> None:
    (split,) = check_data(make_spec(), "files", data_dir=write(rows)).splits
    found = {column.name: (column.type, column.required) for column in split.columns}
    assert found["id"] == ("integer", True) and found["answers"] == ("list of text", True)
    assert found["more"] == ("number", False)


def test_the_first_and_the_last_example_are_shown_as_the_model_gets_them(
    make_spec: Make, write: Write, rows: Rows
) -> None:
    (split,) = check_data(make_spec(), "files", data_dir=write(rows)).splits
    first, last = split.shown
    assert (first.id, last.id) == ("0", "3")
    assert first.prompt == "answer en··q0?" and first.media == "8 x 6"
    assert [(view.text, view.times) for view in first.references] == [("a", 9), ("b", 1)]


def test_all_missing_columns_are_errors_with_the_nearest_name(make_spec: Make, write: Write, rows: Rows) -> None:
    renamed = [{"id": row["id"], "questions": "?", "answer": row["answers"], "image": row["image"]} for row in rows]
    check = check_data(make_spec(), "files", data_dir=write(renamed))
    assert not check.ok
    assert messages(check, "error") == [
        "there is no column 'answers', which the mapping needs. Did you mean 'answer'?",
        "there is no column 'question', which the mapping needs. Did you mean 'questions'?",
    ]


def test_another_size_than_the_published_one_is_a_warning(make_spec: Make, write: Write, rows: Rows) -> None:
    check = check_data(make_spec(), "files", data_dir=write(rows[:3]))
    assert check.ok and messages(check, "warning") == ["3 examples; the published split has 4"]


def test_a_limit_leaves_the_size_open(make_spec: Make, write: Write, rows: Rows) -> None:
    spec = make_spec(fields={**make_spec().fields.model_dump(exclude_none=True), "where": "id >= `0`"})
    check = check_data(spec, "files", data_dir=write(rows[:3]), limit=2)
    assert check.problems == []
    assert check.splits[0].examples is None and [view.id for view in check.splits[0].shown] == ["0"]


def test_ids_that_occur_twice_are_an_error(make_spec: Make, write: Write, rows: Rows) -> None:
    check = check_data(make_spec(), "files", data_dir=write([*rows[:3], {**rows[3], "id": 0}]))
    assert messages(check, "error") == [
        "1 examples have an id that another one has ('0'); ids must be unique in their split"
    ]


def test_references_that_a_metric_cannot_use_are_an_error(make_spec: Make, write: Write, rows: Rows) -> None:
    spec = make_spec(metrics=[{"name": "mask_iou", "headline": True}])
    (message,) = messages(check_data(spec, "files", data_dir=write(rows)), "error")
    assert message.startswith("metric mask_iou cannot use the references: mask_iou: needs one reference")


def test_a_metric_that_sees_a_part_is_given_that_part(make_spec: Make, write: Write, rows: Rows) -> None:
    """Nine answers where ten are expected would do no harm to a metric that never sees them."""
    fields = {**make_spec().fields.model_dump(exclude_none=True), "strata": {"first": "id == `0` && 'yes' || 'no'"}}
    metrics = [{"name": "mask_iou", "headline": True, "only": {"first": "maybe"}}]
    assert check_data(make_spec(fields=fields, metrics=metrics), "files", data_dir=write(rows)).ok


def test_a_few_unusable_records_are_a_warning_and_many_an_error(make_spec: Make, write: Write, rows: Rows) -> None:
    def check(count: int, broken: int) -> DataCheck:
        many = [{**rows[0], "id": n, "question": None if n >= count - broken else "?"} for n in range(count)]
        return check_data(make_spec(splits=[{"name": "val"}]), "files", data_dir=write(many))

    (message,) = messages(check(200, 1), "warning")
    assert message.startswith("1 of 200 examples cannot be used; the first: 199: field 'values.question'")
    assert check(200, 1).ok and not check(200, 3).ok


def test_one_broken_image_is_a_warning_and_three_at_the_start_an_error(
    make_spec: Make, write: Write, rows: Rows
) -> None:
    folder = write(rows)
    (folder / "images" / "0.png").write_bytes(b"")
    check = check_data(make_spec(), "files", data_dir=folder)
    assert check.ok and "0.png: the file is empty" in messages(check, "warning")[0]
    for n in (1, 2):
        (folder / "images" / f"{n}.png").write_bytes(b"")
    (error,) = messages(check_data(make_spec(), "files", data_dir=folder), "error")
    assert error.startswith("the first 3 examples cannot be used, 0: ")


def test_missing_files_are_counted(make_spec: Make, write: Write, rows: Rows) -> None:
    folder = write(rows)
    for n in (2, 3):
        (folder / "images" / f"{n}.png").unlink()
    check = check_data(make_spec(), "files", data_dir=folder)
    (error,) = messages(check, "error")
    assert error.startswith("2 of 4 examples cannot be used; the first: there is no ") and error.endswith("2.png")


def test_references_for_another_image_size_are_a_warning(make_spec: Make, write: Write, rows: Rows) -> None:
    mask = {"mask": {"size": [12, 16], "counts": [192]}, "box_xywh": [0, 0, 1, 1]}
    spec = make_spec(metrics=[{"name": "mask_iou", "headline": True}])
    check = check_data(spec, "files", data_dir=write([{**row, "answers": [mask]} for row in rows]))
    assert check.ok
    assert messages(check, "warning")[0] == (
        "example 0: its references are for 12 x 16 pixels (height x width), the image has 6 x 8"
    )


def test_only_the_splits_that_are_asked_for_are_read(make_spec: Make, write: Write, rows: Rows) -> None:
    spec = make_spec(splits=[{"name": "val"}, {"name": "test"}])
    check = check_data(spec, "files", data_dir=write(rows), splits=["val"])
    assert check.ok
    with pytest.raises(UnknownName, match="'val'"):
        check_data(spec, "files", data_dir=write(rows), splits=["vall"])


def test_a_hub_that_cannot_be_reached_is_one_error(make_spec: Make) -> None:
    """Tests run in offline mode, and nothing was downloaded."""
    spec = make_spec(splits=[{"name": "val"}, {"name": "test"}], gating="sign the form")
    check = check_data(spec, "hub")
    (message,) = messages(check, "error")
    assert "owner/name is not downloaded, and offline mode is on" in message and "sign the form" in message
    assert check.splits == []


def test_a_metric_that_lacks_what_it_needs_is_an_error(make_spec: Make, write: Write, rows: Rows) -> None:
    spec = make_spec(metrics=[{"name": "mask_iou", "headline": True, "parameters": {"weights": "absent.npz"}}])
    check = check_data(spec, "files", data_dir=write(rows))
    assert not check.ok and messages(check, "error")[0].startswith("metric mask_iou: ")


def test_hub_data_with_a_second_table_need_the_columns_of_the_first_alone(
    make_spec: Make, write: Write, rows: Rows, hub: Any
) -> None:
    write([{**row, "key": row["id"]} for row in rows])
    lookup = {"name": "found", "on": "key", "key": "id"}
    fields = {"id": "id", "references": "found.answers", "values": {"question": "question"}}
    spec = make_spec(data={"hub": {"id": "owner/name", "lookups": [lookup]}}, fields=fields)
    check = check_data(spec, "hub")
    assert check.problems == []
    assert {column.name for column in check.splits[0].columns if column.required} == {"id", "key", "question"}
