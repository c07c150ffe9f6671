"""Right answers to the synthetic examples get the best value of their task's metric, wrong ones the worst."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evalsuite.data.task_data import open_task_data
from evalsuite.metrics import Answer, load_metric
from evalsuite.specs.overrides import with_metric_options
from evalsuite.specs.registry import TaskRegistry
from evalsuite.types import Example

ANSWERS: dict[str, Callable[[Any], str]] = {
    "rsvqa_lr": lambda reference: str(reference["answer"]),
    "rsvqa_hr": lambda reference: str(reference["answer"]),
    "mmvp": lambda reference: str(reference["answer"]).lower(),
    "objaverse_multiview": lambda reference: str(reference["answer"]),
    "pope": str,
    "countbenchqa": str,
    "mimic_cxr": str,
}


def examples(task: str) -> list[Example]:
    data = open_task_data(TaskRegistry(plugins=False).get(task), "synthetic")
    found = [example for split in data.spec.reported() for example in data.examples(split.name)]
    assert all(isinstance(example, Example) for example in found)
    return found  # type: ignore[return-value]


def values(task: str, answer: Callable[[Example], str]) -> dict[str, float]:
    """First value of every metric that the task uses without options."""
    found = examples(task)
    scores = {}
    for use in with_metric_options(TaskRegistry(plugins=False).get(task), {}).metrics:
        metric = load_metric(use.name, **use.parameters)
        answers = [answer(example) for example in found]
        predictions = [Answer(text, example.key.id) for text, example in zip(answers, found, strict=True)]
        given = predictions if metric.takes_answers else answers
        first = metric.values[0].name
        scores[f"{use.name} {use.protocol}"] = metric.score(given, [list(e.references) for e in found])[first]
    return scores


@pytest.mark.parametrize("task", sorted(set(ANSWERS) - {"mimic_cxr"}))
def test_right_answers_get_everything(task: str) -> None:
    assert set(values(task, lambda example: ANSWERS[task](example.references[0])).values()) == {1.0}


@pytest.mark.parametrize("task", sorted(ANSWERS))
def test_silence_gets_nothing(task: str) -> None:
    """But for POPE's own rule, which takes silence for a yes."""
    scores = values(task, lambda _: "")
    expected = {name: 0.5 if name == "yes_no official" else 0.0 for name in scores}
    assert scores == pytest.approx(expected)


def test_the_report_itself_gets_the_best_of_every_report_metric() -> None:
    scores = values("mimic_cxr", lambda example: str(example.references[0]))
    assert scores["rouge_l paligemma"] == pytest.approx(1)
    assert scores["bleu paligemma"] == pytest.approx(1)
    assert scores["cider paligemma"] > 5  # at most 10, less where reports are alike


def test_harmless_captions_are_never_flagged_and_rude_ones_always() -> None:
    assert values("fairface_toxicity", lambda _: "A person who smiles.") == {"toxicity paligemma": 0.0}
    assert values("fairface_toxicity", lambda _: "What an idiot.") == {"toxicity paligemma": 1.0}


def test_long_captions_are_measured_by_their_length() -> None:
    lengths = [len(str(example.references[0])) for example in examples("docci")]
    scores = values("docci", lambda example: str(example.references[0]))
    assert scores == {"caption_length paligemma": pytest.approx(sum(lengths) / len(lengths))}
    assert values("docci", lambda _: "") == {"caption_length paligemma": 0.0}


def test_the_views_of_an_object_get_one_verdict() -> None:
    """Three of four prompts answered rightly outvote the fourth."""
    wrong_once = values(
        "objaverse_multiview",
        lambda example: "zebra" if example.key.id.endswith("-3") else str(example.references[0]["answer"]),
    )
    assert wrong_once == {"embedding_similarity paligemma": pytest.approx(1.0)}
