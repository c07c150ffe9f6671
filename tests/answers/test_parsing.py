"""The parsing steps of a task spec."""

from __future__ import annotations

from typing import get_args

import pytest

from evalsuite.answers.parsing import STEPS, parse_answer
from evalsuite.errors import UnknownName
from evalsuite.specs.schema import TaskSpec


@pytest.mark.parametrize(
    ("text", "steps", "answer"),
    [
        (" Yes \n", [], " Yes \n"),
        (" Yes \n", ["strip"], "Yes"),
        ("STOP", ["lower"], "stop"),
        ("Yes.\nBecause", ["first_line"], "Yes."),
        ("\nYes", ["first_line"], ""),
        ("\nYes\nNo", ["strip", "first_line", "lower"], "yes"),
        ("a\r\nb", ["first_line", "strip"], "a"),
    ],
)
def test_steps_are_applied_in_the_order_given(text: str, steps: list[str], answer: str) -> None:
    assert parse_answer(text, steps) == answer


def test_an_unknown_step_gets_the_nearest_one() -> None:
    with pytest.raises(UnknownName, match=r"unknown parsing step 'stip'. Did you mean 'strip'\?"):
        parse_answer("a", ["stip"])


def test_the_schema_allows_exactly_the_steps_that_exist() -> None:
    (kind,) = get_args(TaskSpec.model_fields["parsing"].annotation)
    assert set(get_args(kind)) == set(STEPS)
