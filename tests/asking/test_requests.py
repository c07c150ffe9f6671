"""Requests: the prompt filled in, with the task's decoding and image preparation."""

from __future__ import annotations

import time
from typing import Any

import pytest

from evalsuite.asking.requests import RequestBuilder, build_request
from evalsuite.errors import ExampleError
from evalsuite.specs.schema import TaskSpec
from evalsuite.types import Decoding, Example, ExampleKey, ImagePreparation


def make_spec(prefix: str = "answer en {question}", **changes: Any) -> TaskSpec:
    values = {"question": "question", "hint": "hint"}
    return TaskSpec.model_validate({
        "id": "signs", "version": 1, "title": "Signs", "family": "vqa", "description": "Signs.", "citation": "A",
        "license": "CC0", "transfer": "signs", "splits": [{"name": "test"}], "data": {"files": {}},
        "fields": {"id": "id", "images": ["image"], "references": "answers", "values": values},
        "prompt": {"prefix": prefix, "max_tokens": 32}, "decoding": {"max_new_tokens": 16, "beam_size": 2},
        "image": {"resize": "pad", "antialias": False}, "metrics": [{"name": "anls", "headline": True}], **changes,
    })  # fmt: skip


def make_example(**fields: str) -> Example:
    return Example(ExampleKey("signs", "test", "7"), 0, (), fields, ["50"], {})


@pytest.mark.parametrize(
    ("prefix", "fields", "prompt"),
    [
        ("caption en", {}, "caption en"),
        ("answer en {question}", {"question": "what?"}, "answer en what?"),
        ("{question}", {"question": " what? "}, " what? "),
        ("answer en  {question} of: {hint}", {"question": "q", "hint": "a \t b"}, "answer en  q of: a \t b"),
        ("{hint}{hint}", {"hint": "x"}, "xx"),
    ],
)
def test_values_are_put_in_as_they_are(prefix: str, fields: dict[str, str], prompt: str) -> None:
    assert build_request(make_spec(prefix), make_example(**fields)).prompt == prompt


@pytest.mark.parametrize("value", ["{hint}", "{", "a {question} b", "{0.__class__}", "%s"])
def test_a_value_is_never_read_as_a_template(value: str) -> None:
    assert build_request(make_spec(), make_example(question=value)).prompt == f"answer en {value}"


def test_a_request_carries_what_the_task_fixes() -> None:
    request = build_request(make_spec(), make_example(question="q"), log_probabilities=True)
    assert request.key == ExampleKey("signs", "test", "7")
    assert request.decoding == Decoding(16, beam_size=2, log_probabilities=True)
    assert request.preparation == ImagePreparation("pad", antialias=False, truncate=True)
    assert request.max_prompt_tokens == 32


def test_log_probabilities_are_off_unless_asked_for() -> None:
    assert build_request(make_spec(), make_example(question="q")).decoding.log_probabilities is False


def test_a_missing_value_is_the_examples_error() -> None:
    with pytest.raises(ExampleError, match="signs/test/7: the prompt needs the value 'question', which is missing"):
        RequestBuilder(make_spec())(make_example(hint="x"))


def test_building_is_no_bottleneck() -> None:
    """Well above 100,000 requests a second on an idle core; a tenth of that must hold on a busy one."""
    build, example = RequestBuilder(make_spec()), make_example(question="what is the speed limit?")
    best = 1.0
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(2_000):
            build(example)
        best = min(best, (time.perf_counter() - start) / 2_000)
    assert best < 1e-4
