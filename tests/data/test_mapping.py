"""Records become examples by the expressions of a spec, and a record that cannot is named, not lost."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from PIL import Image

from evalsuite.data import BadExample
from evalsuite.data.expressions import FUNCTIONS, compile_expression
from evalsuite.data.mapping import Mapper
from evalsuite.errors import SpecError
from evalsuite.media.images import ImageBytes, ImageFile
from evalsuite.media.video import ClipVisual, VideoBytes, VideoFile
from evalsuite.specs.schema import TaskSpec
from evalsuite.types import Example, ExampleKey

RECORD = {"question_id": 5, "question": "How many?", "answers": ["2", "two"], "image": "a.jpg", "type": "count"}
TASK: dict[str, Any] = yaml.safe_load((Path(__file__).parents[1] / "fixtures" / "picture_task.yaml").read_text("utf-8"))


def spec(**changes: Any) -> TaskSpec:
    """A small VQA spec; ``changes`` replace fields of its mapping."""
    usual = {"id": "question_id", "references": "answers"}
    more = {"image": {"frames": 4, "stride": 2}} if "video" in changes else {}
    return TaskSpec.model_validate(
        {**TASK, "fields": {**TASK["fields"], **usual, **changes}, "prompt": {"prefix": "answer en"}, **more}
    )


def mapped(record: dict[str, Any], media_root: Path | None = Path("media"), **changes: Any) -> Example:
    task = spec(**changes)
    (example,) = Mapper(task, task.fields, media_root).map(record, "val", 3)
    assert isinstance(example, Example), example
    return example


def refused(record: dict[str, Any], media_root: Path | None = Path("media"), **changes: Any) -> BadExample:
    task = spec(**changes)
    (example,) = Mapper(task, task.fields, media_root).map(record, "val", 3)
    assert isinstance(example, BadExample), example
    return example


def png(width: int = 3, height: int = 2) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (width, height)).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_record_becomes_an_example_with_text_fields() -> None:
    example = mapped(RECORD, strata={"kind": "type"})
    assert example.key == ExampleKey("tiny_vqa", "val", "5") and example.position == 3
    assert example.fields == {"question": "How many?"} and example.references == ["2", "two"]
    assert example.strata == {"kind": "count"}
    assert example.visuals == (ImageFile(Path("media/a.jpg").resolve()),)


@pytest.mark.parametrize(
    ("value", "expected"), [(5, "5"), (5.0, "5"), (2.5, "2.5"), (True, "True"), ("no", "no"), ("", "")]
)
def test_values_become_text(value: object, expected: str) -> None:
    assert mapped({**RECORD, "question": value}).fields["question"] == expected


def test_a_single_reference_is_wrapped_and_numbers_and_objects_are_kept() -> None:
    assert mapped({**RECORD, "answers": "2"}).references == ["2"]
    assert mapped({**RECORD, "answers": 2}).references == [2]
    assert mapped({**RECORD, "answers": {"box": [1, 2]}}).references == [{"box": [1, 2]}]
    assert mapped({**RECORD, "answers": []}).references == []


def test_explode_gives_one_example_per_item() -> None:
    task = spec(
        explode="qa",
        id="join('-', [image, text(index)])",
        references="item.answer",
        values={"question": "item.question"},
    )
    record = {"image": "a.jpg", "qa": [{"question": "q0", "answer": "1"}, {"question": "q1", "answer": "2"}]}
    first, second = Mapper(task, task.fields, Path("media")).map(record, "val", 10)
    assert isinstance(first, Example) and isinstance(second, Example)
    assert [first.key.id, second.key.id] == ["a.jpg-0", "a.jpg-1"]
    assert [first.position, second.position] == [10, 11]
    assert second.fields == {"question": "q1"} and second.references == ["2"]


def test_parallel_lists_are_joined_by_index() -> None:
    task = spec(explode="questions", id="text(index)", references="at(answers, index)", values={"question": "item"})
    record = {"image": "a.jpg", "questions": ["a", "b"], "answers": ["1", "2"]}
    examples = Mapper(task, task.fields, Path("media")).map(record, "val", 0)
    assert [example.references for example in examples] == [["1"], ["2"]]


def test_an_empty_list_explodes_into_nothing_and_no_list_is_an_error() -> None:
    task = spec(explode="qa", id="item.id")
    mapper = Mapper(task, task.fields, Path("media"))
    assert mapper.map({"qa": []}, "val", 0) == []
    (bad,) = mapper.map({"qa": None}, "val", 0)
    assert isinstance(bad, BadExample) and "'explode' (expression 'qa') gives no list" in bad.error


def test_the_place_of_a_record_is_its_position() -> None:
    assert mapped(RECORD, id="text(position)").key.id == "3"
    assert mapped({**RECORD, "position": "left"}, id="position").key.id == "left"


def test_a_missing_column_is_named_with_the_field_and_the_nearest_column() -> None:
    bad = refused({**RECORD}, values={"question": "qestion"})
    assert "no column 'qestion', which field 'values.question' reads. Did you mean 'question'?" in bad.error


def test_a_value_that_is_not_there_is_named_with_its_expression() -> None:
    bad = refused({**RECORD, "question": None})
    assert bad.error == "field 'values.question' (expression 'question'): gives nothing"
    assert bad.key.id == "5" and bad.position == 3


def test_a_bad_example_keeps_references_and_strata() -> None:
    bad = refused({**RECORD, "image": None}, strata={"kind": "type"})
    assert bad.references == ["2", "two"] and bad.strata == {"kind": "count"}


def test_without_an_id_the_position_names_the_example() -> None:
    assert refused({**RECORD, "question_id": None}).key.id == "position-3"
    assert refused({**RECORD, "question_id": ""}).key.id == "position-3"


@pytest.mark.parametrize("value", [["a"], {"a": 1}, b"a", float("nan")])
def test_what_is_no_text_is_refused_as_a_value(value: object) -> None:
    assert "values.question" in refused({**RECORD, "question": value}).error


@pytest.mark.parametrize("value", [None, [None], [b"bytes"], b"bytes"])
def test_what_cannot_be_stored_is_refused_as_a_reference(value: object) -> None:
    assert "references" in refused({**RECORD, "answers": value}).error


def test_a_comparison_with_a_missing_column_is_no_silent_false() -> None:
    expression = "label == `1` && 'True' || 'False'"
    assert mapped({**RECORD, "label": 1}, references=expression).references == ["True"]
    assert mapped({**RECORD, "label": 0}, references=expression).references == ["False"]
    assert "no column 'label'" in refused(RECORD, references=expression).error


def test_an_alternative_makes_a_column_optional() -> None:
    assert mapped(RECORD, values={"question": "hint || 'N/A'"}).fields["question"] == "N/A"
    assert mapped(RECORD, values={"question": "not_null(hint, question)"}).fields["question"] == "How many?"


# Images and videos


def test_images_come_as_path_bytes_embedded_object_visual_or_list() -> None:
    data = png()
    assert mapped({**RECORD, "image": data}).visuals == (ImageBytes(data),)
    assert mapped({**RECORD, "image": {"bytes": data, "path": "x.png"}}).visuals == (ImageBytes(data, "x.png"),)
    named = {"bytes": None, "path": "b.jpg"}
    assert mapped({**RECORD, "image": named}).visuals == (ImageFile(Path("media/b.jpg").resolve()),)
    visual = ImageBytes(data)
    assert mapped({**RECORD, "image": [visual, "a.jpg"]}).visuals[0] is visual


def test_several_image_expressions_keep_their_order() -> None:
    example = mapped({**RECORD, "left": "l.png", "right": "r.png"}, images=["left", "right"])
    assert [visual.path.name for visual in example.visuals] == ["l.png", "r.png"]  # type: ignore[attr-defined]


def test_videos_come_as_path_embedded_object_or_clip() -> None:
    class Clip:
        frame_total = 9

        def frame(self, index: int) -> Image.Image:
            return Image.new("RGB", (1, 1))

    clip = Clip()
    changes: dict[str, Any] = {"images": [], "video": "clip"}
    assert mapped({**RECORD, "clip": clip}, **changes).visuals == (ClipVisual(clip, 4, 2),)
    assert mapped({**RECORD, "clip": "a.mp4"}, **changes).visuals == (VideoFile(Path("media/a.mp4").resolve(), 4, 2),)
    embedded = {"bytes": b"data", "path": "a.mp4"}
    assert mapped({**RECORD, "clip": embedded}, **changes).visuals == (VideoBytes(b"data", "a.mp4", 4, 2),)


@pytest.mark.parametrize("path", ["../secret.png", "a/../../secret.png", "/etc/passwd", "link/secret.png", "leak.png"])
def test_no_path_leaves_the_media_folder(tmp_path: Path, path: str) -> None:
    media, outside = tmp_path / "media", tmp_path / "outside"
    for folder in (media, outside):
        folder.mkdir()
    (tmp_path / "secret.png").write_bytes(png())
    os.symlink(outside, media / "link")
    os.symlink(tmp_path / "secret.png", media / "leak.png")
    assert "leads out of the media folder" in refused({**RECORD, "image": path}, media).error


def test_paths_inside_the_media_folder_are_fine_however_they_are_written(tmp_path: Path) -> None:
    media = tmp_path / "linked"
    (tmp_path / "real" / "sub").mkdir(parents=True)
    os.symlink(tmp_path / "real", media)
    inside = ImageFile((tmp_path / "real" / "a.png").resolve())
    for path in ("a.png", "sub/../a.png", "./a.png", str(media / "a.png")):
        assert mapped({**RECORD, "image": path}, media).visuals == (inside,)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("https://example.org/a.jpg", "web address"),
        ("", "not a path"),
        ("a\0b", "not a path"),
        ("..", "a folder"),
        (7, "is not an image"),
        ({"bytes": None, "path": None}, "is not an image"),
    ],
)
def test_what_is_no_image_is_refused(value: object, reason: str) -> None:
    bad = refused({**RECORD, "image": value})
    assert reason in bad.error and "images[0]" in bad.error


def test_without_a_media_folder_paths_are_refused() -> None:
    assert "no media folder" in refused(RECORD, None).error


# Expressions


def value(expression: str, **record: Any) -> Any:
    return compile_expression(expression).get(record)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("text(a)", "2"),
        ("lower(b)", ["x, y", "z"]),
        ("strip(e)", "wide"),
        ("replace(c, '-', ' ')", "one two"),
        ("split(c, '-')", ["one", "two"]),
        ("at(b, a2)", "Z"),
        ("items(d)", ["p", "q"]),
        ("items(b)", ["X, Y", "Z"]),
        ("unique(['a', 'b', 'a'])", ["a", "b"]),
        ("any_order(b)", ["X, Y", "Y, X", "Z"]),
        ("letter(a2)", "B"),
        ("join(', ', lettered(b))", "(A) X, Y, (B) Z"),
        ("corners(box)", [10, 20, 40, 60]),
        ("shares(corners(box), size)", [0.1, 0.1, 0.4, 0.3]),
        ("padded(a, `4`)", "0002"),
        ("value(numbers, c)", 7),
        ("named_boxes([box], [`2`], b)", [{"bbox": [10, 20, 30, 40], "category": "Z"}]),
    ],
)
def test_every_function_does_what_its_line_says(expression: str, expected: object) -> None:
    record = {"a": 2.0, "a2": "1", "b": ["X, Y", "Z"], "c": "one-two", "d": "['p', 'q']", "e": " wide "}
    record |= {"box": [10, 20, 30, 40], "size": [200, 100], "numbers": {"one-two": 7}}
    assert value(expression, **record) == expected
    assert expression.split("(")[0] in FUNCTIONS or expression.startswith("join")


def test_the_image_size_is_height_then_width(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(png(30, 20))
    references = "{box: box, size: image_size(image)}"
    example = mapped({**RECORD, "box": [1]}, tmp_path, references=references)
    assert example.references == [{"box": [1], "size": [20, 30]}]
    assert "no such file" in refused({**RECORD, "image": "b.jpg", "box": [1]}, tmp_path, references=references).error


def test_an_unordered_answer_of_many_parts_is_kept_as_written() -> None:
    answer = ", ".join("abcdefgh")
    assert value("any_order(a)", a=[answer]) == [answer]


@pytest.mark.parametrize(
    "expression", ["at(b, `5`)", "at(b, `-1`)", "items(c)", "letter(`26`)", "corners(b)", "text(b)", "join(',', c)"]
)
def test_a_function_with_wrong_arguments_makes_a_bad_example(expression: str) -> None:
    bad = refused({**RECORD, "b": ["x"], "c": "plain"}, values={"question": expression})
    assert f"(expression {expression!r})" in bad.error


def test_written_lists_are_read_but_never_run() -> None:
    bad = refused({**RECORD, "answers": "__import__('os').getcwd()"}, references="items(answers)")
    assert "is not a list" in bad.error


def test_mistakes_in_expressions_are_spec_errors_that_name_the_field() -> None:
    task = spec(values={"question": "txt(question)"}, references="answers[", strata={"kind": "type"})
    with pytest.raises(SpecError) as error:
        Mapper(task, task.fields, None)
    first, second = error.value.problems
    assert first.startswith("tiny_vqa: fields.references: expression 'answers['")
    assert "fields.values.question" in second and "Did you mean 'text'?" in second


@pytest.mark.parametrize(
    ("expression", "needed", "required"),
    [
        ("a", {"a"}, {"a"}),
        ('"Correct Answer"', {"Correct Answer"}, {"Correct Answer"}),
        ("a[].b", {"a"}, {"a"}),
        ("a[?b == 'x'].c | [0]", {"a"}, {"a"}),
        ("{x: a.b, y: image_size(c)}", {"a", "c"}, {"a", "c"}),
        ("a || b", {"a", "b"}, set()),
        ("not_null(a, b)", {"a", "b"}, set()),
        ("a == `1` && 'x' || b", {"a", "b"}, {"a"}),
        ("a == `null` && 'x' || b", {"a", "b"}, set()),
        ("max_by(a, &b)", {"a"}, {"a"}),
        ("'literal'", set(), set()),
        ("@", None, set()),
        ("*.b", None, set()),
    ],
)
def test_an_expression_tells_the_columns_it_reads(expression: str, needed: set[str] | None, required: set[str]) -> None:
    columns = compile_expression(expression).columns
    assert columns.needed == needed and columns.required == required


def test_what_the_mapping_adds_is_not_asked_of_the_source() -> None:
    task = spec(explode="qa", id="join('-', [image, text(index), text(position)])", references="item.answer", values={})
    assert Mapper(task, task.fields, None).columns.required == {"image", "qa"}
