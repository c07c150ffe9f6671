"""``evalsuite baseline`` and ``evalsuite gate``: each verdict, and what stops a build."""

from __future__ import annotations

import json
import math
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from evalsuite import api
from evalsuite.comparison.baseline import TOLERANCE, read_baseline
from evalsuite.comparison.gate import INCONCLUSIVE, PASS, REGRESSION, Verdict, overall
from evalsuite.comparison.outputs import as_junit, as_markdown
from evalsuite.errors import EvalsuiteError, StoreError, UsageError
from evalsuite.files.sealed import write_sealed
from evalsuite.runs.manifest import read_manifest, write_manifest

MakeRun = Callable[..., Path]
Wrong = Callable[..., dict[int, str]]


@pytest.fixture
def baseline(make_run: MakeRun, wrong: Wrong, tmp_path: Path) -> Path:
    """Of a run with two wrong answers of forty."""
    api.write_baseline(make_run("before", wrong(0, 1)), tmp_path / "baseline.json")
    return tmp_path / "baseline.json"


def judged(run: Path, baseline: Path, **settings: Any) -> Verdict:
    (verdict,) = api.gate(run, baseline, **settings)
    return verdict


def with_tolerance(baseline: Path, **tolerance: Any) -> Path:
    document = json.loads(baseline.read_text())
    document["tolerance"] = tolerance
    baseline.write_text(json.dumps(document))
    return baseline


def test_the_same_answers_pass(make_run: MakeRun, wrong: Wrong, baseline: Path) -> None:
    verdict = judged(make_run("after", wrong(0, 1)), baseline)
    assert verdict.verdict == PASS and verdict.value == verdict.baseline == 95.0


def test_better_answers_pass(make_run: MakeRun, baseline: Path) -> None:
    assert judged(make_run("after"), baseline).verdict == PASS


def test_a_drop_beyond_chance_is_a_regression(make_run: MakeRun, wrong: Wrong, baseline: Path) -> None:
    verdict = judged(make_run("after", wrong(*range(12))), baseline)
    assert verdict.verdict == REGRESSION and "10 worse" in verdict.reason


def test_a_small_drop_on_few_examples_is_inconclusive(make_run: MakeRun, wrong: Wrong, baseline: Path) -> None:
    """One more wrong answer of forty: the interval reaches from -7.5 to 0."""
    verdict = judged(make_run("after", wrong(0, 1, 2)), baseline)
    assert verdict.verdict == INCONCLUSIVE and "cannot be ruled out" in verdict.reason


def test_the_same_drop_passes_under_a_wider_tolerance(make_run: MakeRun, wrong: Wrong, baseline: Path) -> None:
    run = make_run("after", wrong(0, 1, 2))
    assert judged(run, with_tolerance(baseline, default={"statistical": 10})).verdict == PASS
    assert judged(run, with_tolerance(baseline, own={"absolute": 2.5})).verdict == PASS
    assert judged(run, with_tolerance(baseline, own={"absolute": 2.4})).verdict == REGRESSION
    assert judged(run, with_tolerance(baseline, own={"relative": 0.03})).verdict == PASS
    assert judged(run, with_tolerance(baseline, own={"relative": 0.02})).verdict == REGRESSION


def test_error_rates_regress_when_they_rise(make_run: MakeRun, tmp_path: Path) -> None:
    rows = [{"id": str(n), "question": "?", "answer": [f"**kern\n*clefG2\n{n + 4}c\n*-"]} for n in range(20)]
    metrics = [{"name": "kern_error_rates", "headline": True}]
    api.write_baseline(make_run("before", rows=rows, metrics=metrics), tmp_path / "b.json")
    bad = dict.fromkeys(range(8), "nothing")
    assert judged(make_run("after", bad, rows=rows, metrics=metrics), tmp_path / "b.json").verdict == REGRESSION
    with_tolerance(tmp_path / "b.json", default={"absolute": 1})
    assert judged(tmp_path / "after", tmp_path / "b.json").verdict == REGRESSION


def test_examples_are_paired_by_content_not_by_position(make_run: MakeRun, wrong: Wrong, baseline: Path) -> None:
    rows = [{"id": str(n), "question": f"question {n}", "answer": [f"answer {n}"]} for n in reversed(range(40))]
    verdict = judged(make_run("after", {38: "no", 39: "no"}, rows=rows), baseline)  # questions 1 and 0 again
    assert verdict.verdict == PASS and verdict.found is not None and verdict.found.tied == 40


def test_a_missing_task_fails_unless_it_is_allowed(make_run: MakeRun, baseline: Path) -> None:
    run = make_run("after")
    document = json.loads(baseline.read_text())
    document["splits"][0]["task"] = "gone"
    write_sealed(baseline, document, [TOLERANCE])
    assert judged(run, baseline).verdict == REGRESSION
    assert judged(run, baseline, allow=["missing"]).verdict == PASS


def test_fewer_examples_fail_unless_they_are_allowed(make_run: MakeRun, baseline: Path) -> None:
    rows = [{"id": str(n), "question": f"question {n}", "answer": [f"answer {n}"]} for n in range(30)]
    run = make_run("after", rows=rows)
    assert "30 examples; the baseline has 40" in judged(run, baseline).reason
    assert judged(run, baseline, allow=["fewer"]).verdict == PASS


def test_a_changed_prompt_or_metric_asks_for_a_new_baseline(make_run: MakeRun, baseline: Path) -> None:
    changed = judged(make_run("after", prompt={"prefix": "answer {question}"}), baseline)
    assert changed.verdict == REGRESSION and "prompt, image preparation, decoding or parsing changed" in changed.reason
    metric = [{"name": "exact_match", "parameters": {"ignore_case": True}, "headline": True}]
    assert "the metric was" in judged(make_run("other", metrics=metric), baseline).reason


def test_values_alone_need_an_amount(make_run: MakeRun, wrong: Wrong, tmp_path: Path) -> None:
    run, path = make_run("before", wrong(0)), tmp_path / "b.json"
    api.write_baseline(run, path, answers=False)
    assert "answer 1" not in path.read_text()
    assert "needs shared ones" in judged(run, path).reason
    assert judged(run, with_tolerance(path, default={"absolute": 0})).verdict == PASS


def test_tolerances_stay_when_a_baseline_is_made_anew(make_run: MakeRun, baseline: Path) -> None:
    with_tolerance(baseline, default={"statistical": 3}, own={"absolute": 2})
    api.write_baseline(make_run("after"), baseline)
    held = read_baseline(baseline)
    assert held.tolerance("own").amount == 2 and held.tolerance("x").amount == 3 and held.splits[0].value == 100


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"baseline_version": 9}, StoreError, "not a baseline of this version"),
        ({"tolerance": {"own": {"abs": 1}}}, UsageError, "tolerance of own: a tolerance is one of"),
        ({"tolerance": {"ovn": {"absolute": 1}}}, UsageError, "names 'ovn', which the baseline does not hold"),
        ({"tolerance": {"own": {"absolute": math.inf}}}, UsageError, "tolerance of own: a tolerance is one of"),
        ({"splits": [{"task": "own"}]}, StoreError, "entry 1 of splits is damaged"),
        ({"splits": []}, StoreError, "holds no splits"),
        ({"splits": 5}, StoreError, "holds no splits"),
        ({"digest": None}, StoreError, "carries no digest"),
        ({"run": "another"}, StoreError, "was changed or damaged after it was written"),
        ({"more": 1}, StoreError, "was changed or damaged after it was written"),
    ],
)
def test_a_wrong_baseline_file_is_named_with_its_mistake(
    baseline: Path, change: dict[str, Any], error: type[Exception], message: str
) -> None:
    baseline.write_text(json.dumps({**json.loads(baseline.read_text()), **change}))
    with pytest.raises(error, match=message):
        read_baseline(baseline)


def with_split(document: dict[str, Any], change: Callable[[dict[str, Any]], object]) -> str:
    change(document["splits"][0])
    return json.dumps(document)


def test_a_baseline_that_was_changed_gives_no_verdict_whatever_the_run_scores(
    make_run: MakeRun, wrong: Wrong, baseline: Path, evalsuite: Callable[..., Any]
) -> None:
    """Each of these would let a run pass that answers nothing right, or hide that."""
    run, whole = make_run("after", wrong(*range(40))), baseline.read_text()

    def all_but_one_deleted(split: dict[str, Any]) -> None:
        split["answers"] = dict([*split["answers"].items()][:1])

    changes: list[Callable[[dict[str, Any]], object]] = [
        all_but_one_deleted,
        lambda split: (all_but_one_deleted(split), split.update(n=1)),
        lambda split: split["answers"].popitem(),
        lambda split: split["answers"]["7"].__setitem__(1, "something else"),
        lambda split: split["answers"]["7"].__setitem__(0, "0" * 16),
        lambda split: split.update(value=0.0),
        lambda split: split.update(n=0, answers={}),
        lambda split: split.pop("answers"),
        lambda split: split.update(higher_is_better=False),
    ]
    edited = [with_split(json.loads(whole), change) for change in changes]
    edited += [
        '{"baseline_version": 1}',
        '{"baseline_version": 1, "splits": []}',
        whole.replace('"tolerance": {', '"splits": [],\n "tolerance": {'),
        whole.replace('"answer 7"', '"answer 7", "7": ["0000000000000000", "x"]'),
        whole.replace('"7": [', '"7": ["0000000000000000", "x"],\n    "7": ['),
        whole.replace('"digest"', '"digits"'),
    ]
    for text in edited:
        baseline.write_text(text)
        with pytest.raises(EvalsuiteError) as caught:
            api.gate(run, baseline)
        assert str(caught.value).startswith(str(baseline)) and "\n" not in str(caught.value)
    done = evalsuite("gate", run, "--baseline", baseline)
    assert done.returncode == 3 and done.stderr.count("\n") == 1
    baseline.write_text(whole)
    assert judged(run, baseline).verdict == REGRESSION


def test_a_bit_that_flips_in_a_baseline_is_named_and_a_new_form_of_the_file_is_not(
    make_run: MakeRun, baseline: Path
) -> None:
    run, whole = make_run("after"), baseline.read_bytes()
    chance, free = random.Random(0), range(whole.index(b'"tolerance"'), whole.index(b'"splits"'))
    for at in chance.sample([at for at in range(len(whole)) if at not in free], 200):
        baseline.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << chance.randrange(8)]) + whole[at + 1 :])
        with pytest.raises(EvalsuiteError, match="baseline"):
            read_baseline(baseline)
    document = json.loads(whole)
    document["splits"][0]["value"] = 95  # as programs write it that know no other numbers
    baseline.write_text(json.dumps(document, indent=4, sort_keys=True))
    assert judged(run, baseline).verdict == PASS


def test_one_shared_example_is_too_few_for_a_verdict(make_run: MakeRun, baseline: Path, tmp_path: Path) -> None:
    rows = [{"id": "7", "question": "question 7", "answer": ["answer 7"]}]
    run = make_run("after", rows=rows)
    assert judged(run, baseline, allow=["fewer"]).verdict == INCONCLUSIVE
    api.write_baseline(run, tmp_path / "one.json")
    found = judged(run, tmp_path / "one.json")
    assert found.verdict == INCONCLUSIVE and "so few examples have no interval" in found.reason


def test_a_baseline_is_written_over_a_broken_one_only_when_no_tolerance_is_lost(
    make_run: MakeRun, baseline: Path
) -> None:
    run, whole = make_run("after"), baseline.read_text()
    baseline.write_text(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match="mend the file, or move it away"):
        api.write_baseline(run, baseline)
    with_tolerance(baseline_with(baseline, whole.replace('"answer 7"', '"x"')), default={"absolute": 3})
    assert api.write_baseline(run, baseline).tolerance("own").amount == 3
    before = with_tolerance(baseline, gone={"absolute": 3}).read_text()
    with pytest.raises(UsageError, match="names 'gone'"):
        api.write_baseline(run, baseline)
    assert baseline.read_text() == before


def baseline_with(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_the_command_ends_with_0_1_2_and_3(
    make_run: MakeRun, wrong: Wrong, baseline: Path, tmp_path: Path, evalsuite: Callable[..., Any]
) -> None:
    runs = [make_run("good"), make_run("bad", wrong(*range(15))), make_run("unclear", wrong(0, 1, 2))]
    found = [evalsuite("gate", run, "--baseline", baseline) for run in runs]
    assert [done.returncode for done in found] == [0, 1, 2]
    assert [done.stdout.splitlines()[-1] for done in found] == [
        "verdict: pass",
        "verdict: regression",
        "verdict: inconclusive",
    ]
    missing = evalsuite("gate", runs[0], "--baseline", tmp_path / "nowhere.json")
    assert missing.returncode == 3 and "evalsuite baseline" in missing.stderr


def test_reports_for_services_are_written(
    make_run: MakeRun, wrong: Wrong, baseline: Path, tmp_path: Path, evalsuite: Callable[..., Any]
) -> None:
    run, summary = make_run("bad", wrong(*range(15))), tmp_path / "summary.md"
    summary.write_text("before\n")
    places = ("--junit", tmp_path / "gate.xml", "--markdown", summary, "--json", tmp_path / "gate.json")
    assert evalsuite("gate", run, "--baseline", baseline, *places).returncode == 1
    suite = ElementTree.parse(tmp_path / "gate.xml").getroot()
    assert suite.attrib["failures"] == "1" and suite.find("testcase/failure") is not None
    assert summary.read_text().startswith("before\n## ❌ Gate: regression")
    document = json.loads((tmp_path / "gate.json").read_text())
    assert document["verdict"] == REGRESSION and document["splits"][0]["worse"] == 13


def test_a_run_that_did_not_finish_is_no_baseline(make_run: MakeRun, tmp_path: Path) -> None:
    folder = shutil.copytree(make_run("before"), tmp_path / "copy")
    manifest = read_manifest(folder)
    manifest["tasks"]["own"]["state"] = "begun"
    write_manifest(folder, manifest)
    with pytest.raises(StoreError, match="own did not finish"):
        api.write_baseline(folder, tmp_path / "b.json")


def test_the_worst_verdict_counts_and_hostile_text_stays_text() -> None:
    verdicts = [
        Verdict("a|b", "<test>", "m", kind, "x\x00 | <b>\ud800", 1.0) for kind in (PASS, INCONCLUSIVE, REGRESSION)
    ]
    assert [overall(verdicts[:count]) for count in range(4)] == [PASS, PASS, INCONCLUSIVE, REGRESSION]
    ElementTree.fromstring(as_junit(verdicts))
    assert "&lt;test&gt;" in as_markdown(verdicts, "run") and "a\\|b" in as_markdown(verdicts, "run")
