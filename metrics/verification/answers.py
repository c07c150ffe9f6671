"""Golden files of the text metrics: what the official evaluations of questions and answers say."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalsuite.metrics import Metric
from evalsuite.metrics.answers.anls import ANLS
from evalsuite.metrics.answers.exact_match import ExactMatch
from evalsuite.metrics.answers.multiple_choice import MultipleChoice
from evalsuite.metrics.answers.number_words import NumberWords, digits
from evalsuite.metrics.answers.paired_accuracy import PairedAccuracy, choice_letter
from evalsuite.metrics.answers.per_type_accuracy import PerTypeAccuracy
from evalsuite.metrics.answers.relaxed_accuracy import RelaxedAccuracy
from evalsuite.metrics.answers.science_qa import ScienceQA, letter_at_start, only_letter
from evalsuite.metrics.verification import Comparison, Line, is_error
from evalsuite.metrics.answers.vizwiz import VizWiz, normalize_vizwiz
from evalsuite.metrics.answers.vqa import TextVqa, VqaV2, normalize_answer, normalize_textvqa
from evalsuite.metrics.answers.vqa_soft import VqaSoft
from evalsuite.metrics.answers.yes_no import YesNo, says_yes

Lines = list[Line]
Checked = Iterator[tuple[Line, list[Comparison]]]
Inputs = Mapping[str, Any]
Example = Mapping[str, Any]
References = Callable[[Example], Sequence[Any]]


class _Found:
    """Comparisons of one line; what the official program leaves out or raises on is not compared."""

    def __init__(self, expected: Mapping[str, Any]) -> None:
        self._expected = expected
        self.comparisons: list[Comparison] = []

    def add(self, program: str, key: str, ours: Any) -> None:
        """Compare with ``expected[program]``, or with its entry ``key``."""
        official = self.expected(program)
        if key:
            official = official.get(key) if isinstance(official, Mapping) and not is_error(official) else None
        if official is not None and ours is not None and not is_error(official):
            self.compare(f"{program} {key}".strip(), ours, official)

    def expected(self, program: str) -> Any:
        """What a program says, errors included; None where it was not run."""
        return self._expected.get(program)

    def compare(self, what: str, ours: Any, official: Any) -> None:
        self.comparisons.append(Comparison(what, ours, official))


def _each_line(check: Callable[[Inputs, _Found], None]) -> Callable[[Lines, Path], Checked]:
    """A checker from what compares one line. A line of a form not known here is not compared."""

    @functools.wraps(check)
    def checker(lines: Lines, folder: Path) -> Checked:
        for line in lines:
            found = _Found(line["expected"])
            if any(key in line["inputs"] for key in ("examples", "prediction", "text", "gpt_grades", "dataset")):
                check(line["inputs"], found)
            yield line, found.comparisons

    return checker


@_each_line
def vqa_v2(inputs: Inputs, found: _Found) -> None:
    """VQA v2: the official evaluation, overall and by type, and big_vision's."""
    if "text" in inputs:
        found.add("official", "full", normalize_answer(inputs["text"]))
        found.add("big_vision", "", normalize_answer(inputs["text"], max_periods=0))
        return
    official, big_vision = VqaV2(variant="official"), VqaV2(variant="big_vision")
    examples = _examples(inputs)
    for key in ("accuracy_x100", "overall_x100_unrounded"):
        found.add("official", key, 100 * _value(official, examples, _annotations))
    for kind, key in (("question_type", "perQuestionType"), ("answer_type", "perAnswerType")):
        groups = _grouped(examples, kind)
        ours = {name: 100 * _value(official, group, _annotations) for name, group in groups.items()}
        found.add("official", f"{key}_x100_unrounded", ours)
    found.add("big_vision", "acc", _value(big_vision, examples, _answers))
    for name, group in _grouped(examples, "answer_type").items():
        found.add("big_vision", f"acc/{name.replace('/', '')}", _value(big_vision, group, _answers))


@_each_line
def textvqa(inputs: Inputs, found: _Found) -> None:
    """TextVQA: mmf's evaluation, and big_vision's, which is that of VQA v2."""
    if "text" in inputs:
        found.add("official_m4c", "", normalize_textvqa(inputs["text"]))
        found.add("vqa_v2_official", "", normalize_answer(inputs["text"]))
        return
    examples = _examples(inputs)
    ours = _value(TextVqa(), examples, _answers)
    found.add("official_m4c", "accuracy" if isinstance(found.expected("official_m4c"), Mapping) else "", ours)
    found.add("big_vision_vqav2_evaluator", "", _value(VqaV2(), examples, _answers))


@_each_line
def vqa_soft(inputs: Inputs, found: _Found) -> None:
    """A-OKVQA and OK-VQA: their official evaluations, and big_vision's."""
    aokvqa, okvqa = VqaSoft(variant="aokvqa"), VqaSoft(variant="okvqa")
    examples = _examples(inputs)
    if "examples" not in inputs:
        found.add("aokvqa_da_official_x100", "", 100 * _value(aokvqa, examples, _answers))
        found.add("okvqa_official_vqaeval_x100", "", 100 * _value(okvqa, examples, _answers))
        _add_big_vision(found, "big_vision", examples, _answers)
        _add_big_vision(found, "big_vision_to_lower", examples, _answers, ignore_case=True)
        return
    ours = 100 * _value(aokvqa, examples, _direct_answers)
    found.add("aokvqa_da_official", "acc_x100_strict_false", ours)
    # With strict=True the official script stops at a missing answer instead of scoring it 0.
    found.add("aokvqa_da_official", "strict_true", ours)
    answered = [example for example in examples if example.get("prediction") is not None]
    _add_big_vision(found, "big_vision_on_answered_only", answered, lambda example: example["direct_answers"])


@_each_line
def vizwiz(inputs: Inputs, found: _Found) -> None:
    """VizWiz: the official API, the evaluations it is often replaced with, and big_vision's."""
    examples = _examples(inputs)
    for key in ("accuracy_x100", "overall_x100_unrounded"):
        found.add("official_vizwiz_api", key, 100 * _value(VizWiz(variant="official"), examples, _answers))
    if "prediction" in inputs:
        found.add("official_vizwiz_api", "processed_prediction", normalize_vizwiz(inputs["prediction"]))
    found.add("big_vision_vqa_evaluator", "", _value(VizWiz(), examples, _answers))
    found.add("official_vqa_v2_x100", "", 100 * _value(VqaV2(variant="official"), examples, _answers))
    found.add("textvqa_m4c", "", _value(TextVqa(), examples, _answers))


@_each_line
def anls(inputs: Inputs, found: _Found) -> None:
    """ANLS: the scripts of the Robust Reading Competition and mmf, big_vision's and pix2struct's."""
    examples = _examples(inputs)
    variants = {"official_rrc": "rrc", "official_mmf_stvqa": "mmf", "big_vision_to_lower": "big_vision"}
    for program, variant in variants.items():
        key = "anls" if isinstance(found.expected(program), Mapping) else ""
        found.add(program, key, _value(ANLS(variant=variant), examples, _answers))
    found.add("pix2struct_x100", "", 100 * _value(ANLS(), examples, _answers))


@_each_line
def relaxed_accuracy(inputs: Inputs, found: _Found) -> None:
    """ChartQA: pix2struct's evaluation and big_vision's, with and without lower-casing."""
    examples = _examples(inputs)
    pix2struct = _value(RelaxedAccuracy(variant="pix2struct"), examples, _target)
    found.add("pix2struct_relaxed", "", pix2struct == 1)
    found.add("pix2struct_x100", "", 100 * pix2struct)
    found.add("big_vision_to_lower", "relaxed_acc", _value(RelaxedAccuracy(), examples, _target))
    found.add("big_vision_to_lower", "acc", _value(ExactMatch(ignore_case=True), examples, _target))
    sensitive = RelaxedAccuracy(variant="case_sensitive")
    found.add("big_vision_no_lower", "relaxed_acc", _value(sensitive, examples, _target))
    found.add("big_vision_no_lower", "acc", _value(ExactMatch(), examples, _target))


@_each_line
def exact_match(inputs: Inputs, found: _Found) -> None:
    """String equality: big_vision's, ActivityNet-QA's and NLVR2's scripts, A-OKVQA's multiple choice."""
    if "dataset" in inputs:
        _add_multiple_choice(found, inputs)
        return
    if "csv_predictions" in inputs:
        _add_nlvr2(found, inputs)
        return
    examples = _examples(inputs)
    lower = bool(inputs.get("to_lower", (found.expected("big_vision") or {}).get("to_lower", False)))
    for key in ("acc", "acc_any"):
        found.add("big_vision", key, _value(ExactMatch(ignore_case=lower), examples, _answer))
    found.add("big_vision", "anls", _big_vision_anls(examples, _answer, ignore_case=lower))
    found.add("strict_equality", "", _value(ExactMatch(), examples, _answer))
    _add_activitynet(found, examples)


@_each_line
def tallyqa(inputs: Inputs, found: _Found) -> None:
    """TallyQA and CountBenchQA: big_vision's accuracies, overall, by difficulty and by count."""
    examples = _examples(inputs)
    found.add("big_vision", "acc", _value(NumberWords(), examples, _answer))
    groups = _grouped(examples, "issimple")
    for number, name in ((1, "simple"), (0, "complex")):
        if number in groups:
            found.add("big_vision", f"acc/{name}", _value(NumberWords(), groups[number], _answer))
    counted = [{**example, "count": digits(example["answer"])} for example in examples]
    for count, group in _grouped(counted, "count").items():
        found.add("big_vision", f"acc/count_{count}", _value(NumberWords(), group, _answer))
    if "prediction" in inputs:
        found.add("big_vision_normalised", "", [digits(inputs["prediction"]), digits(inputs["answer"])])


@_each_line
def pope(inputs: Inputs, found: _Found) -> None:
    """POPE: the official evaluation and big_vision's."""
    predictions, references = _columns(_examples(inputs), lambda example: [example["label"]])
    if "prediction" in inputs:
        found.add("official_parsed", "", "yes" if says_yes(inputs["prediction"]) else "no")
    official = YesNo(variant="official").score(predictions, references)
    for key in ("precision", "recall", "f1", "yes_ratio"):
        found.add("official", key, official[key])
    found.add("official", "acc", official["accuracy"])
    big_vision = YesNo().score(predictions, references)
    found.add("big_vision", "acc", big_vision["accuracy"])
    found.add("big_vision", "valid_percent", big_vision["valid"])


@_each_line
def mmvp(inputs: Inputs, found: _Found) -> None:
    """MMVP: the official pairing, of a judge's grades or of letters, and the letters that lmms-eval reads."""
    if "gpt_grades" in inputs:
        grades = inputs["gpt_grades"]
        references = [[{"answer": "", "index": place}] for place in range(1, len(grades) + 1)]
        judged = PairedAccuracy(match="judged").score(grades, references)
        found.add("official_gpt_grader", "accuracy", judged["pair_accuracy"])
        return
    predictions, options = _columns(_examples(inputs), _option)
    score = PairedAccuracy(match="letter").score(predictions, options)
    if "prediction" in inputs:
        found.add("lmms_eval", "pred_letter", (choice_letter(inputs["prediction"]) or "").upper())
        found.add("lmms_eval", "is_correct", score["accuracy"] == 1)
        same = PairedAccuracy().score(predictions, options)["accuracy"] == 1
        found.add("exact_string_match_strip_lower", "", same)
    found.add("lmms_eval", "mmvp_aggregate_results", score["accuracy"])
    found.add("lmms_eval", "mmvp_aggregate_pair_results", score["pair_accuracy"])
    found.add("grades_from_letter_match_through_official_pairing", "accuracy", score["pair_accuracy"])


@_each_line
def rsvqa(inputs: Inputs, found: _Found) -> None:
    """RSVQA: everything that big_vision logs, in its order, because one name comes twice."""
    logged = (found.expected("big_vision") or {}).get("yielded_in_order")
    if logged is None:
        return
    examples = _examples(inputs)
    predictions, references = _columns(examples, _typed)
    score = PerTypeAccuracy().score(predictions, references)
    ours = {"acc_any": score["accuracy"], "acc_avg": score["mean_over_types"]} | {
        "acc": _value(VqaSoft(ignore_case=True), examples, _answers),
        "anls": _value(ANLS(), examples, _answers),
        "num": len(examples),
    }
    kinds = _grouped(examples, "question_type")
    for kind in kinds:
        ours[f"acc_{kind}"] = PerTypeAccuracy(types=(kind,)).score(predictions, references)["mean_over_types"]
    names = [types for types in (("comp", "presence", "rural_urban"), ("comp", "presence")) if set(types) <= set(kinds)]
    means = (PerTypeAccuracy(types=types).score(predictions, references)["mean_over_types"] for types in names)
    for name, official in logged:
        found.compare(f"big_vision {name}", next(means) if name == "acc_avg_nonum" else ours[name], official)


@_each_line
def science_qa(inputs: Inputs, found: _Found) -> None:
    """ScienceQA: the official script, its random choices left out, and big_vision's."""
    sentence = "gt_text" if "examples" in inputs else "gt_text_big_vision"
    score = ScienceQA().score(*_columns(_examples(inputs), lambda example: [example[sentence]]))
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


def _examples(inputs: Inputs) -> Sequence[Example]:
    examples: Sequence[Example] = inputs.get("examples", [inputs])
    return examples


def _columns(examples: Iterable[Example], references: References) -> tuple[list[str], list[Sequence[Any]]]:
    """Predictions, empty where one is missing, and references."""
    pairs = [(example.get("prediction") or "", references(example)) for example in examples]
    return [prediction for prediction, _ in pairs], [group for _, group in pairs]


def _value(metric: Metric, examples: Sequence[Example], references: References) -> float:
    """The metric's first value."""
    return metric.score(*_columns(examples, references))[metric.values[0].name]


def _grouped(examples: Sequence[Example], key: str) -> dict[Any, list[Example]]:
    groups: dict[Any, list[Example]] = defaultdict(list)
    for example in examples:
        if key in example:
            groups[example[key]].append(example)
    return dict(groups)


def _answers(example: Example) -> Sequence[str]:
    answers: Sequence[str] = example["answers"]
    return answers


def _answer(example: Example) -> Sequence[str]:
    return [example["answer"]]


def _target(example: Example) -> Sequence[str]:
    return [example["target"]]


def _annotations(example: Example) -> Sequence[Any]:
    """Answers with their ids where a line repeats some, else the answers alone."""
    if "answer_ids" not in example:
        return _answers(example)
    columns = zip(example["answers"], example["answer_ids"], example["answer_confidences"], strict=True)
    return [{"answer": a, "answer_id": i, "answer_confidence": c} for a, i, c in columns]


def _direct_answers(example: Example) -> Sequence[Any]:
    difficult = example.get("difficult_direct_answer", False)
    return [{"answers": example["direct_answers"], "difficult_direct_answer": difficult}]


def _add_big_vision(
    found: _Found, program: str, examples: Sequence[Example], references: References, *, ignore_case: bool = False
) -> None:
    """The three accuracies of big_vision's evaluator ``vqa``."""
    if not examples:
        return
    found.add(program, "acc", _value(VqaSoft(ignore_case=ignore_case), examples, references))
    found.add(program, "acc_any", _value(ExactMatch(ignore_case=ignore_case), examples, references))
    found.add(program, "anls", _big_vision_anls(examples, references, ignore_case=ignore_case))


def _big_vision_anls(examples: Sequence[Example], references: References, *, ignore_case: bool) -> float | None:
    """ANLS as big_vision logs it beside accuracies. Ours always lower-cases; None where that could matter."""
    predictions, groups = _columns(examples, references)
    texts = [*predictions, *(text for group in groups for text in group)]
    if not ignore_case and any(text != text.lower() for text in texts):
        return None
    return ANLS().score(predictions, groups)["anls"]


def _add_multiple_choice(found: _Found, inputs: Inputs) -> None:
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


def _add_nlvr2(found: _Found, inputs: Inputs) -> None:
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


def _add_activitynet(found: _Found, examples: Sequence[Example]) -> None:
    """ActivityNet-QA: overall, and the right answers of every type. Its printed accuracy of free questions is wrong."""
    official = found.expected("official")
    if official is None:
        return
    found.add("official", "overall", _value(ExactMatch(), examples, _answer))
    groups = _grouped(examples, "type")
    right = {kind: len(group) * _value(ExactMatch(), group, _answer) for kind, group in groups.items()}
    found.add("official", "corrects", {kind: round(right.get(int(kind), 0.0)) for kind in official.get("corrects", {})})


def _option(example: Example) -> Sequence[Any]:
    return [{"answer": example["correct_answer"], "index": example["index_1based"]}]


def _typed(example: Example) -> Sequence[Any]:
    return [{"answer": example["answers"], "type": example["question_type"]}]
