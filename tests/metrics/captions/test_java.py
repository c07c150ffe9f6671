"""METEOR and SPICE: what is missing is named before a run; the official program's answers become the official values.

Where Java is installed METEOR is compared with recorded values; everything else runs with stand-ins for the program.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from evalsuite.errors import MissingDependency, ScoringError
from evalsuite.metrics.captions import java as java_captions
from evalsuite.metrics.captions.java import Meteor, Spice
from evalsuite.metrics.verification import shipped_golden_files, verify_file

# Lines that METEOR printed for four captions, and what it made of them.
RECORDED = """
2 2 0 0 2 2 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 2 2
2 2 1 1 1 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 1 2 2
1 3 0 1 1 1 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 1 1
3 2 0 0 2 2 0 0 0 0 0 0 0 0 0 0 0 0 0 0 1 2 2
""".strip().splitlines()
RECORDED_SCORES, RECORDED_CORPUS = [1.0, 1.0, 0.1875, 0.4443438716486749], 0.44317618495915334

METEOR_PROGRAM = """
import sys
print("23 counts a line", file=sys.stderr)
for line in sys.stdin.buffer.read().decode().split("\\n")[:-1]:
    open("asked.txt", "a").write(line + "\\n")
    *references, words = line.removeprefix("SCORE ||| ").split(" ||| ")
    words, reference = words.split(), references[0].split()
    equal = sum(a == b for a, b in zip(words, reference))
    print(len(words), len(reference), 0, 0, equal, equal, *[0] * 14, min(1, equal), equal, equal)
"""
SPICE_PROGRAM = """
import json, sys
captions, _, out = sys.argv[-5:-2]
scores = [
    {"image_id": entry["image_id"], "scores": {"All": {"f": 1.0 if entry["test"] in entry["refs"] else 0.25}}}
    for entry in json.load(open(captions))
]
json.dump(scores[::-1], open(out, "w"))
"""

Install = Callable[[str], Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put a Python program in the place of java, and an empty pycocoevalcap; returns the folder of the latter."""
    package = tmp_path / "pycocoevalcap"
    for metric in (Meteor, Spice):
        for file in metric.files:
            (package / metric.folder / file).parent.mkdir(parents=True, exist_ok=True)
            (package / metric.folder / file).touch()
    found = SimpleNamespace(submodule_search_locations=[str(package)])
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: found)
    monkeypatch.setattr(java_captions, "_MEMO", {})

    def put(program: str) -> Path:
        java = tmp_path / "bin" / "java"
        java.parent.mkdir()
        java.write_text(f"#!{sys.executable}\nimport sys\nif '-version' in sys.argv: sys.exit(0)\n{program}")
        java.chmod(0o755)
        monkeypatch.setenv("PATH", str(java.parent))
        return package

    return put


def asked(package: Path) -> list[str]:
    return (package / "meteor" / "asked.txt").read_text().splitlines()


@pytest.mark.parametrize("metric", [Meteor(), Spice()])
def test_a_missing_package_is_named_with_its_extra(metric: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependency, match=r"'pycocoevalcap'.*pip install 'evalsuite\[java-captions\]'"):
        metric.check()


@pytest.mark.parametrize("metric", [Meteor(), Spice()])
def test_a_missing_java_is_named_before_anything_runs(
    metric: Any, install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(MissingDependency, match=rf"metric {metric.name} needs 'java'.*install a Java runtime"):
        metric.check()
    with pytest.raises(MissingDependency, match="'java'"):
        metric.score(["a dog"], [["a dog"]])


def test_a_placeholder_for_java_is_no_java(install: Install) -> None:
    """Some systems ship a command that only says that no runtime is installed."""
    java = install("").parent / "bin" / "java"
    java.write_text(f"#!{sys.executable}\nraise SystemExit(2)")
    with pytest.raises(MissingDependency, match="'java'"):
        Meteor().check()


def test_spice_without_its_parser_names_the_file_and_the_way_out(install: Install) -> None:
    package = install(SPICE_PROGRAM)
    (package / "spice" / "lib" / "stanford-corenlp-3.6.0-models.jar").unlink()
    with pytest.raises(MissingDependency, match=r"stanford-corenlp-3.6.0-models.jar.*get_stanford_models"):
        Spice().check()


def test_a_file_that_the_package_should_have_is_named(install: Install) -> None:
    package = install(METEOR_PROGRAM)
    (package / "meteor" / "data" / "paraphrase-en.gz").unlink()
    with pytest.raises(MissingDependency, match=r"paraphrase-en.gz.*force-reinstall pycocoevalcap"):
        Meteor().check()


def test_check_is_content_where_everything_is_there(install: Install) -> None:
    install("")
    Meteor().check()
    Spice().check()


def test_meteor_agrees_with_recorded_values_where_java_is_installed() -> None:
    verdict = verify_file(shipped_golden_files() / "meteor.jsonl.gz")
    try:
        Meteor().check()
    except MissingDependency as error:
        assert (verdict.outcome, verdict.missing) == ("not checked", str(error))
    else:
        assert (verdict.outcome, verdict.compared, verdict.not_compared) == ("agrees", 94, 2)


def test_recorded_counts_give_the_official_scores(install: Install) -> None:
    """The last step of METEOR, without the program: of every caption, and of the sum over the corpus."""
    install("for line in sys.stdin: print(" + repr(RECORDED) + "[int(line.split()[-1])])")
    predictions, references = [str(place) for place in range(4)], [["a"]] * 4
    ready = Meteor(tokenize=False).prepare(predictions, references)
    rows = ready.batch_statistics(predictions, references)
    np.testing.assert_allclose(ready.finalize(rows)["meteor"], RECORDED_SCORES, rtol=1e-12)
    assert ready.finalize(rows.sum(axis=0))["meteor"] == pytest.approx(RECORDED_CORPUS, rel=1e-12)


def test_all_different_captions_go_through_one_call_and_are_kept(install: Install) -> None:
    package = install(METEOR_PROGRAM)
    score = Meteor().score(["A dog.", "a dog", "a cat"], [["A dog"], ["a dog"], ["the cat"]])
    assert asked(package) == ["SCORE ||| a dog ||| a dog", "SCORE ||| the cat ||| a cat"]
    assert 0 < score["meteor"] < 1 and score["invalid"] == 0
    Meteor().score(["a cat"], [["the cat"]])
    assert len(asked(package)) == 2


def test_separators_of_the_protocol_follow_the_official_rule(install: Install) -> None:
    """In a prediction they are deleted; in a reference they begin another one. Line ends would shift all answers."""
    package = install(METEOR_PROGRAM)
    Meteor(tokenize=False).score(["a ||| dog\nx"], [["a|||b", "c\rd"]])
    assert asked(package) == ["SCORE ||| a|||b ||| c d ||| a dog x"]


def test_an_example_without_references_scores_nothing(install: Install) -> None:
    install(METEOR_PROGRAM)
    ready = Meteor().prepare(["a dog", "a cat"], [[], ["a cat"]])
    assert ready.finalize(ready.statistics("a dog", []))["meteor"] == 0


def test_a_caption_that_would_break_the_program_is_counted_as_wrong(install: Install) -> None:
    package = install(METEOR_PROGRAM)
    predictions, references = ["a " * 50_000, "a cat"], [["a dog"], ["a cat"]]
    score = Meteor().score(predictions, references)
    assert score["invalid"] == 0.5 and 0 < score["meteor"] < 0.01
    assert asked(package) == ["SCORE ||| a cat ||| a cat"]


def test_lone_surrogates_do_not_reach_the_program(install: Install) -> None:
    package = install(METEOR_PROGRAM)
    Meteor(tokenize=False).score(["a \ud83d dog"], [["a dog"]])
    assert asked(package) == ["SCORE ||| a dog ||| a ? dog"]


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("sys.exit('no memory')", "METEOR failed with status 1: no memory"),
        ("print(1)", r"METEOR gave 1 lines for 2 captions"),
        ("print('x'); print('y')", "METEOR answered 'x' instead of 23 counts"),
    ],
)
def test_a_program_that_fails_is_an_error_that_says_so(install: Install, program: str, message: str) -> None:
    install(program)
    with pytest.raises(ScoringError, match=message):
        Meteor().score(["a", "b"], [["a"], ["b"]])


def test_a_program_that_hangs_is_stopped(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    install("import time; time.sleep(60)")
    monkeypatch.setattr(java_captions, "START_SECONDS", 0.2)
    monkeypatch.setattr(java_captions, "CAPTION_SECONDS", 0.0)
    with pytest.raises(ScoringError, match=r"METEOR did not end within 0 s on 1 captions"):
        Meteor().score(["a"], [["a"]])


def test_spice_is_the_mean_over_images_whatever_the_order_of_its_answers(install: Install) -> None:
    install(SPICE_PROGRAM)
    metric = Spice().prepare(["A dog.", "a cat", "a cow"], [["a dog"], ["two cats"], []])
    rows = metric.batch_statistics(["A dog.", "a cat", "a cow"], [["a dog"], ["two cats"], []])
    assert rows.tolist() == [[1.0, 1.0], [0.25, 1.0], [0.0, 1.0]]
    assert metric.finalize(rows.sum(axis=0))["spice"] == pytest.approx(1.25 / 3)


def test_spice_that_leaves_out_captions_is_an_error(install: Install) -> None:
    install("open(sys.argv[-3], 'w').write('[]')")
    with pytest.raises(ScoringError, match="SPICE gave scores for 0 of 1 captions"):
        Spice().score(["a dog"], [["a dog"]])
