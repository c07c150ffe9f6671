"""The two forms of the interface: what is sent, and how the reply is read.

https://platform.openai.com/docs/api-reference (chat completions; completions, legacy), as vLLM, SGLang, llama.cpp and
text-generation-inference offer them.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from evalsuite.backends.endings import ending
from evalsuite.backends.server.faults import Fault, server_words, status_fault

PLAIN_TEMPLATE = "{%- for message in messages -%}{{ message['content'] }}{%- endfor -%}"
"""A chat template that adds nothing: the prompt as it is, as PaliGemma was trained."""


@dataclass(frozen=True, slots=True)
class ServerAnswer:
    """The text of a reply, and its tokens where the server gave them. ``refused``: why there is no answer.

    ended: why it ended, by the server's ``finish_reason``; None where that says something else, or nothing.
    """

    text: str
    token_ids: tuple[int, ...] | None = None
    log_probabilities: tuple[float, ...] | None = None
    refused: str = ""
    ended: str | None = None


class Form(Protocol):
    @property
    def path(self) -> str: ...

    def body(self, prompt: str, images: Sequence[str], log_probabilities: bool) -> dict[str, Any]:
        """The fields of the request's body that depend on the form. images: data URIs, in order."""
        ...

    def read(self, body: bytes) -> ServerAnswer:
        """Raises Fault when the body is not what the interface promises."""
        ...


@dataclass(frozen=True, slots=True)
class Chat:
    """``/chat/completions``: one user turn, all images in order and then the prompt.

    plain: send a template that adds nothing in place of the server's own (vLLM needs --trust-request-chat-template).
    """

    plain: bool = False
    path: str = "/chat/completions"

    def body(self, prompt: str, images: Sequence[str], log_probabilities: bool) -> dict[str, Any]:
        parts: list[dict[str, Any]] = [{"type": "image_url", "image_url": {"url": image}} for image in images]
        content = [*parts, {"type": "text", "text": prompt}] if images else prompt
        body: dict[str, Any] = {"messages": [{"role": "user", "content": content}]}
        if self.plain:
            body |= {"chat_template": PLAIN_TEMPLATE, "add_generation_prompt": False}
        return body | {"logprobs": True} if log_probabilities else body

    def read(self, body: bytes) -> ServerAnswer:
        choice = _choice(body)
        message = choice.get("message")
        if not isinstance(message, dict):
            raise _malformed("its choice has no message", body)
        text = _text(message.get("content"), body)
        refused = _refusal(choice, message.get("refusal"))
        ended = ending(choice.get("finish_reason"))
        if refused:
            return ServerAnswer("", refused=refused, ended=ended)
        offered = choice.get("logprobs")
        entries = offered.get("content") if isinstance(offered, dict) else None
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            return ServerAnswer(text, ended=ended)
        pieces = [_bytes(entry) for entry in entries]
        values = [entry.get("logprob") for entry in entries]
        return _with_tokens(text, choice, pieces, values, [_token_id(entry) for entry in entries])


@dataclass(frozen=True, slots=True)
class Completions:
    """``/completions``: the prompt as text, without a template.

    markdown: images as ``![](data:…)`` in front of the prompt, as text-generation-inference reads them.
    """

    path: str = "/completions"

    def body(self, prompt: str, images: Sequence[str], log_probabilities: bool) -> dict[str, Any]:
        body: dict[str, Any] = {"prompt": "".join(f"![]({image})" for image in images) + prompt}
        return body | {"logprobs": 1} if log_probabilities else body

    def read(self, body: bytes) -> ServerAnswer:
        choice = _choice(body)
        text = _text(choice.get("text"), body)
        ended = ending(choice.get("finish_reason"))
        if refused := _refusal(choice, None):
            return ServerAnswer("", refused=refused, ended=ended)
        offered = choice.get("logprobs")
        tokens, values = (
            (offered.get(name) for name in ("tokens", "token_logprobs")) if isinstance(offered, dict) else (0, 0)
        )
        if not isinstance(tokens, list) or not isinstance(values, list) or len(tokens) != len(values):
            return ServerAnswer(text, ended=ended)
        pieces = [str(token).encode("utf-8", "replace") for token in tokens]
        return _with_tokens(text, choice, pieces, values, [_token_id({"token": token}) for token in tokens])


def _choice(body: bytes) -> dict[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        raise _malformed("it is not JSON", body) from None
    if isinstance(content, dict) and content.get("error") and not content.get("choices"):
        raise _error_in_reply(content["error"], body)
    choices = content.get("choices") if isinstance(content, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise _malformed("it has no choices", body)
    choice: dict[str, Any] = choices[0]
    return choice


def _error_in_reply(error: Any, body: bytes) -> Fault:
    """Gateways report errors of a server behind them in replies with status 200."""
    code = error.get("code") if isinstance(error, dict) else None
    if isinstance(code, int) and not isinstance(code, bool) and 300 <= code < 600:
        return status_fault("the server", code, body)
    return Fault(f"the server answered with an error ({server_words(body)[0]})")


def _malformed(why: str, body: bytes) -> Fault:
    return Fault(f"the server's reply cannot be read: {why} ({body[:80].decode('utf-8', 'replace')!r})", retry=True)


def _text(content: Any, body: bytes) -> str:
    """The text of an answer; some servers give it in parts. None is an empty answer."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list) and all(isinstance(part, dict) for part in content):
        return "".join(str(part.get("text") or "") for part in content if part.get("type", "text") == "text")
    raise _malformed("its answer is no text", body)


def _refusal(choice: dict[str, Any], said: Any) -> str:
    if isinstance(said, str) and said:
        return f"the server refused to answer ({said[:200]})"
    if choice.get("finish_reason") == "content_filter":
        return "the server's content filter withheld the answer"
    return ""


def _bytes(entry: dict[str, Any]) -> bytes:
    raw = entry.get("bytes")
    if isinstance(raw, list) and all(isinstance(value, int) and 0 <= value < 256 for value in raw):
        return bytes(raw)
    return str(entry.get("token", "")).encode("utf-8", "replace")


def _token_id(entry: dict[str, Any]) -> int | None:
    """llama.cpp gives ids; vLLM does with extra={"return_tokens_as_token_ids": true}, as text ``token_id:123``."""
    given = entry.get("id")
    if isinstance(given, int) and not isinstance(given, bool):
        return given
    named = re.fullmatch(r"token_id:(\d{1,9})", str(entry.get("token", "")))
    return int(named[1]) if named else None


def _with_tokens(
    text: str, choice: dict[str, Any], pieces: list[bytes], values: list[Any], ids: list[int | None]
) -> ServerAnswer:
    """The answer with its tokens, the end-of-sequence token left out where the server lists it."""
    ended = ending(choice.get("finish_reason"))
    if not all(isinstance(value, (int, float)) and math.isfinite(value) for value in values):
        return ServerAnswer(text, ended=ended)
    stopped = choice.get("finish_reason") == "stop" and bool(pieces)
    if stopped and (b"".join(pieces[:-1]) == text.encode("utf-8", "replace") or pieces[-1] in (b"<eos>", b"</s>")):
        values, ids = values[:-1], ids[:-1]
    known = tuple(number for number in ids if number is not None)
    return ServerAnswer(text, known if len(known) == len(ids) else None, tuple(map(float, values)), ended=ended)
