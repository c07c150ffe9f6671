"""RadGraph F1: the three levels, both treatments of case, and where annotations come from."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from evalsuite.errors import BackendError, DataError, MissingDependency, ScoringError, UnknownName, UsageError
from evalsuite.metrics.radiology import annotator as radgraph_annotator
from evalsuite.metrics.radiology.radgraph import RadGraphF1, has_dangling_relation, radgraph_rewards
from evalsuite.metrics.verification import shipped_golden_files, verify_file

GOLDEN = shipped_golden_files()


def entity(tokens: str, label: str = "Observation::definitely present", *relations: tuple[str, str]) -> dict[str, Any]:
    return {"tokens": tokens, "label": label, "relations": [list(relation) for relation in relations]}


@pytest.mark.parametrize("name", ["radgraph_f1", "radgraph_f1_corpus"])
def test_agrees_with_the_radgraph_package(name: str) -> None:
    verdict = verify_file(GOLDEN / f"{name}.jsonl.gz")
    assert verdict.passed, verdict.failures


def test_levels_differ_in_what_they_ask_of_relations() -> None:
    reference = {"1": entity("small", "x", ("modify", "2")), "2": entity("effusion", "x")}
    no_relation = {"1": entity("small", "x"), "2": entity("effusion", "x")}
    other_type = {"1": entity("small", "x", ("located_at", "2")), "2": entity("effusion", "x")}
    assert radgraph_rewards(reference, reference) == (1, 1, 1)
    assert radgraph_rewards(no_relation, reference) == (1, 0.5, 0.5)
    assert radgraph_rewards(other_type, reference) == (1, 1, 0.5)


def test_presence_and_absence_are_labels() -> None:
    assert radgraph_rewards({"1": entity("edema", "absent")}, {"1": entity("edema", "present")}) == (0, 0, 0)


def test_the_package_minds_case_except_in_relations() -> None:
    upper = {"1": entity("Edema", "x", ("located_at", "2")), "2": entity("Lung", "x")}
    lower = {"1": entity("edema", "x", ("located_at", "2")), "2": entity("lung", "x")}
    assert radgraph_rewards(upper, lower, "pypi") == (0, 0, 0.5)
    assert radgraph_rewards(upper, lower, "git") == (1, 1, 1)


def test_reports_without_entities_score_zero() -> None:
    assert radgraph_rewards({}, {}) == (0, 0, 0)


def test_a_relation_to_nothing_is_left_out_and_counted(tmp_path: Path) -> None:
    dangling = {"1": entity("small", "x", ("modify", "9")), "2": entity("effusion", "x")}
    assert has_dangling_relation(dangling)
    assert radgraph_rewards(dangling, {"1": entity("effusion", "x")})[2] == 1
    metric = RadGraphF1(annotations=write(tmp_path, [("report", dangling)]))
    assert metric.score(["report"], [["report"]])["dangling"] == 1


def write(folder: Path, annotations: list[tuple[str, Any]]) -> str:
    file = folder / "annotations.jsonl"
    file.write_text("".join(json.dumps({"text": t, "entities": e}) + "\n" for t, e in annotations), encoding="utf-8")
    return str(file)


def test_empty_reports_score_zero_and_stay_in_the_mean(tmp_path: Path) -> None:
    metric = RadGraphF1(annotations=write(tmp_path, [("edema", {"1": entity("edema")})]))
    score = metric.score(["edema", "", " \n", "edema"], [["edema"], ["edema"], ["edema"], [""]])
    assert score["radgraph_partial"] == 0.25
    assert score["empty"] == 0.75


def test_annotations_may_be_one_json_object(tmp_path: Path) -> None:
    file = tmp_path / "annotations.json"
    file.write_text(json.dumps({"edema": {"text": "edema .", "entities": {"1": entity("edema")}}}), encoding="utf-8")
    assert RadGraphF1(annotations=str(file)).score(["edema"], [["edema"]])["radgraph_simple"] == 1


def test_a_report_without_annotation_is_named(tmp_path: Path) -> None:
    metric = RadGraphF1(annotations=write(tmp_path, []))
    with pytest.raises(ScoringError, match=r"1 reports have no annotation.*'edema'.*give weights"):
        metric.score(["edema"], [["edema"]])


@pytest.mark.parametrize(
    "entities",
    [
        None,
        [],
        {"1": {"tokens": "a"}},
        {"1": {"tokens": 1, "label": "x", "relations": []}},
        {"1": entity("a", "x", ("y",))},
    ],  # type: ignore[arg-type]
)
def test_malformed_annotations_are_named_with_their_line(tmp_path: Path, entities: Any) -> None:
    with pytest.raises(DataError, match=r"annotations.jsonl:1.*entities"):
        RadGraphF1(annotations=write(tmp_path, [("report", entities)])).check()


def test_without_annotations_and_weights_both_ways_out_are_named() -> None:
    with pytest.raises(UsageError, match=r"annotations.*weights.*evalsuite\[radgraph\]"):
        RadGraphF1().check()


def test_an_incomplete_folder_of_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"radgraph-xl lacks config.json, vocabulary, weights.th"):
        RadGraphF1(weights=str(tmp_path)).check()


@pytest.fixture
def weights(tmp_path: Path) -> str:
    folder = tmp_path / "models" / "radgraph-xl"
    (folder / "vocabulary").mkdir(parents=True)
    (folder / "config.json").write_text("{}", encoding="utf-8")
    (folder / "weights.th").write_bytes(b"weights")
    radgraph_annotator.shared_annotator.cache_clear()
    return str(tmp_path / "models")


def test_without_the_package_the_extra_is_named(weights: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(radgraph_annotator.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"pip install 'evalsuite\[radgraph\]'"):
        RadGraphF1(weights=weights).check()


class StandIn:
    """Annotates every word as an entity, as the package's model would be called."""

    calls: list[list[str]]

    def __init__(self, model_type: str, model_cache_dir: str) -> None:
        self.where = (model_type, model_cache_dir)
        StandIn.calls = []

    def __call__(self, reports: list[str]) -> dict[str, Any]:
        print("the package prints")
        StandIn.calls.append(reports)
        return {
            str(place): {"text": report, "entities": {str(n): entity(word) for n, word in enumerate(report.split())}}
            for place, report in enumerate(reports)
            if "unreadable" not in report
        }


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> Callable[[Any], None]:
    def install(model: Any) -> None:
        module = ModuleType("radgraph")
        module.RadGraph = model  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "radgraph", module)
        monkeypatch.setattr(radgraph_annotator.importlib.util, "find_spec", lambda name: module)
        monkeypatch.setattr(radgraph_annotator, "_adapt_tokenizers", lambda: None)

    return install


def test_reports_are_annotated_once_and_kept_in_the_cache(
    weights: str, package: Callable[[Any], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    package(StandIn)
    cache = tmp_path / "cache.jsonl"
    metric = RadGraphF1(weights=weights, cache=str(cache))
    metric.check()
    predictions, references = ["mild edema", "mild edema", "no edema"], [["no edema"], ["no edema"], ["no edema"]]
    assert metric.score(predictions, references)["radgraph_simple"] == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert StandIn.calls == [["mild edema", "no edema"]]
    assert capsys.readouterr().out == ""
    again = RadGraphF1(annotations=str(cache))  # what was annotated serves where there is no package
    assert again.score(predictions, references) == metric.score(predictions, references)
    radgraph_annotator.shared_annotator.cache_clear()
    StandIn.calls.clear()
    assert metric.score(predictions, references) == again.score(predictions, references)
    assert StandIn.calls == []


def test_only_the_first_thousand_words_of_a_report_are_annotated(weights: str, package: Callable[[Any], None]) -> None:
    package(StandIn)
    score = RadGraphF1(weights=weights).score(["word " * 20_000, "edema"], [["edema"], ["edema"]])
    assert score["oversized"] == 0.5
    assert max(len(report.split()) for report in StandIn.calls[0]) == 1000


def test_a_report_the_package_fails_on_is_named(weights: str, package: Callable[[Any], None]) -> None:
    package(StandIn)
    with pytest.raises(ScoringError, match="failed on the report 'unreadable'"):
        RadGraphF1(weights=weights).score(["unreadable"], [["edema"]])


def test_a_model_that_cannot_be_loaded_names_its_folder(weights: str, package: Callable[[Any], None]) -> None:
    def broken(**_: Any) -> Any:
        raise OSError("no such tokenizer")

    package(broken)
    with pytest.raises(BackendError, match=r"radgraph-xl: no such tokenizer.*model_name"):
        RadGraphF1(weights=weights).score(["a"], [["b"]])


def test_the_signature_tells_files_by_their_content(weights: str, tmp_path: Path) -> None:
    metric = RadGraphF1(annotations=write(tmp_path, []), weights=weights, cache="anywhere.jsonl")
    nothing, model = hashlib.sha256().hexdigest()[:12], hashlib.sha256(b"weights").hexdigest()[:12]
    assert metric.signature() == (
        f"radgraph_f1|v1|annotations:annotations.jsonl({nothing})|case:pypi|model_type:radgraph-xl|weights:{model}"
    )


def test_unknown_choices_are_refused() -> None:
    with pytest.raises(UnknownName, match="lower"):
        RadGraphF1(case="lower")
    with pytest.raises(UnknownName, match="radgraph-xxl"):
        RadGraphF1(model_type="radgraph-xxl")
    with pytest.raises(ScoringError, match="one reference"):
        RadGraphF1().statistics("a", [])
