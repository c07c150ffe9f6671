"""The replay backend: every form of file, and an honest account of what did not fit."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from evalsuite.backends.base import BackendOptions
from evalsuite.backends.replay.backend import SKIPPED, ReplayBackend, check, create
from evalsuite.errors import DataError, EvalsuiteError, UnknownName, UsageError
from evalsuite.types import Decoding, ExampleKey, Generation, Request


def request(id_: str, task: str = "vqav2", split: str = "val") -> Request:
    return Request(ExampleKey(task, split, id_), "prompt", (), Decoding(8))


def ask(backend: ReplayBackend, ids: Iterable[str], task: str = "vqav2", split: str = "val") -> list[Generation]:
    return backend.generate([backend.prepare(request(id_, task, split)) for id_ in ids])


def replay(path: Path | str, attributes: Mapping[str, Any] | None = None, **options: str) -> ReplayBackend:
    return create(BackendOptions(None, attributes or {}, {"predictions": str(path), **options}))


def write(path: Path, content: Any) -> Path:
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def lines(*records: dict[str, Any]) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


class TestFormats:
    """Each holds the answers "yes" for id 5 and "no" for id 05: ids compare as text."""

    def check(self, backend: ReplayBackend) -> None:
        assert [generation.text for generation in ask(backend, ["05", "5"])] == ["no", "yes"]

    def test_json_lines(self, tmp_path: Path) -> None:
        content = lines({"id": 5, "text": "yes"}, {"id": "05", "text": "no"})
        self.check(replay(write(tmp_path / "p.jsonl", content + "\n\n")))

    def test_compressed_json_lines(self, tmp_path: Path) -> None:
        path = tmp_path / "p.jsonl.gz"
        path.write_bytes(gzip.compress(lines({"id": 5, "text": "yes"}, {"id": "05", "text": "no"}).encode()))
        self.check(replay(path))

    def test_csv_with_byte_order_mark_and_other_columns(self, tmp_path: Path) -> None:
        self.check(replay(write(tmp_path / "p.csv", "\ufeffscore,question_id,answer\r\n1,5,yes\r\n2,05,no\r\n")))

    def test_tab_separated(self, tmp_path: Path) -> None:
        self.check(replay(write(tmp_path / "p.tsv", "filename\thtml\n5\tyes\n05\tno\n")))

    def test_parquet(self, tmp_path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"example_id": ["5", "05"], "generated_text": ["yes", "no"]}), tmp_path / "p.parquet")
        self.check(replay(tmp_path / "p.parquet"))

    def test_coco_results(self, tmp_path: Path) -> None:
        content = [{"image_id": 5, "caption": "yes"}, {"image_id": "05", "caption": "no"}]
        self.check(replay(write(tmp_path / "p.json", content)))

    def test_vqa_results(self, tmp_path: Path) -> None:
        content = [{"question_id": 5, "answer": "yes"}, {"question_id": "05", "answer": "no"}]
        self.check(replay(write(tmp_path / "p.json", content)))

    def test_docvqa_results(self, tmp_path: Path) -> None:
        content = [{"questionId": 5, "answer": "yes"}, {"questionId": "05", "answer": "no"}]
        self.check(replay(write(tmp_path / "p.json", content)))

    def test_an_object_from_id_to_text(self, tmp_path: Path) -> None:
        self.check(replay(write(tmp_path / "p.json", {"5": "yes", "05": "no"})))

    def test_columns_of_other_names(self, tmp_path: Path) -> None:
        path = write(tmp_path / "p.csv", "id,key,said\nx,5,yes\ny,05,no\n")
        self.check(replay(path, id_field="key", text_field="said"))

    def test_whole_numbers_in_a_float_column_are_whole_numbers(self, tmp_path: Path) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.table({"id": [5.0], "answer": [2]}), tmp_path / "p.parquet")
        assert ask(replay(tmp_path / "p.parquet"), ["5"])[0].text == "2"

    def test_a_cell_may_be_longer_than_the_csv_modules_limit(self, tmp_path: Path) -> None:
        long = "x" * 200_000
        assert ask(replay(write(tmp_path / "p.csv", f"id,text\n1,{long}\n")), ["1"])[0].text == long

    def test_text_is_kept_as_it_is(self, tmp_path: Path) -> None:
        text = ' "a",\n b\r\n\u00e9 '
        assert ask(replay(write(tmp_path / "p.jsonl", lines({"id": 1, "text": text}))), ["1"])[0].text == text


class TestWrongFiles:
    @pytest.mark.parametrize(
        ("name", "content", "error", "message"),
        [
            ("p.txt", "x", UsageError, "unknown kind of file '.txt'. Known: .jsonl"),
            ("p.jsonl", "", DataError, "holds no predictions"),
            ("p.jsonl", '{"id": 1, "text": "a"}\n{"id": 2', DataError, "p.jsonl:2: not valid JSON"),
            ("p.jsonl", '{"id": 1, "text": "a"}\n{"id": 2}', DataError, "line 2 has no field 'text'"),
            ("p.jsonl", '{"id": 1, "text": ["a"]}', DataError, "line 1, field 'text': a prediction is text"),
            ("p.jsonl", '{"id": true, "text": "a"}', DataError, "an id is text or a whole number"),
            ("p.jsonl", "[1]", DataError, "line 1 is list, not an object"),
            ("p.jsonl", '{"id": 1, "id": 2, "text": "a"}', DataError, "line 1 has a key twice"),
            ("p.json", '{"id": 1, "text": "a"}\n{"id": 2, "text": "b"}', DataError, "name it .jsonl"),
            ("p.json", "3", DataError, "expected an array of records or an object"),
            ("p.json", '{"1": {"a": 2}}', DataError, "entry '1': a prediction is text"),
            ("p.csv", "id,text\n1\n", DataError, "line 2 has not as many cells as the header"),
            ("p.csv", 'id,text\n1,"a\n', DataError, "is not CSV"),
            ("p.parquet", "no parquet", DataError, "cannot be read as Parquet"),
            ("p.csv.gz", "no gzip", DataError, "cannot be read"),
        ],
    )
    def test_a_wrong_file_is_named_with_its_mistake(
        self, tmp_path: Path, name: str, content: str, error: type[EvalsuiteError], message: str
    ) -> None:
        with pytest.raises(error) as caught:
            replay(write(tmp_path / name, content))
        assert str(caught.value).startswith(str(tmp_path / name))
        assert message in str(caught.value)

    def test_text_of_another_encoding_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "p.csv").write_bytes("id,text\n1,caf\u00e9\n".encode("latin-1"))
        with pytest.raises(DataError, match="is not UTF-8"):
            replay(tmp_path / "p.csv")

    @pytest.mark.parametrize(
        ("record", "message"),
        [
            (
                {"id": 1, "image_id": 2, "text": "a"},
                "'id' and 'image_id' may each hold the id; choose with --option id_field",
            ),
            ({"id": 1, "prediction": "a", "answer": "b"}, "'prediction' and 'answer' may each hold the text"),
            ({"key": 1, "text": "a"}, "no column that holds the id"),
            ({"id": 1, "said": "a"}, "name it with --option text_field=NAME"),
        ],
    )
    def test_columns_that_are_not_plain_are_listed(self, tmp_path: Path, record: dict[str, Any], message: str) -> None:
        with pytest.raises(UsageError) as caught:
            replay(write(tmp_path / "p.jsonl", lines(record)))
        assert message in str(caught.value)
        assert str(caught.value).endswith("Columns: " + ", ".join(map(repr, record)))

    def test_a_chosen_column_must_exist(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no column 'key'"):
            replay(write(tmp_path / "p.jsonl", lines({"id": 1, "text": "a"})), id_field="key")

    def test_a_missing_file_is_a_usage_error(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="no such file of predictions"):
            replay(tmp_path / "p.jsonl")


class TestOptions:
    def test_the_file_must_be_given(self) -> None:
        with pytest.raises(UsageError, match="--predictions FILE"):
            check(BackendOptions(None, {}, {}))

    def test_an_unknown_option_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UnknownName, match="Did you mean 'missing'"):
            replay(tmp_path / "p.jsonl", mising="skip")

    @pytest.mark.parametrize("option", ["missing", "duplicates"])
    def test_a_value_that_is_no_choice_is_refused(self, option: str) -> None:
        with pytest.raises(UsageError, match=f"option {option}='maybe' is not valid"):
            check(BackendOptions(None, {}, {"predictions": "p.jsonl", option: "maybe"}))

    def test_check_finds_what_create_would_find(self, tmp_path: Path) -> None:
        path = write(tmp_path / "p.jsonl", "{")
        with pytest.raises(DataError):
            check(BackendOptions(None, {}, {"predictions": str(path)}))


class TestMissing:
    def test_by_default_it_is_an_error_that_names_the_file(self, tmp_path: Path) -> None:
        path = write(tmp_path / "p.json", {"1": "a"})
        (generation,) = ask(replay(path), ["2"])
        assert generation.error == f"no prediction for this id in {path}"
        assert not generation.skipped

    def test_it_can_be_an_empty_answer(self, tmp_path: Path) -> None:
        (generation,) = ask(replay(write(tmp_path / "p.json", {"1": "a"}), missing="empty"), ["2"])
        assert (generation.text, generation.error) == ("", None)

    def test_it_can_be_left_out(self, tmp_path: Path) -> None:
        (generation,) = ask(replay(write(tmp_path / "p.json", {"1": "a"}), missing="skip"), ["2"])
        assert generation.skipped and generation.error == SKIPPED

    def test_an_empty_prediction_is_there_and_a_null_one_is_not(self, tmp_path: Path) -> None:
        first, second = ask(replay(write(tmp_path / "p.json", {"1": "", "2": None})), ["1", "2"])
        assert (first.text, first.error) == ("", None)
        assert second.error

    def test_one_generation_per_request_in_order(self, tmp_path: Path) -> None:
        backend = replay(write(tmp_path / "p.json", {"1": "a", "2": "b", "3": "c"}))
        generations = ask(backend, ["3", "9", "1"])
        assert [(g.key.id, g.text) for g in generations] == [("3", "c"), ("9", ""), ("1", "a")]


class TestReport:
    def test_it_counts_matched_and_lists_missing_and_extra(self, tmp_path: Path) -> None:
        backend = replay(write(tmp_path / "p.json", {"1": "a", "2": "b", "3": "c"}))
        ask(backend, ["2", "8", "9"])
        report = backend.report("vqav2", "val")
        assert (report.matched, report.missing, report.extra, report.duplicates) == (1, ("8", "9"), ("1", "3"), ())
        assert report.summary() == (
            "1 prediction replayed; 2 examples without a prediction: 8, 9; 2 predictions for no example: 1, 3"
        )

    def test_it_is_silent_when_everything_fits(self, tmp_path: Path) -> None:
        backend = replay(write(tmp_path / "p.json", {"1": "a"}))
        ask(backend, ["1"])
        assert backend.report("vqav2", "val").summary() == ""

    def test_ids_of_an_earlier_session_are_not_left_over(self, tmp_path: Path) -> None:
        backend = replay(write(tmp_path / "p.json", {"1": "a", "2": "b"}))
        ask(backend, ["2"])
        assert backend.report("vqav2", "val", also_asked=["1"]).extra == ()

    def test_splits_are_counted_apart(self, tmp_path: Path) -> None:
        backend = replay(write(tmp_path / "p.json", {"1": "a", "2": "b"}))
        ask(backend, ["1"], split="val")
        ask(backend, ["2", "3"], split="test")
        assert (backend.report("vqav2", "val").matched, backend.report("vqav2", "val").missing) == (1, ())
        assert (backend.report("vqav2", "test").matched, backend.report("vqav2", "test").missing) == (1, ("3",))

    def test_long_lists_are_cut_in_the_summary_only(self, tmp_path: Path) -> None:
        backend = replay(write(tmp_path / "p.json", {str(number): "a" for number in range(100)}))
        ask(backend, ["0"])
        report = backend.report("vqav2", "val")
        assert len(report.extra) == 99
        assert "1, 2, 3, 4, 5, … (99 in all)" in report.summary()


class TestDuplicates:
    RECORDS = ({"id": 1, "text": "first"}, {"id": 2, "text": "b"}, {"id": 1, "text": "last"})

    def test_identical_ones_collapse(self, tmp_path: Path) -> None:
        backend = replay(write(tmp_path / "p.jsonl", lines(*[{"id": 1, "text": "a"}] * 3)))
        assert ask(backend, ["1"])[0].text == "a"
        assert backend.report("vqav2", "val").duplicates == ()

    def test_differing_ones_are_refused_and_listed(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match=r"differing predictions: 1\. Repair the file, or choose"):
            replay(write(tmp_path / "p.jsonl", lines(*self.RECORDS)))

    @pytest.mark.parametrize("choice", ["first", "last"])
    def test_one_of_them_can_be_chosen(self, tmp_path: Path, choice: str) -> None:
        backend = replay(write(tmp_path / "p.jsonl", lines(*self.RECORDS)), duplicates=choice)
        assert ask(backend, ["1"])[0].text == choice
        assert backend.report("vqav2", "val").duplicates == ("1",)

    def test_a_key_that_occurs_twice_in_an_object_is_seen(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError, match="differing predictions: 7"):
            replay(write(tmp_path / "p.json", '{"7": "a", "7": "b"}'))


class TestSeveralTasks:
    def test_task_split_and_attributes_name_the_file(self, tmp_path: Path) -> None:
        write(tmp_path / "3B-vqav2-val.json", {"1": "a"})
        write(tmp_path / "3B-gqa-test.json", {"1": "b"})
        backend = replay(f"{tmp_path}/{{size}}-{{task}}-{{split}}.json", attributes={"size": "3B"})
        assert ask(backend, ["1"])[0].text == "a"
        assert ask(backend, ["1"], task="gqa", split="test")[0].text == "b"
        assert backend.report("gqa", "test").summary() == ""

    def test_a_task_without_a_file_fails_by_name(self, tmp_path: Path) -> None:
        write(tmp_path / "vqav2.json", {"1": "a"})
        with pytest.raises(UsageError, match=r"gqa\.json: no such file"):
            ask(replay(f"{tmp_path}/{{task}}.json"), ["1"], task="gqa")

    def test_an_unknown_placeholder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(UnknownName, match="placeholder 'tsk'"):
            replay(f"{tmp_path}/{{tsk}}.json")

    def test_columns_task_and_split_keep_equal_ids_apart(self, tmp_path: Path) -> None:
        content = lines(
            {"task": "vqav2", "split": "val", "id": 1, "text": "a"},
            {"task": "gqa", "split": "test", "id": 1, "text": "b"},
        )
        backend = replay(write(tmp_path / "p.jsonl", content))
        assert ask(backend, ["1"])[0].text == "a"
        assert ask(backend, ["1"], task="gqa", split="test")[0].text == "b"
        assert backend.report("vqav2", "val").extra == ()

    def test_an_answer_for_another_task_only_says_whose_it_is(self, tmp_path: Path) -> None:
        path = write(tmp_path / "p.jsonl", lines({"task": "captions", "split": "val", "id": 1, "text": "a"}))
        assert ask(replay(path), ["1"])[0].error == f"no prediction for this id in {path}, which is for captions"

    def test_a_column_split_alone_means_nothing(self, tmp_path: Path) -> None:
        path = write(tmp_path / "p.jsonl", lines({"split": "train2014", "id": 1, "text": "a"}))
        assert ask(replay(path), ["1"])[0].text == "a"


class TestDescription:
    def test_it_names_the_file_and_its_digest(self, tmp_path: Path) -> None:
        path = write(tmp_path / "p.json", {"1": "a"})
        described = replay(path).describe()
        assert described["backend"] == "replay"
        assert described["path"] == str(path)
        assert described["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()

    def test_another_answer_changes_it(self, tmp_path: Path) -> None:
        template = f"{tmp_path}/{{task}}.json"
        write(tmp_path / "a.json", {"1": "a"})
        write(tmp_path / "b.json", {"1": "a"})
        before = replay(template).describe()
        write(tmp_path / "b.json", {"1": "b"})
        after = replay(template).describe()
        assert before["sha256"] != after["sha256"]
        assert before == {**after, "sha256": before["sha256"], "files": before["files"]}

    def test_options_that_change_answers_are_in_it(self, tmp_path: Path) -> None:
        path = write(tmp_path / "p.json", {"1": "a"})
        assert replay(path, missing="empty").describe() != replay(path).describe()


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_why_an_answer_ended_is_read_where_the_file_says_it(form: str, tmp_path: Path) -> None:
    """A server's ``finish_reason``, or our own word in ``ended``; other words, and none, say nothing."""
    rows = [
        {"id": "1", "text": "a", "finish_reason": "length", "ended": None},
        {"id": "2", "text": "b", "finish_reason": None, "ended": "filter"},
        {"id": "3", "text": "c", "finish_reason": "stop", "ended": "soon"},
        {"id": "4", "text": "d", "finish_reason": "tool_calls", "ended": None},
    ]
    path = tmp_path / f"p.{form}"
    if form == "jsonl":
        path.write_text(lines(*rows))
    elif form == "csv":
        cells = [list(rows[0])] + [["" if value is None else value for value in row.values()] for row in rows]
        path.write_text("".join(",".join(row) + "\n" for row in cells))
    else:
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(rows), path)
    found = ask(replay(path), ["1", "2", "3", "4"])
    assert [answer.ended for answer in found] == ["length", "filter", "end", None]
    assert ask(replay(write(tmp_path / "plain.json", {"1": "a"})), ["1"])[0].ended is None


def test_of_two_predictions_for_an_id_the_ending_is_that_of_the_one_that_counts(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", lines({"id": 1, "text": "a", "finish_reason": "length"}, {"id": 1, "text": "b"}))
    assert ask(replay(path, duplicates="first"), ["1"])[0].ended == "length"
    assert ask(replay(path, duplicates="last"), ["1"])[0].ended is None
