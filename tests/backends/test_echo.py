"""The echo backend answers at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from evalsuite.backends.base import BackendOptions, BatchLimits
from evalsuite.backends.echo import EchoBackend, check, create
from evalsuite.errors import UsageError
from evalsuite.types import Request


def ask(backend: EchoBackend, request: Request) -> str:
    return backend.generate([backend.prepare(request)])[0].text


def test_it_answers_what_the_function_says(make_request: Callable[..., Request]) -> None:
    backend = EchoBackend(lambda request: request.prompt.upper())
    assert ask(backend, make_request("two dogs")) == "TWO DOGS"


def test_it_answers_nothing_by_default(make_request: Callable[..., Request]) -> None:
    assert ask(EchoBackend(), make_request()) == ""


def test_the_answer_can_be_an_option(make_request: Callable[..., Request]) -> None:
    backend = create(BackendOptions(None, {}, {"answer": "yes"}))
    assert ask(backend, make_request()) == "yes"
    assert backend.describe()["answer"] == "yes"


@pytest.mark.parametrize(("decode", "openings"), [("true", 1), ("false", 0)])
def test_it_opens_images_only_when_asked(
    make_request: Callable[..., Request], clip: Any, decode: str, openings: int
) -> None:
    image = clip(3)
    create(BackendOptions(None, {}, {"decode_images": decode})).prepare(make_request("x", (image,)))
    assert len(image.opened) == openings


def test_limits_can_be_set() -> None:
    assert EchoBackend(limits=BatchLimits(3, 100)).limits == BatchLimits(3, 100)


@pytest.mark.parametrize(
    ("options", "message"), [({"anser": "x"}, "Did you mean 'answer'"), ({"decode_images": "perhaps"}, "true or false")]
)
def test_wrong_options_are_found_while_planning(options: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        check(BackendOptions(None, {}, options))
