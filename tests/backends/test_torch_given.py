"""How probable given answers are, against what generation says of its own answers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from evalsuite.errors import BackendError
from evalsuite.types import Request

TEXTS = ["a dog", "yes", "two red squares on a blue table", "<loc0001><loc0002>"]


@pytest.fixture(params=["tiny", "tiny-paligemma"])
def backend(request: pytest.FixtureRequest, torch_backend: Callable[..., Any]) -> Any:
    return torch_backend(request.param)


def test_the_models_own_answer_has_the_values_it_was_generated_with(
    backend: Any, make_request: Callable[..., Request]
) -> None:
    request = make_request("what is it?", (1,), max_new_tokens=6, log_probabilities=True)
    prepared = backend.prepare(request)
    (answer,) = backend.generate([prepared])
    given = backend._model.tokenizer.answer(answer.text)
    if given[: len(answer.token_ids)] == answer.token_ids:  # a text may be cut into other tokens than were generated
        ((values,),) = backend.score_answers([prepared], [[answer.text]])
        assert values[: len(answer.token_ids)] == pytest.approx(answer.log_probabilities, abs=1e-4)
    else:
        pytest.fail("choose another question: this answer's text has other tokens")


def test_every_token_and_the_end_have_a_value(backend: Any, make_request: Callable[..., Request]) -> None:
    prepared = backend.prepare(make_request("what?", (1,)))
    (scored,) = backend.score_answers([prepared], [TEXTS])
    assert [len(values) for values in scored] == [len(backend._model.tokenizer.answer(text)) for text in TEXTS]
    assert all(value < 0 and math.isfinite(value) for values in scored for value in values)


def test_neither_the_batch_nor_the_other_answers_matter(backend: Any, make_request: Callable[..., Request]) -> None:
    requests = [make_request("what?", (1,)), make_request("a longer question, without a picture", ())]
    batch = [backend.prepare(request) for request in requests]
    together = backend.score_answers(batch, [TEXTS, TEXTS[::-1]])
    for item, given, scored in zip(batch, (TEXTS, TEXTS[::-1]), together, strict=True):
        for text, values in zip(given, scored, strict=True):
            ((alone,),) = backend.score_answers([item], [[text]])
            assert values == pytest.approx(alone, abs=1e-4)


def test_probabilities_of_all_first_tokens_add_up_to_one(backend: Any, make_request: Callable[..., Request]) -> None:
    """The vocabulary of the small model is small enough to ask for every token."""
    import torch

    from evalsuite.backends.torch_hf.decoder import PrefixDecoder
    from evalsuite.backends.torch_hf.given import score_given

    model = backend._model
    prepared = backend.prepare(make_request("what?", (1,)))
    decoder = PrefixDecoder(model.model, model.tokens_per_frame, [prepared.payload])
    tokens = range(model.model.config.text_config.vocab_size)
    with torch.inference_mode():
        (values,) = score_given(decoder, [[(token,) for token in tokens]])
    assert math.fsum(math.exp(value) for (value,) in values) == pytest.approx(1.0, abs=1e-3)


def test_nothing_given_is_scored_by_nothing(backend: Any, make_request: Callable[..., Request]) -> None:
    prepared = backend.prepare(make_request("what?", (1,)))
    assert backend.score_answers([], []) == []
    assert backend.score_answers([prepared, prepared], [[], ["yes"]])[0] == []
    with pytest.raises(ValueError, match="1 requests and answers to 2"):
        backend.score_answers([prepared], [["a"], ["b"]])


def test_other_models_say_that_they_cannot(torch_backend: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    backend = torch_backend("tiny")
    monkeypatch.setattr(backend, "_model", object())
    with pytest.raises(BackendError, match="only PaliGemma"):
        backend.score_answers([], [])
