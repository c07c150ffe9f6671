"""The settings of the server backend."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evalsuite.backends.base import BackendOptions
from evalsuite.backends.server.endpoint import Endpoint
from evalsuite.backends.settings import Settings
from evalsuite.errors import UsageError

RESERVED = (
    *("model", "messages", "prompt", "stream", "n", "best_of", "echo", "chat_template"),
    *("max_tokens", "max_completion_tokens", "temperature", "seed", "logprobs", "api_key", "authorization"),
)
"""Fields of a request's body that ``extra`` may not set: they have options of their own, or are not offered."""


@dataclass(frozen=True)
class ServerOptions:
    """What ``--option name=value`` may set; docs/backends.md says what each is for.

    timeout, deadline, backoff: seconds. resolution: pixels, for ``image_pipeline`` reference. images_per_prompt: None
    for no limit of ours. temperature: None leaves it to the server. api_key_env: None for OPENAI_API_KEY.
    """

    url: Endpoint
    form: str
    template: str
    images: str
    image_pipeline: str
    resolution: int | None
    images_per_prompt: int | None
    beams: str
    logprobs: bool
    temperature: float | None
    seed: int | None
    max_tokens_field: str
    concurrency: int
    batch_size: int
    timeout: float
    deadline: float
    retries: int
    backoff: float
    check_model: bool
    api_key_env: str | None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, options: BackendOptions) -> ServerOptions:
        """Raises UsageError for an unknown name or a wrong value, also for settings that do not go together."""
        settings = Settings("server", options.options)
        concurrency = settings.integer("concurrency", 16) or 16
        read = cls(
            url=Endpoint.parse(settings.text("url", "")),
            form=settings.choice("form", ("chat", "completions"), "chat"),
            template=settings.choice("template", ("server", "none"), "server"),
            images=settings.choice("images", ("refuse", "markdown"), "refuse"),
            image_pipeline=settings.choice("image_pipeline", ("stored", "reference"), "stored"),
            resolution=settings.integer("resolution", None) or _resolution(options.attributes),
            images_per_prompt=settings.integer("images_per_prompt", None, minimum=0),
            beams=settings.choice("beams", ("refuse", "greedy"), "refuse"),
            logprobs=settings.flag("logprobs", True),
            temperature=_temperature(settings.text("temperature", "0")),
            seed=settings.integer("seed", None, minimum=0),
            max_tokens_field=settings.choice("max_tokens_field", ("max_tokens", "max_completion_tokens"), "max_tokens"),
            concurrency=concurrency,
            batch_size=settings.integer("batch_size", None) or 4 * concurrency,
            timeout=_seconds(settings, "timeout", "300"),
            deadline=_seconds(settings, "deadline", "1800"),
            retries=settings.integer("retries", 6, minimum=0) or 0,
            backoff=_seconds(settings, "backoff", "0.5"),
            check_model=settings.flag("check_model", True),
            api_key_env=settings.text("api_key_env", "") or None,
            extra=_extra(settings.text("extra", "{}")),
        )
        settings.finish()
        return read._checked()

    def _checked(self) -> ServerOptions:
        if self.image_pipeline == "reference" and self.resolution is None:
            raise UsageError(
                "backend server: option image_pipeline=reference resizes here; say to which size, with "
                "--option resolution=448 (or 224, 896)"
            )
        if self.form == "completions" and self.template == "none":
            raise UsageError("backend server: option template=none is for form=chat; form=completions never has one")
        if self.form == "chat" and self.images == "markdown":
            raise UsageError("backend server: option images=markdown is for form=completions; form=chat sends images")
        return self


def _resolution(attributes: Mapping[str, Any]) -> int | None:
    asked = str(attributes.get("resolution", ""))
    return int(asked) if asked.isascii() and asked.isdigit() and int(asked) > 0 else None


def _seconds(settings: Settings, name: str, default: str) -> float:
    return _number(f"option {name}", settings.text(name, default), least=0.0)


def _temperature(text: str) -> float | None:
    return None if text == "server" else _number("option temperature", text, least=0.0)


def _number(what: str, text: str, least: float) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number < math.inf:
        raise UsageError(f"backend server: {what}={text!r} is not valid. Give a number of at least {least:g}")
    return number


def _extra(text: str) -> dict[str, Any]:
    try:
        extra = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"backend server: option extra={text!r:.80} is not JSON ({error})") from None
    if not isinstance(extra, dict):
        raise UsageError(f"backend server: option extra={text!r:.80} must be a JSON object, such as '{{\"top_k\": 1}}'")
    for name in extra:
        if name in RESERVED:
            raise UsageError(f"backend server: option extra must not set {name!r}; that field has its own rule")
    return extra
