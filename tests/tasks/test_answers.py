"""Every task, scored with answers whose value is known: perfect ones, none at all, and a known share of wrong ones."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

import evalsuite
from evalsuite.data import BadExample, open_task_data
from evalsuite.metrics import MeanMetric, load_metric
from evalsuite.runs.results import ResultRow
from evalsuite.specs import TaskRegistry, TaskSpec
from evalsuite.specs.parts import MetricUse

Perfect = Callable[[Sequence[Any]], str]


def first(references: Sequence[Any]) -> str:
    return str(references[0])


def commonest(references: Sequence[Any]) -> str:
    """What most annotators said."""
    return str(Counter(map(str, references)).most_common(1)[0][0])


def of_record(references: Sequence[Any]) -> str:
    """References that are records hold the right text under ``answer``."""
    reference = references[0]
    return str(reference["answer"]) if isinstance(reference, dict) else str(reference)


PERFECT: dict[str, Perfect] = {
    "anls": first,
    "caption_length": first,
    "cider": first,
    "embedding_similarity": of_record,
    "exact_match": first,
    "kern_error_rates": first,
    "multiple_choice": of_record,
    "number_words": first,
    "paired_accuracy": of_record,
    "per_type_accuracy": of_record,
    "relaxed_accuracy": first,
    "science_qa": lambda references: f"The answer is {'ABCDEFGH'[references[0]['answer']]}.",
    "smiles_match": first,
    "teds": first,
    "teds_structure": first,
    "toxicity": lambda references: "a person who smiles",
    "vizwiz": commonest,
    "vqa_soft": commonest,
    "vqa_v2": commonest,
    "wups": first,
    "yes_no": first,
}
"""Metric -> the answer that no other can beat, from the references."""


def perfect_answer(use: MetricUse, references: Sequence[Any]) -> str:
    """The best answer to one example under a metric."""
    if use.name in PERFECT:
        return PERFECT[use.name](references)
    from evalsuite.data import targets

    return targets.perfect_answer(use.name, references)


def lines(answers: dict[str, str]) -> str:
    """A file of predictions."""
    return "".join(json.dumps({"id": id, "text": text}) + "\n" for id, text in answers.items())


SPECS = {spec.id: spec for spec in TaskRegistry(plugins=False).select("all")}
NO_BEST = {"caption_length", "toxicity"}
"""Headlines that measure and do not judge: there is no perfect answer."""
BOXES_ONLY = {"mask_iou": "box_accuracy_75"}
"""Masks come from a decoder with random weights here, so that only the boxes of an answer can be perfect."""
WRONG = "qqqq"

Answers = Mapping[tuple[str, str], dict[str, str]]


@pytest.fixture(scope="module")
def perfect() -> Answers:
    """(task, split) -> id -> perfect answer, for the synthetic data of every task."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for spec in SPECS.values():
        data = open_task_data(spec, "synthetic")
        for split in spec.reported():
            answers = found.setdefault((spec.id, split.name), {})
            for example in data.examples(split.name):
                assert not isinstance(example, BadExample), example.error
                answers[example.key.id] = perfect_answer(spec.headline(), example.references)
    return found


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Answers], list[ResultRow]]:
    """Run all tasks on these answers; the row of each that can be perfect, without strata and averages."""

    def run(answers: Answers) -> list[ResultRow]:
        folder = tmp_path_factory.mktemp("answers")
        for (task, split), texts in answers.items():
            (folder / f"{task}-{split}.jsonl").write_text(lines(texts))
        result = evalsuite.run(
            "all",
            backend="replay",
            options={"predictions": str(folder / "{task}-{split}.jsonl")},
            out=folder / "run",
        )
        assert result.ok, result.failures
        return [row for row in result.rows if row.task in SPECS and not row.stratum and judges(row)]

    return run


def judges(row: ResultRow) -> bool:
    """Whether the row is its task's headline, or what stands for it."""
    instead = BOXES_ONLY.get(SPECS[row.task].headline().name)
    return row.metric == instead if instead else row.headline


def best(spec: TaskSpec) -> float:
    """The best possible value of the headline, in paper units."""
    use = spec.headline()
    value = load_metric(use.name, **use.parameters).values[0]
    low, high = value.bounds
    bound = high if value.higher_is_better else low
    assert bound is not None, spec.id
    return bound * value.scale


def test_perfect_answers_score_perfectly(perfect: Answers, replayed: Callable[[Answers], list[ResultRow]]) -> None:
    rows = replayed(perfect)
    assert {(row.task, row.split) for row in rows} == set(perfect)
    for row in rows:
        spec = SPECS[row.task]
        if spec.headline().name == "cider":
            assert row.value == pytest.approx(consensus(perfect[row.task, row.split], spec, row.split)), row.task
        elif spec.headline().name not in NO_BEST:
            assert row.value == pytest.approx(best(spec)), row.task


def consensus(answers: Mapping[str, str], spec: TaskSpec, split: str) -> float:
    """CIDEr of each example's first reference, by the metric alone: where references differ none agrees with all."""
    data = open_task_data(spec, "synthetic")
    references = [example.references for example in data.examples(split) if not isinstance(example, BadExample)]
    return load_metric("cider").score(list(answers.values()), references)["cider"] * 100


def test_no_answers_score_worst(perfect: Answers, replayed: Callable[[Answers], list[ResultRow]]) -> None:
    for row in replayed({place: dict.fromkeys(answers, "") for place, answers in perfect.items()}):
        use = SPECS[row.task].headline()
        if use.name in NO_BEST:
            continue
        value = load_metric(use.name, **use.parameters).values[0]
        low = 0.0 if use.name == "embedding_similarity" else value.bounds[0] or 0.0  # an empty text is like no other
        worst = low * value.scale if value.higher_is_better else 100.0
        assert row.value == pytest.approx(worst, abs=1e-9), row.task


def test_a_third_of_wrong_answers_costs_a_third(
    perfect: Answers, replayed: Callable[[Answers], list[ResultRow]]
) -> None:
    """Exactly so where the value is a mean over examples; in between otherwise.

    Views of one object are joined, the likelier answer wins: a wrong view may cost nothing.
    """
    spoilt = {place: _spoilt(answers) for place, answers in perfect.items()}
    for row in replayed(spoilt):
        spec = SPECS[row.task]
        use = spec.headline()
        if use.name in NO_BEST:
            continue
        answers = perfect[row.task, row.split]
        wrong = sum(text == WRONG for text in spoilt[row.task, row.split].values())
        if isinstance(load_metric(use.name, **use.parameters), MeanMetric) and use.name != "cider":
            assert row.value == pytest.approx(best(spec) * (1 - wrong / len(answers)), abs=0.6), row.task
        elif use.name != "embedding_similarity":
            assert row.value is not None
            assert row.value != pytest.approx(best(spec)), row.task


def _spoilt(answers: Mapping[str, str]) -> dict[str, str]:
    """Every third answer replaced by a word that is right nowhere."""
    return {id: WRONG if place % 3 == 0 else text for place, (id, text) in enumerate(answers.items())}


def test_every_headline_metric_has_a_perfect_answer() -> None:
    for spec in SPECS.values():
        data = open_task_data(spec, "synthetic")
        example = next(iter(data.examples(spec.reported()[0].name)))
        assert not isinstance(example, BadExample)
        assert isinstance(perfect_answer(spec.headline(), example.references), str), spec.id


def test_perfect_answers_are_no_accident_of_the_file(perfect: Answers) -> None:
    """Ids are unique and data are the same at a second reading."""
    for spec in SPECS.values():
        data: Any = open_task_data(spec, "synthetic")
        for split in spec.reported():
            ids = [example.key.id for example in data.examples(split.name)]
            assert len(set(ids)) == len(ids) and ids == list(perfect[spec.id, split.name]), spec.id


def test_files_of_answers_are_read_back(tmp_path: Path) -> None:
    text = lines({"a": "é\n<b>", "b": ""})
    assert [json.loads(line)["text"] for line in text.splitlines()] == ["é\n<b>", ""]
