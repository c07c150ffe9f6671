"""What a run asks, what it refuses, and what it leaves behind when something goes wrong."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import evalsuite
from evalsuite import api
from evalsuite.backends.base import Prepared
from evalsuite.engine.observer import Silent
from evalsuite.errors import BackendError, EvalsuiteError, StoreError, UsageError
from evalsuite.runs.store import PredictionStore
from evalsuite.settings.limits import ErrorBudget, Limit
from evalsuite.settings.run import RunConfig
from evalsuite.types import Request

Write = Callable[..., Path]
Run = Callable[..., evalsuite.RunResult]
EXPLODED = {"explode": "items", "id": "item.id", "references": "item.answer", "values": {"question": "item.question"}}


def rows(count: int, start: int = 0) -> list[dict[str, Any]]:
    return [{"id": str(n), "question": f"say {n}", "answer": f"say {n}"} for n in range(start, start + count)]


def records(*sizes: int) -> list[dict[str, Any]]:
    """Records that explode into these numbers of examples, numbered through."""
    starts = [sum(sizes[:place]) for place in range(len(sizes))]
    return [{"items": rows(size, start)} for size, start in zip(sizes, starts, strict=True)]


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def second_task(tmp_path: Path, lines: str | None = None) -> None:
    """A task ``also`` beside ``own``, with the same records unless told otherwise."""
    spec = (tmp_path / "specs" / "own.yaml").read_text()
    (tmp_path / "specs" / "also.yaml").write_text(spec.replace("id: own\n", "id: also\n"))
    (tmp_path / "data" / "also").mkdir()
    own = (tmp_path / "data" / "own" / "test.jsonl").read_text()
    (tmp_path / "data" / "also" / "test.jsonl").write_text(own if lines is None else lines)


class TestWhatIsAsked:
    def test_a_finished_run_loads_no_model(self, own_task: Write, run: Run, probe: Any) -> None:
        own_task(rows(6))
        first, again = run(), run()
        assert (probe.loads, probe.closed, len(probe.asked)) == (1, 1, 6)
        assert again.ok and again.rows == first.rows

    def test_broken_records_and_repeated_ids_need_no_model_either(self, own_task: Write, run: Run, probe: Any) -> None:
        own_task([*rows(6), rows(1)[0], {"id": "x", "question": None, "answer": "x"}])
        first = run(max_errors=2)
        asked = list(probe.asked)
        again = run(max_errors=2)
        assert probe.loads == 1 and probe.asked == asked
        assert first.ok and again.ok and again.rows == first.rows and again.rows[0].errors == 2

    def test_failed_examples_and_no_others_are_asked_again(self, own_task: Write, run: Run, probe: Any) -> None:
        own_task(rows(6))
        probe.fail = {"2": "no answer"}.get
        assert not run(max_errors=0).ok
        probe.asked.clear()
        probe.fail = lambda id_: None
        done = run(max_errors=0)
        assert done.ok and probe.asked == ["2", "4", "5"]  # the batch of 2 was the last one before the run stopped
        assert done.rows[0].n == 6 and done.rows[0].errors == 0

    def test_a_limit_that_grows_asks_for_the_rest_and_one_that_shrinks_for_nothing(
        self, own_task: Write, run: Run, probe: Any, tmp_path: Path
    ) -> None:
        own_task(rows(10))
        assert run(limit=4).rows[0].n == 4
        assert run(limit="70%").rows[0].n == 7 and len(probe.asked) == 7
        loads = probe.loads
        assert run(limit=2).rows[0].n == 2 and probe.loads == loads
        assert manifest(tmp_path / "out")["run"]["limit"] == "2"
        assert run().rows[0].n == 10 and probe.asked == [str(n) for n in range(10)]
        assert manifest(tmp_path / "out")["run"]["limit"] is None

    def test_a_plan_counts_what_is_stored_below_the_limit_only(self, own_task: Write, run: Run, tmp_path: Path) -> None:
        own_task(rows(10))
        run(limit=6)
        config = RunConfig(
            "probe",
            "own",
            data="files",
            data_dir=tmp_path / "data",
            specs=(tmp_path / "specs",),
            out=tmp_path / "out",
            limit=Limit(4),
        )
        (split,) = api.plan(config).tasks[0].splits
        assert (split.total, split.stored, split.left) == (4, 4, 0)

    def test_a_share_of_exploded_records_is_a_share_of_the_examples(self, own_task: Write, run: Run) -> None:
        own_task(records(3, 0, 5, 2), fields=EXPLODED)
        assert run(limit="50%").rows[0].n == 5

    def test_every_split_is_run_and_resumed(self, own_task: Write, run: Run, probe: Any, tmp_path: Path) -> None:
        own_task(rows(3), splits=[{"name": "test"}, {"name": "val"}])
        val = tmp_path / "data" / "own" / "val.jsonl"
        val.write_text("".join(json.dumps(row) + "\n" for row in rows(5)))
        run(limit=2)
        done = run()
        assert [(row.split, row.n) for row in done.rows] == [("test", 3), ("val", 5)]
        assert len(probe.asked) == 8

    def test_what_a_backend_notes_of_its_model_is_told_once_and_kept(
        self, own_task: Write, run: Run, probe: Any, tmp_path: Path
    ) -> None:
        heard: list[str] = []
        observer = Silent()
        observer.note = heard.append  # type: ignore[method-assign]
        own_task(rows(3))
        note = "model m: no part of the model uses 1 tensor (head) of its files"
        probe.facts["notes"], probe.fail = [note], {"2": "no"}.get
        result = run(observer=observer, max_errors=1)
        assert heard.count(note) == result.notes.count(note) == 1
        assert manifest(tmp_path / "out")["models"][""]["notes"] == [note]
        probe.facts["notes"], probe.fail = ["other words of another release"], {}.get  # it is the same model
        assert run().ok


class TestErrorBudget:
    def test_ids_that_differ_are_answered_however_they_look_in_the_store(
        self, own_task: Write, run: Run, tmp_path: Path
    ) -> None:
        """Halves of surrogate pairs, the name that is made up for a repeated id, and that of a record without one."""
        for ids in (["\ud800", "\ud801", "\ud802", "\ud803", "\udfff", "\ufffd"], ["x#1", "x", "x#2", "position-0"]):
            own_task([{**row, "id": id_} for row, id_ in zip(rows(len(ids)), ids, strict=True)])
            done = run(max_errors=0, out=tmp_path / str(len(ids)))
            assert done.ok and (done.value("own"), done.rows[0].n, done.rows[0].errors) == (100.0, len(ids), 0)

    @pytest.mark.parametrize("between", [1, 40])
    def test_an_id_that_does_occur_twice_counts_before_it_is_asked_about(
        self, own_task: Write, run: Run, probe: Any, between: int
    ) -> None:
        """While the first one is on its way, and when its answer has long been stored."""
        own_task([*rows(between), {"id": "0", "question": "again", "answer": "again"}, {**rows(1)[0], "id": "0#40"}])
        assert f"test/0#{between}: the id '0' occurs twice" in run(max_errors=0).failures["own"]
        assert probe.asked.count("0") == 1
        done = run(max_errors=1)
        assert done.ok and done.rows[0].errors == 1 and "0#40" in probe.asked

    def test_a_record_without_an_id_takes_none_from_another(self, own_task: Write, run: Run, probe: Any) -> None:
        own_task([{**rows(1)[0], "id": None}, {**rows(1)[0], "id": "position-0"}])
        done = run(max_errors=1)
        assert done.ok and probe.asked == ["position-0"] and done.rows[0].errors == 1

    def test_no_allowed_error_stops_the_task_at_once(self, own_task: Write, run: Run, probe: Any) -> None:
        own_task([{"id": "x", "question": None, "answer": "x"}, *rows(2000)])
        assert "1 of 2001 examples" in run(max_errors=0).failures["own"]
        assert len(probe.asked) == 0

    def test_nothing_but_broken_records_is_not_read_to_the_end(self, own_task: Write, run: Run) -> None:
        own_task([*rows(3), *({"id": f"x{n}", "question": None, "answer": "x"} for n in range(5000))])
        assert "51 of 5003" in run().failures["own"]

    def test_a_resumed_run_is_judged_by_all_examples_not_by_those_that_were_left(
        self, own_task: Write, run: Run, probe: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("evalsuite.data.task_data.TaskData.count", lambda *_, **__: None)  # as on the hub
        own_task(records(60, 60), fields=EXPLODED)
        run(limit=119)
        probe.fail = {"119": "no answer"}.get
        assert run().ok

    def test_a_number_of_errors_needs_no_total(
        self, own_task: Write, run: Run, probe: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("evalsuite.data.task_data.TaskData.count", lambda *_, **__: None)
        own_task(records(200), fields=EXPLODED)
        probe.fail = lambda id_: "no answer"
        assert (
            "more than --max-errors 2 allows (test/0: no answer; test/1: no answer" in run(max_errors=2).failures["own"]
        )
        assert len(probe.asked) == 4

    def test_a_share_of_an_unknown_total_is_judged_when_the_source_was_read(
        self, own_task: Write, run: Run, probe: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("evalsuite.data.task_data.TaskData.count", lambda *_, **__: None)
        own_task(records(20), fields=EXPLODED)
        probe.fail = {"0": "no answer"}.get
        assert "1 of 20 examples" in run().failures["own"]
        assert run(max_errors="5%").ok

    def test_a_share_does_not_suffer_from_rounding(self) -> None:
        assert ErrorBudget.parse("29%").allowed(100) == 29


class TestOneFolderOneRun:
    def test_another_model_is_refused(self, own_task: Write, run: Run) -> None:
        own_task(rows(3))
        run(model="a")
        with pytest.raises(StoreError, match="the model of task own was 'a', now 'b'"):
            run(model="b")

    def test_other_weights_under_the_same_name_are_refused(self, own_task: Write, run: Run, probe: Any) -> None:
        own_task(rows(5))
        run(limit=2)
        probe.facts["fingerprint"] = "two"
        with pytest.raises(StoreError, match="fingerprint was 'one', now 'two'"):
            run()
        assert len(probe.asked) == 2

    def test_the_model_is_on_record_before_it_is_asked(
        self, own_task: Write, run: Run, probe: Any, tmp_path: Path
    ) -> None:
        own_task(rows(3))
        seen: list[Any] = []
        probe.on_batch = lambda batch: seen.append(manifest(tmp_path / "out")["models"])
        run()
        assert seen == [{"": {"backend": "probe", "fingerprint": "one"}}]

    def test_a_plan_that_another_process_has_overtaken_is_refused(
        self, own_task: Write, run: Run, probe: Any, tmp_path: Path
    ) -> None:
        own_task(rows(3))
        config = RunConfig(
            "probe",
            "own",
            model="b",
            data="files",
            data_dir=tmp_path / "data",
            specs=(tmp_path / "specs",),
            out=tmp_path / "out",
        )
        plan = api.plan(config)
        run(model="a")
        with pytest.raises(StoreError, match="holds another run"):
            api.run_plan(plan)

    @pytest.mark.parametrize("content", ["{torn", '{"manifest_version": 1}'])
    def test_a_damaged_manifest_is_refused_with_the_way_out(
        self, own_task: Write, run: Run, tmp_path: Path, content: str
    ) -> None:
        own_task(rows(3))
        run()
        (tmp_path / "out" / "manifest.json").write_text(content)
        with pytest.raises(StoreError, match="move the whole folder away"):
            run()
        (tmp_path / "out" / "manifest.json").unlink()
        with pytest.raises(StoreError, match=r"holds answers but no manifest\.json"):
            run()
        (tmp_path / "out").rename(tmp_path / "away")
        assert run().ok

    @pytest.mark.parametrize("value", [float("nan"), None, [1], Path("x")])
    def test_an_attribute_that_cannot_be_recorded_is_refused(self, own_task: Write, run: Run, value: Any) -> None:
        own_task(rows(3))
        with pytest.raises(UsageError, match="--set size"):
            run(attributes={"size": value})


class TestWhatIsLeftBehind:
    def test_results_of_a_task_that_stopped_say_that_they_are_partial(
        self, own_task: Write, run: Run, probe: Any
    ) -> None:
        own_task(rows(50))
        probe.fail = {"9": "no answer"}.get
        stopped = run(max_errors=0).rows[0]
        assert stopped.n == 12 and "--max-errors" in stopped.partial
        probe.fail = lambda id_: None
        done = run(max_errors=0).rows[0]
        assert done.n == 50 and done.partial == ""

    def test_an_interrupted_run_is_on_record_as_such_and_its_threads_have_ended(
        self, own_task: Write, run: Run, probe: Any, tmp_path: Path
    ) -> None:
        own_task(rows(50))
        run(limit=2)

        def interrupt(batch: Sequence[Prepared]) -> None:
            if len(probe.asked) > 20:
                raise KeyboardInterrupt

        probe.on_batch = interrupt
        with pytest.raises(KeyboardInterrupt):
            run()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("prepare")]
        after = manifest(tmp_path / "out")
        assert after["sessions"][-1]["status"] == "interrupted" and after["tasks"]["own"]["state"] == "begun"
        scored = evalsuite.score(tmp_path / "out", specs=[tmp_path / "specs"])
        assert scored.rows[0].partial == "the run was interrupted"
        assert scored.notes == ["own is not complete: the run was interrupted"]

    def test_a_failure_stays_on_record_when_the_next_command_runs_another_task(
        self, own_task: Write, run: Run, probe: Any, tmp_path: Path
    ) -> None:
        own_task(rows(8))
        second_task(tmp_path)
        probe.fail = {"2": "no answer"}.get
        assert not run(max_errors=0).ok
        probe.fail = lambda id_: None
        other = run(tasks="also", max_errors=0)
        assert other.ok and {row.task: not row.partial for row in other.rows} == {"own": False, "also": True}
        assert "test/2: no answer" in manifest(tmp_path / "out")["sessions"][-1]["failures"]["own"]

    def test_a_model_that_cannot_be_loaded_fails_its_tasks_and_is_tried_once(
        self, own_task: Write, run: Run, probe: Any, tmp_path: Path
    ) -> None:
        own_task(rows(3))
        second_task(tmp_path)

        def refuse() -> None:
            raise BackendError("weights are missing")

        probe.on_load = refuse
        result = run(tasks="own,also")
        assert result.failures == {"own": "weights are missing", "also": "weights are missing"} and probe.loads == 1
        assert manifest(tmp_path / "out")["sessions"][-1]["status"] == "failed"
        scored = evalsuite.score(tmp_path / "out", specs=[tmp_path / "specs"])
        assert not scored.ok and "no prediction is stored" in scored.failures["own"]

    def test_an_unexpected_error_while_loading_leaves_a_traceback(
        self, own_task: Write, run: Run, probe: Any, tmp_path: Path
    ) -> None:
        own_task(rows(3))
        probe.on_load = lambda: {}["absent"]
        assert "KeyError: 'absent' (traceback in" in run().failures["own"]
        assert "on_load" in (tmp_path / "out" / "failures.log").read_text()

    def test_an_unexpected_error_in_preparing_is_one_examples_failure(
        self, own_task: Write, run: Run, probe: Any, tmp_path: Path
    ) -> None:
        own_task(rows(8))

        def prepare(request: Request) -> None:
            if request.key.id == "5":
                raise ZeroDivisionError("an image without height")

        probe.on_prepare = prepare
        done = run(max_errors=1)
        assert done.ok and (done.rows[0].n, done.rows[0].errors) == (8, 1)
        with PredictionStore(tmp_path / "out" / "predictions.sqlite", read_only=True) as store:
            ((key, message),) = store.errors()
        assert key.id == "5"
        assert message.startswith("unexpected ZeroDivisionError") and "(test_run.py:" in message

    def test_an_error_of_the_backend_as_a_whole_in_preparing_ends_the_task(
        self, own_task: Write, run: Run, probe: Any
    ) -> None:
        own_task(rows(8))

        def prepare(request: Request) -> None:
            raise BackendError("the tokenizer is broken")

        probe.on_prepare = prepare
        assert run().failures == {"own": "the tokenizer is broken"}

    def test_an_unexpected_error_of_a_batch_is_the_failure_of_the_example_that_fails_alone(
        self, own_task: Write, run: Run, probe: Any
    ) -> None:
        own_task(rows(8))

        def stumble(batch: Sequence[Prepared]) -> None:
            if "5" in [item.request.key.id for item in batch]:
                raise IndexError("a token that the model does not have")

        probe.on_batch = stumble
        done = run(max_errors=1)
        assert done.ok and (done.rows[0].n, done.rows[0].errors) == (8, 1)
        assert "test/5: unexpected IndexError while the example was answered: a token" in done.notes[0]
        assert sorted(probe.asked) == sorted(str(n) for n in range(8) if n != 5)

    def test_a_backend_that_can_answer_nothing_ends_the_task_with_a_traceback(
        self, own_task: Write, run: Run, probe: Any, tmp_path: Path
    ) -> None:
        own_task(rows(8))
        probe.on_batch = lambda batch: {}["absent"]
        assert "KeyError: 'absent' (traceback in" in run(max_errors="100%").failures["own"]
        assert "on_batch" in (tmp_path / "out" / "failures.log").read_text()

    def test_a_backend_that_loses_an_answer_is_found_out(self, own_task: Write, run: Run, probe: Any) -> None:
        own_task(rows(8))
        whole = probe.generate
        probe.generate = lambda batch: whole(batch)[:-1]
        assert "do not match its requests" in run().failures["own"]

    def test_a_backend_that_fails_to_close_costs_nothing(self, own_task: Write, run: Run, probe: Any) -> None:
        own_task(rows(3))
        probe.close = lambda: 1 / 0
        assert run().ok

    def test_a_command_line_that_is_no_text_is_recorded(self, own_task: Write, run: Run, tmp_path: Path) -> None:
        own_task(rows(3))
        config = RunConfig(
            "probe",
            "own",
            data="files",
            data_dir=tmp_path / "data",
            specs=(tmp_path / "specs",),
            out=tmp_path / "out\udcff",
        )
        assert api.run_config(config, command=["run", "--out", "out\udcff"]).ok


class TestThePlan:
    def test_everything_that_is_wrong_is_named_at_once(self, own_task: Write, run: Run, tmp_path: Path) -> None:
        own_task(rows(3))
        second_task(tmp_path, lines='{"id": 1, "ask": "x", "answer": "y"}\n')
        with pytest.raises(EvalsuiteError) as caught:
            run(tasks="own,also", backend="torch", model=str(tmp_path / "{task}"))
        message = str(caught.value)
        assert f"{tmp_path}/own" in message and f"{tmp_path}/also" in message, "both checkpoints"
        assert "no column 'question'" in message, "the data"

    def test_options_of_the_library_may_be_numbers(self, own_task: Write, run: Run) -> None:
        own_task(rows(3))
        assert run(backend="echo", options={"decode_images": True}).ok
