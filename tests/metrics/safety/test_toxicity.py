"""Toxicity: shares over the threshold per subgroup, from a file or a scorer."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import DataError, ScoringError, UnknownName, UsageError
from evalsuite.metrics import Answer
from evalsuite.metrics.safety.toxicity import ATTRIBUTES, Toxicity, write_scores
from evalsuite.metrics.verification import shipped_golden_files, verify_file

GOLDEN = shipped_golden_files()


def test_agrees_with_the_definition_of_the_paper() -> None:
    verdict = verify_file(GOLDEN / "perspective_fractions.jsonl.gz")
    assert verdict.passed, verdict.failures


@dataclass(frozen=True)
class Words:
    """The score is the caption, read as a number."""

    name: str = "words-1"

    def scores(self, texts: Sequence[str]) -> list[Mapping[str, float]]:
        return [dict.fromkeys(ATTRIBUTES, float(text or 0)) for text in texts]


def person(gender: str | None, age: str = "20-29") -> list[dict[str, Any]]:
    return [{"perceived_gender": gender, "ethnicity": "White", "age_group": age}]


def answers(*scores: float) -> list[Answer]:
    return [Answer(str(score), str(place)) for place, score in enumerate(scores)]


def test_largest_and_median_share_over_subgroups() -> None:
    references = [person(g) for g in ("Female", "Female", "Female", "Female", "Male", "Male", "Other")]
    score = Toxicity(scorer=Words()).score(answers(0.9, 0, 0, 0, 0.9, 0, 0), references)
    assert score["toxicity_perceived_gender_max"] == 0.5
    assert score["toxicity_perceived_gender_median"] == 0.25
    assert score["insult_ethnicity_max"] == score["insult"] == pytest.approx(2 / 7)


def test_the_median_of_two_subgroups_lies_between_them() -> None:
    score = Toxicity(scorer=Words()).score(answers(0.9, 0.1), [person("Female"), person("Male")])
    assert score["threat_perceived_gender_median"] == 0.5


def test_a_score_at_the_threshold_counts_unless_strict() -> None:
    pair = answers(0.8, 0.81), [person("Male"), person("Male")]
    assert Toxicity(scorer=Words()).score(*pair)["toxicity"] == 1
    assert Toxicity(scorer=Words(), strict=True).score(*pair)["toxicity"] == 0.5
    assert Toxicity(scorer=Words(), threshold=0.805).score(*pair)["toxicity"] == 0.5


def test_a_caption_without_subgroup_counts_elsewhere_only() -> None:
    score = Toxicity(scorer=Words()).score(answers(0.9, 0.0), [person(None), person("Male")])
    assert score["toxicity_perceived_gender_max"] == 0
    assert score["toxicity_ethnicity_max"] == 0.5


def test_a_grouping_without_subgroups_is_undefined() -> None:
    score = Toxicity(scorer=Words()).score(answers(0.9), [[{"ethnicity": "White"}]])
    assert math.isnan(score["toxicity_age_group_max"])
    assert score["toxicity_ethnicity_max"] == 1


def test_shares_by_subgroup_can_be_had() -> None:
    given, references = answers(0.9, 0.1, 0.2), [person("Male", "0-2"), person("Male"), person("Male")]
    metric = Toxicity(scorer=Words()).prepare(given, references)
    assert isinstance(metric, Toxicity)
    total = metric.batch_statistics(given, references).sum(axis=0)
    assert metric.by_subgroup(total, "toxicity", "age_group") == {"0-2": 1.0, "20-29": 0.0}
    with pytest.raises(UnknownName, match="hair"):
        metric.by_subgroup(total, "toxicity", "hair")


def write(folder: Path, *records: dict[str, Any]) -> str:
    (folder / "scores.jsonl").write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return str(folder / "scores.jsonl")


def test_scores_go_to_a_file_and_come_back(tmp_path: Path) -> None:
    given, references = answers(0.9, 0.1), [person("Male"), person("Female")]
    write_scores(tmp_path / "scores.jsonl", given, Words())
    from_file = Toxicity(scores=str(tmp_path / "scores.jsonl"))
    from_file.check()
    assert from_file.score(given, references) == Toxicity(scorer=Words()).score(given, references)
    assert "scores:scores.jsonl(" in from_file.signature()
    assert "scorer:words-1" in Toxicity(scorer=Words()).signature()


def test_captions_without_all_scores_are_counted_and_left_out(tmp_path: Path) -> None:
    full = dict.fromkeys(ATTRIBUTES, 0.9)
    scores = write(tmp_path, {"id": "0", "scores": full}, {"id": "1", "scores": {**full, "threat": None}})
    score = Toxicity(scores=scores).score(answers(0, 0), [person("Male"), person("Male")])
    assert score["unscored"] == 0.5
    assert score["toxicity"] == 1


def test_an_empty_caption_is_harmless_and_counted(tmp_path: Path) -> None:
    scores = write(tmp_path, {"id": "0", "scores": dict.fromkeys(ATTRIBUTES, 0.9)})
    score = Toxicity(scores=scores).score([Answer("a", "0"), Answer("", "1")], [person("Male"), person("Male")])
    assert (score["toxicity"], score["empty"], score["unscored"]) == (0.5, 0.5, 0.0)


def test_captions_that_were_never_scored_or_changed_since_are_named(tmp_path: Path) -> None:
    scores = write(tmp_path, {"id": "0", "text": "old", "scores": dict.fromkeys(ATTRIBUTES, 0.1)})
    with pytest.raises(ScoringError, match="'0' changed since"):
        Toxicity(scores=scores).score([Answer("new", "0")], [person("Male")])
    with pytest.raises(ScoringError, match="no scores for the caption of '1'"):
        Toxicity(scores=scores).score([Answer("new", "1")], [person("Male")])


@pytest.mark.parametrize("scores", [None, [0.1], {"toxicity": "high"}, {"toxicity": True}])
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, scores: Any) -> None:
    with pytest.raises(DataError, match=r"scores.jsonl:1.*scores"):
        Toxicity(scores=write(tmp_path, {"id": "0", "scores": scores})).check()


@pytest.mark.parametrize("score", [1.5, -0.1, math.nan])
def test_impossible_scores_are_refused(score: float) -> None:
    with pytest.raises(ScoringError, match=r"not in \[0, 1\]"):
        Toxicity(scorer=Words()).score(answers(score), [person("Male")])


def test_misuse_is_named() -> None:
    with pytest.raises(UsageError, match="write_scores"):
        Toxicity().check()
    with pytest.raises(ValueError, match="threshold"):
        Toxicity(threshold=2)
    with pytest.raises(ValueError, match="scorer needs"):
        Toxicity(scorer="words")  # type: ignore[arg-type]
    with pytest.raises(ScoringError, match="prepare"):
        Toxicity(scorer=Words()).statistics(Answer("0"), person("Male"))
    with pytest.raises(ScoringError, match="one reference"):
        Toxicity(scorer=Words()).score([Answer("0")], [["Male"]])


def test_the_word_list_needs_no_file_and_flags_what_it_knows() -> None:
    metric = Toxicity(scores="word_list")
    metric.check()
    captions = [Answer(text, str(place)) for place, text in enumerate(["A smiling man.", "What an IDIOT!", ""])]
    score = metric.score(captions, [person("Male")] * 3)
    assert score["toxicity"] == score["insult"] == pytest.approx(1 / 3)
    assert (score["threat"], score["empty"]) == (0, pytest.approx(1 / 3))


def test_the_word_list_is_named_in_the_signature_and_warned_of() -> None:
    assert "scores:word_list" in Toxicity(scores="word_list").signature()
    assert "short list" in Toxicity(scores="word_list").caution()
    assert Toxicity(scorer=Words()).caution() == ""
