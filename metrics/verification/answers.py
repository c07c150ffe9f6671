"""Golden files of free answers: what the official evaluations of questions and answers say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalsuite.metrics.answers.anls import ANLS
from evalsuite.metrics.answers.exact_match import ExactMatch
from evalsuite.metrics.answers.multiple_choice import MultipleChoice
from evalsuite.metrics.answers.paired_accuracy import PairedAccuracy
from evalsuite.metrics.answers.relaxed_accuracy import RelaxedAccuracy
from evalsuite.metrics.answers.vizwiz import VizWiz, normalize_vizwiz
from evalsuite.metrics.answers.vqa import TextVqa, VqaV2, normalize_answer, normalize_textvqa
from evalsuite.metrics.answers.vqa_soft import VqaSoft
from evalsuite.metrics.verification import is_error
from evalsuite.metrics.verification.question_lines import (
    Example,
    Found,
    Inputs,
    References,
    _columns,
    answer,
    answers,
    each_line,
    examples_of,
    grouped,
    value,
)


@each_line
def vqa_v2(inputs: Inputs, found: Found) -> None:
    """VQA v2: the official evaluation, overall and by type, and big_vision's."""
    if "text" in inputs:
        found.add("official", "full", normalize_answer(inputs["text"]))
        found.add("big_vision", "", normalize_answer(inputs["text"], max_periods=0))
        return
    official, big_vision = VqaV2(variant="official"), VqaV2(variant="big_vision")
    examples = examples_of(inputs)
    for key in ("accuracy_x100", "overall_x100_unrounded"):
        found.add("official", key, 100 * value(official, examples, _annotations))
    for kind, key in (("question_type", "perQuestionType"), ("answer_type", "perAnswerType")):
        groups = grouped(examples, kind)
        ours = {name: 100 * value(official, group, _annotations) for name, group in groups.items()}
        found.add("official", f"{key}_x100_unrounded", ours)
    found.add("big_vision", "acc", value(big_vision, examples, answers))
    for name, group in grouped(examples, "answer_type").items():
        found.add("big_vision", f"acc/{name.replace('/', '')}", value(big_vision, group, answers))


@each_line
def textvqa(inputs: Inputs, found: Found) -> None:
    """TextVQA: mmf's evaluation, and big_vision's, which is that of VQA v2."""
    if "text" in inputs:
        found.add("official_m4c", "", normalize_textvqa(inputs["text"]))
        found.add("vqa_v2_official", "", normalize_answer(inputs["text"]))
        return
    examples = examples_of(inputs)
    ours = value(TextVqa(), examples, answers)
    found.add("official_m4c", "accuracy" if isinstance(found.expected("official_m4c"), Mapping) else "", ours)
    found.add("big_vision_vqav2_evaluator", "", value(VqaV2(), examples, answers))


@each_line
def vqa_soft(inputs: Inputs, found: Found) -> None:
    """A-OKVQA and OK-VQA: their official evaluations, and big_vision's."""
    aokvqa, okvqa = VqaSoft(variant="aokvqa"), VqaSoft(variant="okvqa")
    examples = examples_of(inputs)
    if "examples" not in inputs:
        found.add("aokvqa_da_official_x100", "", 100 * value(aokvqa, examples, answers))
        found.add("okvqa_official_vqaeval_x100", "", 100 * value(okvqa, examples, answers))
        _add_big_vision(found, "big_vision", examples, answers)
        _add_big_vision(found, "big_vision_to_lower", examples, answers, ignore_case=True)
        return
    ours = 100 * value(aokvqa, examples, _direct_answers)
    found.add("aokvqa_da_official", "acc_x100_strict_false", ours)
    # With strict=True the official script stops at a missing answer instead of scoring it 0.
    found.add("aokvqa_da_official", "strict_true", ours)
    answered = [example for example in examples if example.get("prediction") is not None]
    _add_big_vision(found, "big_vision_on_answered_only", answered, lambda example: example["direct_answers"])


@each_line
def vizwiz(inputs: Inputs, found: Found) -> None:
    """VizWiz: the official API, the evaluations it is often replaced with, and big_vision's."""
    examples = examples_of(inputs)
    for key in ("accuracy_x100", "overall_x100_unrounded"):
        found.add("official_vizwiz_api", key, 100 * value(VizWiz(variant="official"), examples, answers))
    if "prediction" in inputs:
        found.add("official_vizwiz_api", "processed_prediction", normalize_vizwiz(inputs["prediction"]))
    found.add("big_vision_vqa_evaluator", "", value(VizWiz(), examples, answers))
    found.add("official_vqa_v2_x100", "", 100 * value(VqaV2(variant="official"), examples, answers))
    found.add("textvqa_m4c", "", value(TextVqa(), examples, answers))


@each_line
def anls(inputs: Inputs, found: Found) -> None:
    """ANLS: the scripts of the Robust Reading Competition and mmf, big_vision's and pix2struct's."""
    examples = examples_of(inputs)
    variants = {"official_rrc": "rrc", "official_mmf_stvqa": "mmf", "big_vision_to_lower": "big_vision"}
    for program, variant in variants.items():
        key = "anls" if isinstance(found.expected(program), Mapping) else ""
        found.add(program, key, value(ANLS(variant=variant), examples, answers))
    found.add("pix2struct_x100", "", 100 * value(ANLS(), examples, answers))


@each_line
def relaxed_accuracy(inputs: Inputs, found: Found) -> None:
    """ChartQA: pix2struct's evaluation and big_vision's, with and without lower-casing."""
    examples = examples_of(inputs)
    pix2struct = value(RelaxedAccuracy(variant="pix2struct"), examples, _target)
    found.add("pix2struct_relaxed", "", pix2struct == 1)
    found.add("pix2struct_x100", "", 100 * pix2struct)
    found.add("big_vision_to_lower", "relaxed_acc", value(RelaxedAccuracy(), examples, _target))
    found.add("big_vision_to_lower", "acc", value(ExactMatch(ignore_case=True), examples, _target))
    sensitive = RelaxedAccuracy(variant="case_sensitive")
    found.add("big_vision_no_lower", "relaxed_acc", value(sensitive, examples, _target))
    found.add("big_vision_no_lower", "acc", value(ExactMatch(), examples, _target))


@each_line
def exact_match(inputs: Inputs, found: Found) -> None:
    """String equality: big_vision's, ActivityNet-QA's and NLVR2's scripts, A-OKVQA's multiple choice."""
    if "dataset" in inputs:
        _add_multiple_choice(found, inputs)
        return
    if "csv_predictions" in inputs:
        _add_nlvr2(found, inputs)
        return
    examples = examples_of(inputs)
    lower = bool(inputs.get("to_lower", (found.expected("big_vision") or {}).get("to_lower", False)))
    for key in ("acc", "acc_any"):
        found.add("big_vision", key, value(ExactMatch(ignore_case=lower), examples, answer))
    found.add("big_vision", "anls", _big_vision_anls(examples, answer, ignore_case=lower))
    found.add("strict_equality", "", value(ExactMatch(), examples, answer))
    _add_activitynet(found, examples)


def _target(example: Example) -> Sequence[str]:
    return [example["target"]]


def _annotations(example: Example) -> Sequence[Any]:
    """Answers with their ids where a line repeats some, else the answers alone."""
    if "answer_ids" not in example:
        return answers(example)
    columns = zip(example["answers"], example["answer_ids"], example["answer_confidences"], strict=True)
    return [{"answer": a, "answer_id": i, "answer_confidence": c} for a, i, c in columns]


def _direct_answers(example: Example) -> Sequence[Any]:
    difficult = example.get("difficult_direct_answer", False)
    return [{"answers": example["direct_answers"], "difficult_direct_answer": difficult}]


def _add_big_vision(
    found: Found, program: str, examples: Sequence[Example], references: References, *, ignore_case: bool = False
) -> None:
    """The three accuracies of big_vision's evaluator ``vqa``."""
    if not examples:
        return
    found.add(program, "acc", value(VqaSoft(ignore_case=ignore_case), examples, references))
    found.add(program, "acc_any", value(ExactMatch(ignore_case=ignore_case), examples, references))
    found.add(program, "anls", _big_vision_anls(examples, references, ignore_case=ignore_case))


def _big_vision_anls(examples: Sequence[Example], references: References, *, ignore_case: bool) -> float | None:
    """ANLS as big_vision logs it beside accuracies. Ours always lower-cases; None where that could matter."""
    predictions, groups = _columns(examples, references)
    texts = [*predictions, *(text for group in groups for text in group)]
    if not ignore_case and any(text != text.lower() for text in texts):
        return None
    return ANLS().score(predictions, groups)["anls"]


def _add_multiple_choice(found: Found, inputs: Inputs) -> None:
    """A-OKVQA: strict=True raises where our share of invalid answers is above 0."""
    questions = inputs["dataset"]
    answers = inputs["predictions"]
    predictions = [answers.get(question) or "" for question in questions]
    references = [[{"choices": q["choices"], "answer": q["correct_choice_idx"]}] for q in questions.values()]
    score = MultipleChoice().score(predictions, references)
    found.add("official_x100_strict_false", "", 100 * score["accuracy"])
    found.add("official_strict_true", "", 100 * score["accuracy"])
    strict = found.expected("official_strict_true")
    if strict is not None:
        found.compare("official_strict_true stops", score["invalid"] > 0, is_error(strict))


def _add_nlvr2(found: Found, inputs: Inputs) -> None:
    """NLVR2: accuracy, and consistency over the examples of one sentence. Officially only the second field counts."""
    official = found.expected("official")
    if official is None or official.get("no_score"):
        return
    answers = {line.split(",")[0]: line.strip().split(",")[1] for line in map(",".join, inputs["csv_predictions"])}
    grades, references = [], []
    for example in inputs["examples"]:
        split, number, _, sentence = example["identifier"].split("-")
        right = ExactMatch(ignore_case=True).example(answers.get(example["identifier"], ""), [str(example["label"])])
        grades.append("yes" if right else "no")
        references.append([{"answer": "", "pair": f"{split}-{number}-{sentence}"}])
    score = PairedAccuracy(match="judged", group_size=0).score(grades, references)
    found.add("official", "accuracy", score["accuracy"])
    found.add("official", "consistency", score["pair_accuracy"])


def _add_activitynet(found: Found, examples: Sequence[Example]) -> None:
    """ActivityNet-QA: overall, and the right answers of every type. Its printed accuracy of free questions is wrong."""
    official = found.expected("official")
    if official is None:
        return
    found.add("official", "overall", value(ExactMatch(), examples, answer))
    groups = grouped(examples, "type")
    right = {kind: len(group) * value(ExactMatch(), group, answer) for kind, group in groups.items()}
    found.add("official", "corrects", {kind: round(right.get(int(kind), 0.0)) for kind in official.get("corrects", {})})
