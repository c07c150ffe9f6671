"""The server backend against a real local server: what it sends, and how it reads what comes back."""

from __future__ import annotations

import io
import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from PIL import Image

from evalsuite.backends import check_backend, create_backend
from evalsuite.backends.base import BackendOptions
from evalsuite.backends.server.endpoint import Endpoint, find_proxy, read_key
from evalsuite.errors import BackendError, EvalsuiteError, UnknownName, UsageError
from evalsuite.types import ImagePreparation, Request

Make = Callable[..., Request]


@pytest.fixture
def backend(server: Any) -> Iterator[Callable[..., Any]]:
    """``backend(model, attributes, **options)`` over the local server."""
    opened: list[Any] = []

    def make(model: str | None = "fake", attributes: dict[str, Any] | None = None, **options: str) -> Any:
        opened.append(create_backend("server", settings(server, model, attributes, **options)))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def settings(
    server: Any, model: str | None = "fake", attributes: dict[str, Any] | None = None, **options: str
) -> BackendOptions:
    return BackendOptions(model, attributes or {}, {"url": server.url, "backoff": "0.001", **options})


def ask(backend: Any, *requests: Request) -> list[Any]:
    found: list[Any] = backend.generate([backend.prepare(request) for request in requests])
    return found


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_a_chat_request_holds_image_prompt_and_budget_and_is_greedy(
    backend: Callable[..., Any], server: Any, openai_server: Any, make_request: Make, clip: Any
) -> None:
    prompt = 'what\n"is" <image> this?\t'
    (answer,) = ask(backend(), make_request(prompt, (1,), max_new_tokens=7))
    (body,) = server.bodies
    assert (body["model"], body["max_tokens"], body["temperature"], body["stream"]) == ("fake", 7, 0.0, False)
    assert "logprobs" not in body and "seed" not in body
    assert openai_server.prompt_of(body) == prompt and answer.text == openai_server.answer_to(body)
    sent = Image.open(io.BytesIO(openai_server.images_of(body)[0]))
    assert sent.format == "PNG" and np.array_equal(np.asarray(sent), np.asarray(clip(1).frames()[0]))


def test_all_images_and_frames_come_in_order_before_the_prompt(
    backend: Callable[..., Any], server: Any, openai_server: Any, make_request: Make, clip: Any
) -> None:
    ask(backend(), make_request("which?", (clip(3, 2), 4)))
    sent = [np.asarray(Image.open(io.BytesIO(data))) for data in openai_server.images_of(server.bodies[0])]
    expected = [np.asarray(frame) for visual in (clip(3, 2), clip(4)) for frame in visual.frames()]
    assert len(sent) == 3 and all(np.array_equal(*pair) for pair in zip(sent, expected, strict=True))
    assert [part["type"] for part in server.bodies[0]["messages"][0]["content"]] == ["image_url"] * 3 + ["text"]


def test_pixels_can_be_resized_by_the_papers_rule(
    backend: Callable[..., Any], server: Any, openai_server: Any, make_request: Make, clip: Any
) -> None:
    from evalsuite.media.preparation import prepare_frames

    rule = ImagePreparation(resize="pad", antialias=False)
    chosen = backend(attributes={"resolution": 56}, image_pipeline="reference")
    ask(chosen, make_request("q", (1,), preparation=rule))
    (data,) = openai_server.images_of(server.bodies[0])
    expected = prepare_frames(clip(1).frames(), 56, rule)[0]
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(data))), expected)
    assert chosen.describe()["resolution"] == 56


def test_a_prompt_without_images_is_plain_text(backend: Callable[..., Any], server: Any, make_request: Make) -> None:
    ask(backend(), make_request("yes or no?", ()))
    assert server.bodies[0]["messages"] == [{"role": "user", "content": "yes or no?"}]


def test_the_template_that_adds_nothing_is_sent_when_asked_for(
    backend: Callable[..., Any], server: Any, make_request: Make
) -> None:
    """Rendered as a server does, it gives PaliGemma the bare prompt."""
    import jinja2

    ask(backend(template="none"), make_request(" caption en", (1,)))
    sent = server.bodies[0]
    assert sent["add_generation_prompt"] is False
    rendered = jinja2.Template(sent["chat_template"]).render(messages=[{"role": "user", "content": " caption en"}])
    assert rendered == " caption en"


def test_the_completions_form_sends_the_prompt_as_it_is(
    backend: Callable[..., Any], server: Any, make_request: Make
) -> None:
    chosen = backend(form="completions")
    assert ask(chosen, make_request("caption en", ()))[0].text == "en caption 0 nothing"
    assert server.bodies[0]["prompt"] == "caption en" and "messages" not in server.bodies[0]
    with pytest.raises(BackendError, match="images=markdown"):
        chosen.prepare(make_request("caption en", (1,)))


def test_the_completions_form_can_carry_images_as_markdown(
    backend: Callable[..., Any], server: Any, make_request: Make
) -> None:
    ask(backend(form="completions", images="markdown"), make_request("caption en", (1, 2)))
    prompt = server.bodies[0]["prompt"]
    assert prompt.count("![](data:image/png;base64,") == 2 and prompt.endswith(")caption en")


def test_more_fields_of_the_body_can_be_set(backend: Callable[..., Any], server: Any, make_request: Make) -> None:
    options = {"extra": '{"top_k": 1}', "seed": "3", "max_tokens_field": "max_completion_tokens"}
    ask(backend(temperature="server", **options), make_request(max_new_tokens=9))
    body = server.bodies[0]
    assert (body["top_k"], body["seed"], body["max_completion_tokens"]) == (1, 3, 9)
    assert "temperature" not in body and "max_tokens" not in body


def test_a_prompt_with_half_a_character_is_sent_all_the_same(
    backend: Callable[..., Any], server: Any, make_request: Make
) -> None:
    ask(backend(), make_request("a \ud800 b", ()))
    assert server.bodies[0]["messages"][0]["content"] == "a ? b"


# --- what comes back -------------------------------------------------------------------------------------------------


def answered(backend: Any, server: Any, reply: dict[str, Any], request: Request) -> Any:
    server.reply = lambda path, asked: reply
    return ask(backend, request)[0]


def test_nothing_of_an_answer_is_stripped(
    backend: Callable[..., Any], server: Any, openai_server: Any, make_request: Make
) -> None:
    assert answered(backend(), server, openai_server.chat(" a\n\tb \n"), make_request()).text == " a\n\tb \n"
    assert answered(backend(), server, openai_server.chat(None), make_request()).text == ""
    parts = openai_server.chat([{"type": "text", "text": "a "}, {"type": "text", "text": "b"}])
    assert answered(backend(), server, parts, make_request()).text == "a b"


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        ({"message": {"content": None, "refusal": "I must not."}}, "the server refused to answer (I must not.)"),
        ({"message": {"content": ""}, "finish_reason": "content_filter"}, "content filter withheld the answer"),
    ],
)
def test_a_refusal_is_the_examples_error(
    backend: Callable[..., Any], server: Any, make_request: Make, reply: dict[str, Any], message: str
) -> None:
    answer = answered(backend(), server, {"choices": [reply]}, make_request())
    assert message in answer.error and answer.text == ""


@pytest.mark.parametrize(
    ("reason", "ended"),
    [
        ("stop", "end"),
        ("length", "length"),
        ("content_filter", "filter"),
        ("tool_calls", None),
        (None, None),
        ([], None),
    ],
)
def test_the_servers_reason_says_why_an_answer_ended(
    reason: Any, ended: str | None, backend: Callable[..., Any], server: Any, openai_server: Any, make_request: Make
) -> None:
    """In both forms, with log-probabilities and without; other words than these three may mean anything."""
    given = {"tokens": ["a"], "token_logprobs": [-1.0]}
    replies = [
        openai_server.chat("a", finish_reason=reason),
        openai_server.chat("a", finish_reason=reason, logprobs=tokens(("a", -1.0))),
        openai_server.completion("a", finish_reason=reason),
        openai_server.completion("a", finish_reason=reason, logprobs=given),
    ]
    chat, plain = backend(), backend(form="completions")
    for asked, reply in zip((chat, chat, plain, plain), replies, strict=True):
        answer = answered(asked, server, reply, make_request("x", ()))
        assert answer.ended == ended and (answer.error is not None) == (ended == "filter")


def tokens(*pieces: tuple[str, float], **more: Any) -> dict[str, Any]:
    entries = [
        {
            "token": text,
            "logprob": value,
            "bytes": list(text.encode()),
            **{name: given[i] for name, given in more.items()},
        }
        for i, (text, value) in enumerate(pieces)
    ]
    return {"content": entries}


@pytest.mark.parametrize("last", [[("", -0.5)], [("<eos>", -0.5)], []])
def test_log_probabilities_are_asked_for_and_end_before_the_end_of_sequence(
    backend: Callable[..., Any], server: Any, openai_server: Any, make_request: Make, last: list[tuple[str, float]]
) -> None:
    """Servers differ in whether they list the end-of-sequence token, and in how they spell it."""
    reply = openai_server.chat("deux chiens", logprobs=tokens(("deux", -0.25), (" chiens", -1.5), *last))
    answer = answered(backend(), server, reply, make_request(log_probabilities=True))
    assert server.bodies[0]["logprobs"] is True
    assert answer.log_probabilities == (-0.25, -1.5) and answer.token_ids is None


def test_an_answer_that_was_cut_at_its_budget_keeps_all_its_tokens(
    backend: Callable[..., Any], server: Any, openai_server: Any, make_request: Make
) -> None:
    given = tokens(("a", -1.0), ("", -2.0))
    reply = openai_server.chat("a", logprobs=given, finish_reason="length")
    answer = answered(backend(), server, reply, make_request(log_probabilities=True))
    assert answer.log_probabilities == (-1.0, -2.0)


def test_token_ids_are_taken_where_a_server_gives_them(
    backend: Callable[..., Any], server: Any, openai_server: Any, make_request: Make
) -> None:
    reply = openai_server.chat("ab", logprobs=tokens(("a", -1.0), ("b", -2.0), id=[7, 8]))
    assert answered(backend(), server, reply, make_request(log_probabilities=True)).token_ids == (7, 8)
    named = {"content": [{"token": f"token_id:{i}", "logprob": -1.0, "bytes": [96 + i]} for i in (1, 2)]}
    reply = openai_server.chat("ab", logprobs=named)
    assert answered(backend(), server, reply, make_request(log_probabilities=True)).token_ids == (1, 2)


def test_log_probabilities_of_the_completions_form(
    backend: Callable[..., Any], server: Any, openai_server: Any, make_request: Make
) -> None:
    offered = {"tokens": ["a", " b", ""], "token_logprobs": [-0.5, -1.0, -0.1]}
    reply = openai_server.completion("a b", logprobs=offered)
    answer = answered(backend(form="completions"), server, reply, make_request("q", (), log_probabilities=True))
    assert answer.log_probabilities == (-0.5, -1.0) and server.bodies[0]["logprobs"] == 1


@pytest.mark.parametrize(
    "offered", [None, {"content": None}, {"content": [{"token": "a"}]}, {"content": [{"logprob": float("nan")}]}, []]
)
def test_without_usable_log_probabilities_there_are_none(
    backend: Callable[..., Any], server: Any, openai_server: Any, make_request: Make, offered: Any
) -> None:
    reply = openai_server.chat("a", logprobs=offered)
    answer = answered(backend(), server, reply, make_request(log_probabilities=True))
    assert (answer.text, answer.log_probabilities, answer.error) == ("a", None, None)


def test_log_probabilities_are_not_asked_for_when_switched_off(
    backend: Callable[..., Any], server: Any, make_request: Make
) -> None:
    ask(backend(logprobs="false"), make_request(log_probabilities=True))
    assert "logprobs" not in server.bodies[0]


# --- what is said of it ----------------------------------------------------------------------------------------------


def served_by(server: Any, owner: str, id: str, root: str = "") -> None:
    server.models = [{"id": id, "object": "model", "owned_by": owner, "root": root or id, "created": 1}]


def test_paligemma_on_vllm_takes_one_image_and_says_that_its_values_are_not_comparable(
    backend: Callable[..., Any], server: Any, make_request: Make
) -> None:
    served_by(server, "vllm", "mine", "google/paligemma2-3b-mix-448")
    chosen = backend("mine")
    facts = chosen.describe()
    assert (facts["server"], facts["root"], facts["images_per_prompt"]) == ("vLLM", "google/paligemma2-3b-mix-448", 1)
    assert any("causally" in text and "not comparable" in text for text in facts["deviations"])
    with pytest.raises(BackendError, match=r"task asks about 2 images at once.*takes 1 per prompt"):
        chosen.prepare(make_request("q", (1, 2)))
    assert server.bodies == []


def test_another_model_on_vllm_has_no_such_limit(backend: Callable[..., Any], server: Any, make_request: Make) -> None:
    served_by(server, "vllm", "Qwen/Qwen3-VL-4B-Instruct")
    chosen = backend("Qwen/Qwen3-VL-4B-Instruct")
    assert not any("causally" in text for text in chosen.describe()["deviations"])
    assert ask(chosen, make_request("q", (1, 2)))[0].error is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({}, "The server resizes images by its own rule"),
        ({"image_pipeline": "reference", "resolution": "448"}, "resized here by the papers' rule to 448 px"),
        ({}, "chat template"),
        ({"beams": "greedy"}, "answered greedily"),
        ({"temperature": "0.5"}, "sampled at temperature 0.5"),
    ],
)
def test_every_known_difference_is_a_sentence_of_the_description(
    backend: Callable[..., Any], options: dict[str, str], words: str
) -> None:
    assert any(words in text for text in backend(**options).describe()["deviations"])


def test_how_fast_it_is_asked_is_no_fact_of_the_model(backend: Callable[..., Any]) -> None:
    assert backend().describe() == backend(concurrency="2", timeout="5", retries="1").describe()


# --- mistakes and secrets --------------------------------------------------------------------------------------------


def test_the_only_model_of_a_server_needs_no_name(backend: Callable[..., Any], server: Any) -> None:
    assert backend(None).describe()["model"] == "fake"
    server.models.append({"id": "other"})
    with pytest.raises(UsageError, match=r"--model is needed: .* has fake, other"):
        backend(None)


def test_a_wrong_model_name_is_answered_by_the_names_that_are_there(server: Any) -> None:
    with pytest.raises(BackendError, match=r"has no model 'fakes'\. It has fake"):
        check_backend("server", settings(server, "fakes"))
    check_backend("server", settings(server, "fakes", check_model="false"))


def test_a_server_that_lists_no_models_can_still_be_asked(
    backend: Callable[..., Any], server: Any, openai_server: Any, make_request: Make
) -> None:
    server.faults["GET"] = [openai_server.status(404), openai_server.body("<html>")] * 2
    for _ in range(2):
        with pytest.raises(BackendError, match="check_model=false"):
            check_backend("server", settings(server))
    server.faults["GET"] = [openai_server.status(404)]
    assert ask(backend(check_model="false"), make_request())[0].error is None
    server.faults["GET"] = [openai_server.status(401)]
    with pytest.raises(BackendError, match=r"answered 401.*api_key_env=NAME names$"):
        backend(check_model="false")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"url": ""}, UsageError, "option url=http://127.0.0.1:8000/v1"),
        ({"url": "localhost:8000"}, UsageError, "Give an address such as"),
        ({"url": "ftp://host/v1"}, UsageError, "Give an address such as"),
        ({"url": "http://host:port/v1"}, UsageError, "Give an address such as"),
        ({"url": "http://host/v1/chat/completions"}, UsageError, "Give the base of the server"),
        ({"concurency": "2"}, UnknownName, "Did you mean 'concurrency'"),
        ({"form": "responses"}, UsageError, "chat, completions"),
        ({"timeout": "soon"}, UsageError, "timeout='soon'"),
        ({"backoff": "-1"}, UsageError, "at least 0"),
        ({"extra": "{"}, UsageError, "not JSON"),
        ({"extra": "[]"}, UsageError, "must be a JSON object"),
        ({"extra": '{"model": "x"}'}, UsageError, "must not set 'model'"),
        ({"image_pipeline": "reference"}, UsageError, "resolution=448"),
        ({"form": "completions", "template": "none"}, UsageError, "is for form=chat"),
        ({"images": "markdown"}, UsageError, "is for form=completions"),
        ({"api_key_env": "NO_SUCH_VARIABLE"}, UsageError, "NO_SUCH_VARIABLE: this environment variable is not set"),
    ],
)
def test_mistakes_are_found_before_anything_is_asked(
    server: Any, options: dict[str, str], error: type[EvalsuiteError], message: str
) -> None:
    with pytest.raises(error, match=message):
        check_backend("server", settings(server, **options))


@pytest.mark.parametrize(
    "url", ["http://me:s3cret@host/v1", "http://s3cret@host/v1", "http://host/v1?key=s3cret", "http://h/v1#s3cret"]
)
def test_an_address_with_a_secret_is_refused_and_not_repeated(server: Any, url: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_backend("server", settings(server, url=url))
    assert "s3cret" not in str(caught.value) and "option url is not valid" in str(caught.value)


def test_the_key_comes_from_the_environment_and_is_sent_only(
    backend: Callable[..., Any], server: Any, openai_server: Any, make_request: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some servers repeat the key in their errors; we do not."""
    monkeypatch.setenv("MY_KEY", "k3y-k3y")
    chosen = backend(api_key_env="MY_KEY")
    server.faults["q"] = [openai_server.status(400, "bad request of k3y-k3y")]
    (failed,) = ask(chosen, make_request("q"))
    assert server.headers[0]["Authorization"] == "Bearer k3y-k3y"
    assert failed.error is not None and "k3y" not in failed.error and "***" in failed.error
    assert "k3y" not in json.dumps(chosen.describe())
    server.faults["q"] = [openai_server.status(401, "Incorrect API key provided: k3y-k3y")]
    with pytest.raises(BackendError, match=r"answered 401.*\*\*\*.*api_key_env=NAME"):
        ask(chosen, make_request("q"))


def test_the_default_key_never_goes_in_clear_text_to_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", " k3y\n")
    keys = {
        url: read_key(None, Endpoint.parse(url)) for url in ("http://10.1.2.3/v1", "http://[::1]:8/v1", "https://h/v1")
    }
    assert list(keys.values()) == [None, "k3y", "k3y"]
    assert read_key("OPENAI_API_KEY", Endpoint.parse("http://10.1.2.3/v1")) == "k3y"
    monkeypatch.setenv("OPENAI_API_KEY", "k3y\r\nX-Other: 1")
    with pytest.raises(UsageError, match="holds no key") as caught:
        read_key(None, Endpoint.parse("https://h/v1"))
    assert "k3y" not in str(caught.value)


def test_https_goes_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy is asked for a tunnel; the key stays inside of it."""
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:pass@127.0.0.1:{proxy.getsockname()[1]}")
        monkeypatch.setenv("no_proxy", "inside.test")
        monkeypatch.setenv("OPENAI_API_KEY", "k3y")
        asked: list[bytes] = []

        def refuse() -> None:
            connection, _ = proxy.accept()
            with connection:
                asked.append(connection.recv(4096))
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\n\r\n")

        thread = threading.Thread(target=refuse)
        thread.start()
        options = BackendOptions("fake", {}, {"url": "https://far.test/v1", "retries": "0"})
        with pytest.raises(
            BackendError, match=r"nothing answers at https://far.test/v1 \(Tunnel connection failed: 403"
        ):
            create_backend("server", options)
        thread.join()
    assert asked[0].startswith(b"CONNECT far.test:443 ") and b"Proxy-Authorization: Basic bWU6cGFzcw==" in asked[0]
    assert b"k3y" not in asked[0]
    for url in ("https://inside.test/v1", "https://127.0.0.1/v1", "http://far.test/v1"):
        assert find_proxy(Endpoint.parse(url)) is None


def test_beams_and_forbidden_tokens_are_refused_with_a_way_out(backend: Callable[..., Any], make_request: Make) -> None:
    from dataclasses import replace

    with pytest.raises(BackendError, match="beams=greedy"):
        backend().prepare(make_request("q", beam_size=2))
    assert ask(backend(beams="greedy"), make_request("q", beam_size=2))[0].error is None
    request = make_request("q")
    with pytest.raises(BackendError, match=r"forbids tokens \(<eos>\).*--backend torch"):
        backend().prepare(replace(request, decoding=replace(request.decoding, forbidden=("<eos>",))))
