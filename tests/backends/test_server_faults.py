"""What the server backend does when the server misbehaves: no answer is lost, none is asked for more than needed."""

from __future__ import annotations

import email.utils
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from evalsuite.backends import create_backend
from evalsuite.backends.base import BackendOptions, BatchInterrupted
from evalsuite.backends.server.gate import Gate
from evalsuite.errors import BackendError
from evalsuite.types import Request

Make = Callable[..., Request]


@pytest.fixture
def backend(server: Any) -> Iterator[Callable[..., Any]]:
    """``backend(**options)`` over the local server, with waits of milliseconds."""
    opened: list[Any] = []

    def make(**options: str) -> Any:
        given = {"url": server.url, "backoff": "0.001", "timeout": "5", **options}
        opened.append(create_backend("server", BackendOptions("fake", {}, given)))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


@pytest.fixture
def ask(make_request: Make) -> Callable[..., list[Any]]:
    """``ask(backend, prompts)``: their generations."""

    def run(backend: Any, *prompts: str) -> list[Any]:
        found: list[Any] = backend.generate([backend.prepare(make_request(prompt, ())) for prompt in prompts])
        return found

    return run


def numbered(count: int) -> list[str]:
    return [f"question {n}" for n in range(count)]


# --- faults that pass ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["reset", "cut", "cut_chunk"])
def test_a_connection_that_breaks_is_tried_again(
    backend: Callable[..., Any], server: Any, openai_server: Any, ask: Callable[..., Any], fault: str
) -> None:
    server.faults["question 3"] = [getattr(openai_server, fault)] * 2
    found = ask(backend(), *numbered(6))
    assert [answer.text for answer in found] == [f"{n} question 0 nothing" for n in range(6)]
    assert server.asked == {**dict.fromkeys(numbered(6), 1), "question 3": 3}


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504])
def test_a_passing_error_of_the_server_is_tried_again(
    backend: Callable[..., Any], server: Any, openai_server: Any, ask: Callable[..., Any], code: int
) -> None:
    server.faults["question 1"] = [openai_server.status(code)] * 3
    found = ask(backend(), *numbered(3))
    assert [answer.error for answer in found] == [None] * 3
    assert server.asked["question 1"] == 4 and server.asked["question 0"] == server.asked["question 2"] == 1


@pytest.mark.parametrize(
    "text",
    ["<html>busy</html>", "", '{"choices": [', '{"choices": []}', "[]", '{"choices": [{"text": 1}]}', "[" * 10**5],
)
def test_a_reply_that_cannot_be_read_is_tried_again_and_then_the_examples_error(
    backend: Callable[..., Any], server: Any, openai_server: Any, ask: Callable[..., Any], text: str
) -> None:
    server.faults["a"] = [openai_server.body(text)]
    server.faults["b"] = [openai_server.body(text)] * 9
    a, b = ask(backend(retries="2"), "a", "b")
    assert (a.text, a.error) == ("a 0 nothing", None)
    assert "the server's reply cannot be read" in b.error and server.asked == {"a": 2, "b": 3}


def test_the_wait_that_a_server_asks_for_is_kept_by_everyone(
    backend: Callable[..., Any], server: Any, openai_server: Any, ask: Callable[..., Any]
) -> None:
    """One request meets the limit; those that come after it wait with it instead of running into the limit too."""
    server.faults["question 0"] = [openai_server.status(429, headers={"Retry-After": "1"})]
    started = time.monotonic()
    ask(backend(concurrency="1"), *numbered(4))
    assert 1 <= time.monotonic() - started < 4
    assert server.asked == {**dict.fromkeys(numbered(4), 1), "question 0": 2}


def test_the_wait_may_be_given_as_a_date(
    backend: Callable[..., Any], server: Any, openai_server: Any, ask: Callable[..., Any]
) -> None:
    date = email.utils.format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    server.faults["q"] = [openai_server.status(503, headers={"Retry-After": date})]
    started = time.monotonic()
    assert ask(backend(), "q")[0].error is None
    assert 0.9 < time.monotonic() - started < 4


@pytest.mark.parametrize("header", ["soon", "nan", "inf", "-5", ""])
def test_a_wait_that_makes_no_sense_is_not_kept(
    backend: Callable[..., Any], server: Any, openai_server: Any, ask: Callable[..., Any], header: str
) -> None:
    server.faults["q"] = [openai_server.status(429, headers={"Retry-After": header})]
    assert ask(backend(), "q")[0].error is None


def test_a_connection_that_the_server_closed_meanwhile_is_opened_anew(
    backend: Callable[..., Any], server: Any, ask: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    from evalsuite.backends.server import transport

    monkeypatch.setattr(transport, "MAX_IDLE", 0.05)
    chosen = backend(concurrency="1", retries="0")
    ask(chosen, "a")
    time.sleep(0.1)
    assert ask(chosen, "b")[0].error is None and server.asked == {"a": 1, "b": 1}


# --- faults of one example -------------------------------------------------------------------------------------------


def test_what_the_server_will_not_answer_is_the_examples_error_and_not_asked_again(
    backend: Callable[..., Any], server: Any, openai_server: Any, ask: Callable[..., Any]
) -> None:
    said = "This model's maximum context length is 8192 tokens.\nHowever, you requested 9000\x1b[0m tokens."
    server.faults["long"] = [openai_server.status(400, said)]
    long, short = ask(backend(), "long", "short")
    assert "answered 400 (This model's maximum context length is 8192 tokens. However" in long.error
    assert "\x1b" not in long.error and "\n" not in long.error
    assert short.error is None and server.asked == {"long": 1, "short": 1}


def test_errors_inside_a_successful_reply_are_errors(
    backend: Callable[..., Any], server: Any, openai_server: Any, ask: Callable[..., Any]
) -> None:
    """As gateways report the errors of servers behind them."""
    server.faults["a"] = [openai_server.body('{"error": {"message": "too long", "code": 400}}')]
    server.faults["b"] = [openai_server.body('{"error": {"message": "later", "code": 503}}')]
    a, b = ask(backend(), "a", "b")
    assert "too long" in a.error and b.error is None
    assert server.asked == {"a": 1, "b": 2}


def test_an_example_that_always_breaks_the_server_does_not_end_the_batch(
    backend: Callable[..., Any], server: Any, openai_server: Any, ask: Callable[..., Any]
) -> None:
    server.faults["poison"] = [openai_server.status(500, "CUDA error")] * 9
    found = ask(backend(retries="3"), "fine", "poison", "fine too")
    assert [answer.error is None for answer in found] == [True, False, True]
    assert "answered 500 (CUDA error)" in found[1].error and server.asked["poison"] == 4


@pytest.mark.parametrize("fault", ["slow", "drip"])
def test_an_attempt_ends_when_its_time_is_over_even_when_bytes_drip_in(
    backend: Callable[..., Any], server: Any, openai_server: Any, ask: Callable[..., Any], fault: str
) -> None:
    how = openai_server.slow(5) if fault == "slow" else openai_server.drip
    server.faults["q"] = [how, how]
    started = time.monotonic()
    slow, fine = ask(backend(timeout="0.3", retries="1"), "q", "r")
    assert 0.6 <= time.monotonic() - started < 3
    assert "gave no answer within 0.3 s (--option timeout=…)" in slow.error and fine.error is None


def test_all_attempts_together_end_at_the_deadline(
    backend: Callable[..., Any], server: Any, openai_server: Any, ask: Callable[..., Any]
) -> None:
    server.faults["q"] = [openai_server.status(500)] * 10**4
    started = time.monotonic()
    (failed,) = ask(backend(deadline="0.3", retries="10000"), "q")
    assert time.monotonic() - started < 3 and "answered 500" in failed.error


def test_more_than_anybody_wants_to_read_is_not_read(
    backend: Callable[..., Any], server: Any, openai_server: Any, ask: Callable[..., Any]
) -> None:
    server.faults["q"] = [openai_server.huge]
    big, fine = ask(backend(), "q", "r")
    assert "more than 8 MB" in big.error and fine.error is None and server.asked["q"] == 1


# --- faults of the whole server --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "more", "message"),
    [
        (401, {}, "answered 401.*api_key_env=NAME"),
        (403, {}, "answered 403"),
        (404, {}, "answered 404.*usually ends in /v1"),
        (400, {"code": "model_not_found"}, "--model is a name that the server lists"),
        (301, {}, "not the address of the endpoint itself"),
        (429, {"code": "insufficient_quota"}, "the quota is used up"),
    ],
)
def test_what_no_retry_can_mend_ends_the_batch_at_once(
    backend: Callable[..., Any],
    server: Any,
    openai_server: Any,
    ask: Callable[..., Any],
    code: int,
    more: dict[str, str],
    message: str,
) -> None:
    server.faults["*"] = [openai_server.status(code, "no", **more)] * 99
    with pytest.raises(BackendError, match=message):
        ask(backend(concurrency="2"), *numbered(20))
    assert server.asked.total() <= 4


def test_a_server_that_is_gone_is_named_with_the_way_out(make_request: Make) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/v1"
    options = BackendOptions("fake", {}, {"url": url, "backoff": "0.001", "retries": "2"})
    with pytest.raises(BackendError, match=rf"nothing answers at {url} \(Connection refused\). Start the server"):
        create_backend("server", options)


def test_a_server_that_dies_keeps_the_answers_that_it_gave(
    backend: Callable[..., Any], server: Any, ask: Callable[..., Any]
) -> None:
    server.die_after = 5
    chosen = backend(concurrency="2", retries="3")
    with pytest.raises(BatchInterrupted, match="nothing answers at") as caught:
        ask(chosen, *numbered(40))
    kept = caught.value.answered
    assert len(kept) == 5 == server.answered.total()
    assert all(answer.error is None for answer in kept)
    assert {answer.key.id.split("/")[0] for answer in kept} == set(server.answered)


def test_an_overload_that_lasts_ends_the_batch_and_names_its_dial(
    backend: Callable[..., Any], server: Any, openai_server: Any, ask: Callable[..., Any]
) -> None:
    server.faults["*"] = [openai_server.status(429)] * 999
    with pytest.raises(BackendError, match=r"answered 429.*concurrency=…"):
        ask(backend(retries="2"), *numbered(4))


def test_a_wait_longer_than_the_deadline_ends_the_batch_now(
    backend: Callable[..., Any], server: Any, openai_server: Any, ask: Callable[..., Any]
) -> None:
    chosen = backend()
    server.faults["*"] = [openai_server.status(429, headers={"Retry-After": "3600"})] * 99
    started = time.monotonic()
    with pytest.raises(BackendError, match="asks to wait 3600 s, longer than --option deadline"):
        ask(chosen, "q")
    server.faults.clear()
    assert ask(chosen, "q")[0].error is None  # nor does what comes later wait for an hour
    assert time.monotonic() - started < 3


def test_a_server_that_stays_away_is_asked_once_per_batch(
    backend: Callable[..., Any], server: Any, openai_server: Any, ask: Callable[..., Any]
) -> None:
    """Each further task fails at once, and the first success brings back all patience."""
    chosen = backend(retries="3", concurrency="1")
    server.faults["*"] = [openai_server.status(503)] * 5
    for asked in (4, 5):
        with pytest.raises(BackendError, match="answered 503"):
            ask(chosen, "q")
        assert server.asked["q"] == asked
    assert ask(chosen, "q")[0].error is None
    server.faults["*"] = [openai_server.status(503)] * 3
    assert ask(chosen, "r")[0].error is None


def test_an_interrupted_batch_does_not_wait_for_the_server(
    backend: Callable[..., Any], server: Any, make_request: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    import concurrent.futures

    server.seconds = 30.0
    chosen = backend(timeout="60")
    batch = [chosen.prepare(make_request("q", ()))]

    def interrupted(futures: Any) -> None:
        while not server.asked:
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(concurrent.futures, "wait", interrupted)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        chosen.generate(batch)
    chosen.close()
    assert time.monotonic() - started < 5


# --- how many at once ------------------------------------------------------------------------------------------------


def test_no_more_requests_than_allowed_are_under_way(
    backend: Callable[..., Any], server: Any, ask: Callable[..., Any]
) -> None:
    server.seconds = 0.03
    ask(backend(concurrency="4"), *numbered(24))
    assert server.most == 4 and server.asked.total() == 24


def test_an_overloaded_server_is_asked_less_at_once(
    backend: Callable[..., Any], server: Any, openai_server: Any, ask: Callable[..., Any]
) -> None:
    """A server that bears 3 at once: after the first refusals nearly everything is answered at the first attempt."""
    server.seconds = 0.02
    plain = openai_server.reply

    def bears_three(handler: Any) -> None:
        if handler.server.active > 3:
            openai_server.status(429)(handler)
        else:
            time.sleep(0.02)
            handler.send(200, '{"choices": [{"message": {"content": "yes"}}]}')

    server.faults["*"] = [bears_three] * 10**4
    found = ask(backend(concurrency="32", retries="20"), *numbered(120))
    assert [answer.text for answer in found] == ["yes"] * 120
    assert plain is openai_server.reply and server.asked.total() < 2 * 120


def test_the_gate_halves_once_for_requests_of_one_round_and_grows_by_one_a_round() -> None:
    gate, stop = Gate(16), threading.Event()
    with gate.passage(stop) as first, gate.passage(stop) as second:
        gate.overloaded(first)
        gate.overloaded(second)
    assert gate.limit == 8
    for _ in range(8):
        gate.succeeded()
    assert 8.9 < gate.limit <= 9
    for _ in range(1000):
        gate.succeeded()
    assert gate.limit == 16
    for _ in range(20):
        with gate.passage(stop) as again:
            gate.overloaded(again)
    assert gate.limit == 1
