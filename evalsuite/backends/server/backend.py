"""A model behind an OpenAI-compatible server."""

from __future__ import annotations

import concurrent.futures
import json
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from evalsuite.backends.base import BackendOptions, BatchInterrupted, BatchLimits, Prepared
from evalsuite.backends.server.asking import Asker, Stopped
from evalsuite.backends.server.endpoint import read_key
from evalsuite.backends.server.faults import Fault
from evalsuite.backends.server.forms import Chat, Completions, Form
from evalsuite.backends.server.gate import Gate
from evalsuite.backends.server.options import ServerOptions
from evalsuite.backends.server.pictures import data_uris
from evalsuite.backends.server.served import ListedModel, deviations, images_allowed, read_models
from evalsuite.backends.server.transport import Transport
from evalsuite.errors import BackendError, UsageError
from evalsuite.types import Generation, JsonValue, Request

LIST_TIMEOUT, LIST_DEADLINE = 30.0, 60.0
"""Seconds for the list of models: nothing is computed for it, though a server that still loads may ask to wait."""
IMAGE_COST = 256  # tokens of an image, where only relative work counts


class Connection:
    """The server of one set of options: what asks it, and the model that it is asked for."""

    def __init__(self, options: ServerOptions) -> None:
        self.options = options
        self.key = read_key(options.api_key_env, options.url)
        self.transport = Transport(options.url, self.key)
        self.asker = self._asker(options.timeout, options.deadline)

    def _asker(self, timeout: float, deadline: float) -> Asker:
        options = self.options
        return Asker(
            self.transport,
            str(options.url),
            Gate(options.concurrency),
            timeout=timeout,
            deadline=deadline,
            retries=options.retries,
            backoff=options.backoff,
        )

    def model(self, name: str | None) -> ListedModel:
        """The model to ask for; None stands for the only one that the server has.

        Raises BackendError when the server does not answer or has no such model, UsageError when it has several.
        """
        url = self.options.url
        asker = self._asker(min(self.options.timeout, LIST_TIMEOUT), min(self.options.deadline, LIST_DEADLINE))
        try:
            models, _ = asker.ask("GET", "/models", None, read_models)
        except Fault as fault:
            lists_none = fault.status in (200, 404, 405)
            if lists_none and name is not None and not self.options.check_model:
                return ListedModel(name)
            hint = ". A server that lists no models needs --option check_model=false" if lists_none else ""
            raise BackendError(f"{self.public(fault)}{hint}") from None
        listed = {model.id: model for model in models}
        if name is None:
            if len(listed) == 1:
                return models[0]
            raise UsageError(f"--model is needed: {url} has {_names(listed)}")
        if name not in listed and self.options.check_model:
            raise BackendError(
                f"{url} has no model {name!r}. It has {_names(listed)}. --option check_model=false asks for it anyway"
            )
        return listed.get(name, ListedModel(name))

    def public(self, fault: Fault) -> str:
        """The message of a fault, without the key: some servers repeat it."""
        message = str(fault)
        return message.replace(self.key, "***") if self.key else message


class ServerBackend:
    """A :class:`~evalsuite.backends.base.Backend` that asks a server, many requests at once."""

    def __init__(self, options: BackendOptions) -> None:
        self._options = settings = ServerOptions.read(options)
        self._connection = Connection(settings)
        try:
            self._model = self._connection.model(options.model)
        except BaseException:
            self._connection.transport.close()
            raise
        self._images_allowed = images_allowed(self._model, settings)
        self._form: Form = Chat(plain=settings.template == "none") if settings.form == "chat" else Completions()
        self._pool = ThreadPoolExecutor(settings.concurrency, thread_name_prefix="server")

    @property
    def limits(self) -> BatchLimits:
        return BatchLimits(self._options.batch_size)

    def describe(self) -> Mapping[str, JsonValue]:
        """Address and model, the options that may change an answer, and how the protocol differs from the papers'."""
        settings = self._options
        return {
            "backend": "server",
            "model": self._model.id,
            "url": str(settings.url),
            "server": self._model.server or "unknown",
            "root": self._model.root,
            "form": settings.form,
            "template": settings.template,
            "image_pipeline": settings.image_pipeline,
            "resolution": settings.resolution if settings.image_pipeline == "reference" else None,
            "images_per_prompt": self._images_allowed,
            "beams": settings.beams,
            "temperature": settings.temperature,
            "seed": settings.seed,
            "extra": dict(settings.extra),
            "deviations": list(deviations(self._model, settings)),
        }

    def prepare(self, request: Request) -> Prepared:
        """The request's body, ready to be sent.

        Raises ExampleError for a broken image, BackendError for what a server cannot do for any example of the task.
        """
        self._refuse_the_impossible(request)
        frames = sum(visual.frame_count for visual in request.visuals)
        settings = self._options
        uris = data_uris(request, settings.resolution if settings.image_pipeline == "reference" else None)
        prompt = request.prompt.encode("utf-8", "replace").decode()
        decoding = request.decoding
        body: dict[str, Any] = {
            "model": self._model.id,
            **self._form.body(prompt, uris, decoding.log_probabilities and settings.logprobs),
            settings.max_tokens_field: decoding.max_new_tokens,
            "stream": False,
        }
        if settings.temperature is not None:
            body["temperature"] = settings.temperature
        if settings.seed is not None:
            body["seed"] = settings.seed
        payload = json.dumps(body | dict(settings.extra)).encode()
        cost = IMAGE_COST * frames + len(prompt) // 3 + decoding.max_new_tokens
        return Prepared(request, payload, cost, group=decoding, nbytes=len(payload))

    def generate(self, batch: Sequence[Prepared]) -> list[Generation]:
        """Ask for all of the batch at once, as many as the server bears; what goes wrong with one example is its error.

        Raises BatchInterrupted, with what was answered, when the server as a whole cannot be used.
        """
        stop = threading.Event()
        futures = [self._pool.submit(self._answer, item, stop) for item in batch]
        try:
            concurrent.futures.wait(futures)
        except BaseException:
            stop.set()
            for future in futures:
                future.cancel()
            self._connection.transport.abort()
            raise
        found = [future.result() for future in futures]
        answered = [outcome for outcome in found if isinstance(outcome, Generation)]
        faults = [outcome for outcome in found if isinstance(outcome, Fault)]
        if faults:
            raise BatchInterrupted(self._connection.public(faults[0]), answered)
        return answered

    def close(self) -> None:
        self._connection.transport.abort()
        self._pool.shutdown(cancel_futures=True)
        self._connection.transport.close()

    def _answer(self, item: Prepared, stop: threading.Event) -> Generation | Fault | None:
        """The generation; a Fault of the whole server, which ends the batch; None when the batch was ended before."""
        key = item.request.key
        try:
            answer, seconds = self._connection.asker.ask("POST", self._form.path, item.payload, self._form.read, stop)
        except Stopped:
            return None
        except Fault as fault:
            if fault.whole:
                stop.set()
                return fault
            return Generation(key, "", error=self._connection.public(fault))
        if answer.refused:
            return Generation(key, "", seconds=seconds, error=answer.refused, ended=answer.ended)
        return Generation(key, answer.text, answer.token_ids, answer.log_probabilities, seconds, ended=answer.ended)

    def _refuse_the_impossible(self, request: Request) -> None:
        task, decoding = request.key.task, request.decoding
        if decoding.beam_size > 1 and self._options.beams == "refuse":
            raise BackendError(
                f"{task} is decoded with beam search, which servers do not offer by the papers' rule. --option "
                "beams=greedy decodes greedily instead, for lower values; --backend torch has beam search"
            )
        if decoding.forbidden:
            raise BackendError(
                f"{task} forbids tokens ({', '.join(decoding.forbidden)}), which cannot be asked of a server. Leave it "
                f"out with --tasks …,-{task}, or use --backend torch"
            )
        images = sum(visual.frame_count for visual in request.visuals)
        if images and self._options.form == "completions" and self._options.images == "refuse":
            raise BackendError(
                f"{task} has images, for which form=completions has no place. Use --option form=chat, or --option "
                "images=markdown for a server that reads ![](data:…) in the prompt (text-generation-inference)"
            )
        if self._images_allowed is not None and images > self._images_allowed:
            raise BackendError(
                f"{task} asks about {images} images at once, and this server takes {self._images_allowed} per prompt. "
                f"Leave it out with --tasks …,-{task}, use --backend torch, or correct --option images_per_prompt=…"
            )


def _names(listed: Mapping[str, ListedModel], most: int = 12) -> str:
    names = sorted(listed)
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "") or "none"
