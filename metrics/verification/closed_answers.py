"""Golden files of questions with few possible answers: yes or no, letters, counts, question types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalsuite.metrics.answers.anls import ANLS
from evalsuite.metrics.answers.number_words import NumberWords, digits
from evalsuite.metrics.answers.paired_accuracy import PairedAccuracy, choice_letter
from evalsuite.metrics.answers.per_type_accuracy import PerTypeAccuracy
from evalsuite.metrics.answers.science_qa import ScienceQA, letter_at_start, only_letter
from evalsuite.metrics.answers.vqa_soft import VqaSoft
from evalsuite.metrics.answers.yes_no import YesNo, says_yes
from evalsuite.metrics.verification.question_lines import (
    Example,
    Found,
    Inputs,
    _columns,
    answer,
    answers,
    each_line,
    examples_of,
    grouped,
    value,
)


@each_line
def tallyqa(inputs: Inputs, found: Found) -> None:
    """TallyQA and CountBenchQA: big_vision's accuracies, overall, by difficulty and by count."""
    examples = examples_of(inputs)
    found.add("big_vision", "acc", value(NumberWords(), examples, answer))
    groups = grouped(examples, "issimple")
    for number, name in ((1, "simple"), (0, "complex")):
        if number in groups:
            found.add("big_vision", f"acc/{name}", value(NumberWords(), groups[number], answer))
    counted = [{**example, "count": digits(example["answer"])} for example in examples]
    for count, group in grouped(counted, "count").items():
        found.add("big_vision", f"acc/count_{count}", value(NumberWords(), group, answer))
    if "prediction" in inputs:
        found.add("big_vision_normalised", "", [digits(inputs["prediction"]), digits(inputs["answer"])])


@each_line
def pope(inputs: Inputs, found: Found) -> None:
    """POPE: the official evaluation and big_vision's."""
    predictions, references = _columns(examples_of(inputs), lambda example: [example["label"]])
    if "prediction" in inputs:
        found.add("official_parsed", "", "yes" if says_yes(inputs["prediction"]) else "no")
    official = YesNo(variant="official").score(predictions, references)
    for key in ("precision", "recall", "f1", "yes_ratio"):
        found.add("official", key, official[key])
    found.add("official", "acc", official["accuracy"])
    big_vision = YesNo().score(predictions, references)
    found.add("big_vision", "acc", big_vision["accuracy"])
    found.add("big_vision", "valid_percent", big_vision["valid"])


@each_line
def mmvp(inputs: Inputs, found: Found) -> None:
    """MMVP: the official pairing, of a judge's grades or of letters, and the letters that lmms-eval reads."""
    if "gpt_grades" in inputs:
        grades = inputs["gpt_grades"]
        references = [[{"answer": "", "index": place}] for place in range(1, len(grades) + 1)]
        judged = PairedAccuracy(match="judged").score(grades, references)
        found.add("official_gpt_grader", "accuracy", judged["pair_accuracy"])
        return
    predictions, options = _columns(examples_of(inputs), _option)
    score = PairedAccuracy(match="letter").score(predictions, options)
    if "prediction" in inputs:
        found.add("lmms_eval", "pred_letter", (choice_letter(inputs["prediction"]) or "").upper())
        found.add("lmms_eval", "is_correct", score["accuracy"] == 1)
        same = PairedAccuracy().score(predictions, options)["accuracy"] == 1
        found.add("exact_string_match_strip_lower", "", same)
    found.add("lmms_eval", "mmvp_aggregate_results", score["accuracy"])
    found.add("lmms_eval", "mmvp_aggregate_pair_results", score["pair_accuracy"])
    found.add("grades_from_letter_match_through_official_pairing", "accuracy", score["pair_accuracy"])


@each_line
def rsvqa(inputs: Inputs, found: Found) -> None:
    """RSVQA: everything that big_vision logs, in its order, because one name comes twice."""
    logged = (found.expected("big_vision") or {}).get("yielded_in_order")
    if logged is None:
        return
    examples = examples_of(inputs)
    predictions, references = _columns(examples, _typed)
    score = PerTypeAccuracy().score(predictions, references)
    ours = {"acc_any": score["accuracy"], "acc_avg": score["mean_over_types"]} | {
        "acc": value(VqaSoft(ignore_case=True), examples, answers),
        "anls": value(ANLS(), examples, answers),
        "num": len(examples),
    }
    kinds = grouped(examples, "question_type")
    for kind in kinds:
        ours[f"acc_{kind}"] = PerTypeAccuracy(types=(kind,)).score(predictions, references)["mean_over_types"]
    names = [types for types in (("comp", "presence", "rural_urban"), ("comp", "presence")) if set(types) <= set(kinds)]
    means = (PerTypeAccuracy(types=types).score(predictions, references)["mean_over_types"] for types in names)
    for name, official in logged:
        found.compare(f"big_vision {name}", next(means) if name == "acc_avg_nonum" else ours[name], official)


@each_line
def science_qa(inputs: Inputs, found: Found) -> None:
    """ScienceQA: the official script, its random choices left out, and big_vision's."""
    sentence = "gt_text" if "examples" in inputs else "gt_text_big_vision"
    score = ScienceQA().score(*_columns(examples_of(inputs), lambda example: [example[sentence]]))
    found.add("big_vision", "acc", score["accuracy"])
    found.add("big_vision", "parsefail", score["invalid"])
    if "prediction" in inputs:
        found.add("big_vision", "parsed", letter_at_start(inputs["prediction"]) or "failed")
        found.add("official_run_gpt3_parsed", "", only_letter(inputs["prediction"]) or "FAILED")
        gold = {"answer": inputs["gt_index"], "choices": inputs["num_choices"]}
        official = ScienceQA(variant="official").score([inputs["prediction"]], [[gold]])
        chosen = found.expected("official_pred_idx")
        if chosen is not None:
            ours = "random" if official["invalid"] else bool(official["accuracy"])
            theirs = "random" if isinstance(chosen, str) else chosen == inputs["gt_index"]
            found.compare("official_pred_idx", ours, theirs)


def _option(example: Example) -> Sequence[Any]:
    return [{"answer": example["correct_answer"], "index": example["index_1based"]}]


def _typed(example: Example) -> Sequence[Any]:
    return [{"answer": example["answers"], "type": example["question_type"]}]
