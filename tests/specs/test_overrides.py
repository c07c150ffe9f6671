"""Metric parameters beside the spec: ``--metric-option mask_iou.weights=FILE``."""

from __future__ import annotations

import pytest

from evalsuite.errors import UnknownName, UsageError
from evalsuite.settings.words import parse_metric_options
from evalsuite.specs import TaskRegistry, TaskSpec
from evalsuite.specs.digest import inference_digest
from evalsuite.specs.overrides import check_metric_options, with_metric_options


@pytest.fixture(scope="module")
def refcoco() -> TaskSpec:
    return TaskRegistry().get("refcoco")


def test_a_parameter_joins_those_of_the_spec_and_asks_the_model_the_same(refcoco: TaskSpec) -> None:
    spec = with_metric_options(refcoco, {"mask_iou": {"weights": "vae.npz", "box_scale": "1024"}})
    assert spec.metrics[0].parameters == {"weights": "vae.npz", "box_scale": 1024}
    assert inference_digest(spec) == inference_digest(refcoco)


def test_metrics_of_other_tasks_are_left_alone() -> None:
    docvqa = TaskRegistry().get("docvqa")
    assert with_metric_options(docvqa, {"mask_iou": {"weights": "vae.npz"}}) == docvqa


def test_every_use_of_the_metric_gets_the_parameter() -> None:
    docvqa = with_metric_options(TaskRegistry().get("docvqa"), {"anls": {"threshold": "0.6"}})
    assert [use.parameters["threshold"] for use in docvqa.metrics] == [0.6, 0.6]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask_iou": {"weigths": "x"}}, "Did you mean 'weights'"),
        ({"mask_iou": {"box_scale": "many"}}, "must be a whole number"),
    ],
)
def test_a_wrong_parameter_is_named(refcoco: TaskSpec, options: dict[str, dict[str, str]], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        with_metric_options(refcoco, options)


def test_a_metric_that_no_task_uses_is_named(refcoco: TaskSpec) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'mask_iou'"):
        check_metric_options([refcoco], {"mask_iu": {"weights": "x"}})


@pytest.mark.parametrize("pair", ["weights=x", "mask_iou.weights", ".weights=x", "mask_iou.=x"])
def test_the_form_is_metric_dot_parameter_equals_value(pair: str) -> None:
    with pytest.raises(UsageError, match=r"METRIC\.PARAMETER=VALUE"):
        parse_metric_options([pair])


def test_an_optional_metric_is_used_only_when_it_is_given_what_it_needs() -> None:
    """Human ratings cannot come with a spec; the task runs without them, and can be scored with them afterwards."""
    docci = TaskRegistry().get("docci")
    assert [use.name for use in with_metric_options(docci, {}).metrics] == ["caption_length"]
    given = with_metric_options(docci, {"non_entailment": {"ratings": "sheet.csv"}})
    assert [use.name for use in given.metrics] == ["caption_length", "non_entailment"]
    assert given.metrics[1].parameters == {"ratings": "sheet.csv"}
    check_metric_options([docci], {"non_entailment": {"ratings": "sheet.csv"}})
