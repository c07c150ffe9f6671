"""What every backend promises. To put a backend under the contract, add it to ``BACKENDS``."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from evalsuite.errors import ExampleError
from evalsuite.types import END, ENDINGS, Request

Make = Callable[[pytest.FixtureRequest], Any]


def echo(fixtures: pytest.FixtureRequest) -> Any:
    from evalsuite.backends.echo import EchoBackend

    return EchoBackend(lambda request: f"{request.prompt} {len(request.visuals)}", decode_images=True)


def torch_tiny(fixtures: pytest.FixtureRequest) -> Any:
    return fixtures.getfixturevalue("torch_backend")("tiny")


def torch_tiny_paligemma(fixtures: pytest.FixtureRequest) -> Any:
    return fixtures.getfixturevalue("torch_backend")("tiny-paligemma")


def server_chat(fixtures: pytest.FixtureRequest) -> Any:
    from evalsuite.backends import create_backend
    from evalsuite.backends.base import BackendOptions

    options = {"url": fixtures.getfixturevalue("server").url, "beams": "greedy", "backoff": "0.001"}
    backend = create_backend("server", BackendOptions("fake", {}, options))
    fixtures.addfinalizer(backend.close)
    return backend


def jax_tiny(fixtures: pytest.FixtureRequest) -> Any:
    return fixtures.getfixturevalue("jax_backend")("tiny")


def cpu_tiny(fixtures: pytest.FixtureRequest) -> Any:
    return fixtures.getfixturevalue("cpu_backend")("tiny")


def cpu_tiny_paligemma(fixtures: pytest.FixtureRequest) -> Any:
    return fixtures.getfixturevalue("cpu_backend")("tiny-paligemma")


BACKENDS: Mapping[str, Make] = {
    "cpu": cpu_tiny,
    "cpu-paligemma": cpu_tiny_paligemma,
    "echo": echo,
    "jax": jax_tiny,
    "server": server_chat,
    "torch": torch_tiny,
    "torch-paligemma": torch_tiny_paligemma,
}


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest) -> Any:
    return BACKENDS[request.param](request)


class Broken:
    """An image whose file cannot be read."""

    seed = 0
    frame_count = 1

    def frames(self) -> list[Any]:
        raise ExampleError("images/7.jpg: truncated")


def test_there_is_one_generation_per_request_in_order(
    backend: Any, mixed_requests: Callable[..., list[Request]], answers: Callable[..., list[Any]]
) -> None:
    requests = mixed_requests()
    assert [answer.key for answer in answers(backend, requests, 9)] == [request.key for request in requests]


def test_the_batch_never_changes_a_greedy_answer(
    backend: Any, mixed_requests: Callable[..., list[Request]], answers: Callable[..., list[Any]]
) -> None:
    requests = mixed_requests(max_new_tokens=20)
    alone = [answer.text for answer in answers(backend, requests, 1)]
    assert [answer.text for answer in answers(backend, requests, 4)] == alone
    assert [answer.text for answer in answers(backend, requests[::-1], 9)] == alone[::-1]


def test_the_same_request_gets_the_same_answer_twice(
    backend: Any, make_request: Callable[..., Request], answers: Callable[..., list[Any]]
) -> None:
    first, second = (answers(backend, [make_request()], 1)[0] for _ in range(2))
    assert replace(first, seconds=None) == replace(second, seconds=None)


def test_an_empty_batch_is_answered_by_nothing(backend: Any) -> None:
    assert backend.generate([]) == []


def test_limits_allow_at_least_one_example(backend: Any) -> None:
    assert backend.limits.max_examples >= 1
    assert backend.limits.max_cost is None or backend.limits.max_cost >= 1


def test_the_description_is_plain_and_stable(backend: Any) -> None:
    facts = backend.describe()
    assert facts["backend"] in ("cpu", "echo", "jax", "server", "torch")
    assert json.loads(json.dumps(facts)) == facts == backend.describe()


def test_a_broken_image_is_the_examples_error(backend: Any, make_request: Callable[..., Request]) -> None:
    with pytest.raises(ExampleError, match=r"images/7\.jpg"):
        backend.prepare(make_request("what?", (Broken(),)))


def test_a_prepared_request_has_a_cost_that_grows_with_its_parts(
    backend: Any, make_request: Callable[..., Request]
) -> None:
    small = backend.prepare(make_request("dog", (1,), max_new_tokens=4))
    assert small.cost > 0
    for prompt, visuals, budget in (("dog and cat", (1,), 4), ("dog", (1, 2), 4), ("dog", (1,), 5)):
        assert backend.prepare(make_request(prompt, visuals, max_new_tokens=budget)).cost > small.cost


def test_requests_with_other_decoding_are_kept_apart(backend: Any, make_request: Callable[..., Request]) -> None:
    groups = {
        backend.prepare(make_request(**settings)).group
        for settings in ({"max_new_tokens": 4}, {"max_new_tokens": 8}, {"max_new_tokens": 4, "beam_size": 2})
    }
    assert len(groups) == 3


def test_prepare_works_from_many_threads(backend: Any, mixed_requests: Callable[..., list[Request]]) -> None:
    requests = mixed_requests() * 4
    with ThreadPoolExecutor(8) as pool:
        together = [item.cost for item in pool.map(backend.prepare, requests)]
    assert together == [backend.prepare(request).cost for request in requests]


def test_log_probabilities_come_one_per_token_where_given(
    backend: Any, make_request: Callable[..., Request], answers: Callable[..., list[Any]]
) -> None:
    answer = answers(backend, [make_request(log_probabilities=True)], 1)[0]
    if answer.log_probabilities is not None:
        assert answer.token_ids is None or len(answer.log_probabilities) == len(answer.token_ids)
        assert all(value <= 0 for value in answer.log_probabilities)


def test_every_answer_says_why_it_ended(
    backend: Any, mixed_requests: Callable[..., list[Request]], answers: Callable[..., list[Any]]
) -> None:
    """The end counts as a token: an answer that a longer budget would go on with was cut by its limit."""
    long, short = (answers(backend, mixed_requests(max_new_tokens=budget), 9) for budget in (40, 3))
    for whole, cut in zip(long, short, strict=True):
        assert cut.ended == ("length" if len(whole.token_ids or ()) >= 3 else "end")
        assert whole.ended == ("length" if len(whole.token_ids or ()) == 40 else "end")


def test_beams_that_are_still_searching_at_the_budget_were_cut_by_it(
    backend: Any, mixed_requests: Callable[..., list[Request]], answers: Callable[..., list[Any]]
) -> None:
    long, short = (answers(backend, mixed_requests(max_new_tokens=budget, beam_size=2)[:4], 4) for budget in (40, 2))
    for whole, cut in zip(long, short, strict=True):
        assert whole.ended in ENDINGS and cut.ended in ENDINGS
        if cut.ended == END:  # nothing that a longer search finds is better
            assert whole.text == cut.text
