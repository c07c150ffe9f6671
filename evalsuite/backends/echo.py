"""The backend that answers at once, without a model: for tests, dry runs and benchmarks of the harness itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from evalsuite.backends.base import BackendOptions, BatchLimits, Prepared
from evalsuite.backends.needs import Needs
from evalsuite.backends.settings import Settings
from evalsuite.types import END, Generation, JsonValue, Request

NEEDS = Needs()


class EchoBackend:
    """Answers every request with ``answer(request)``.

    decode_images: open the frames in ``prepare``, as a model would, so that broken images are found.
    """

    def __init__(
        self,
        answer: Callable[[Request], str] = lambda request: "",
        *,
        decode_images: bool = False,
        limits: BatchLimits | None = None,
        facts: Mapping[str, JsonValue] | None = None,
    ) -> None:
        self._answer, self._decode_images = answer, decode_images
        self._limits = limits or BatchLimits(max_examples=64)
        self._facts = dict(facts or {})

    @property
    def limits(self) -> BatchLimits:
        return self._limits

    def describe(self) -> Mapping[str, JsonValue]:
        return {"backend": "echo", "decode_images": self._decode_images, **self._facts}

    def prepare(self, request: Request) -> Prepared:
        """Cost: one per frame, per word of the prompt and per new token. Raises ExampleError for a broken image."""
        if self._decode_images:
            for visual in request.visuals:
                visual.frames()
        frames = sum(visual.frame_count for visual in request.visuals)
        cost = frames + len(request.prompt.split()) + request.decoding.max_new_tokens
        return Prepared(request=request, payload=None, cost=cost, group=request.decoding)

    def generate(self, batch: Sequence[Prepared]) -> list[Generation]:
        return [Generation(item.request.key, self._answer(item.request), seconds=0.0, ended=END) for item in batch]

    def close(self) -> None:
        """Nothing is held."""


def create(options: BackendOptions) -> EchoBackend:
    """Options: ``answer`` (text of every answer, empty by default) and ``decode_images`` (false)."""
    answer, decode_images = _read(options)
    return EchoBackend(lambda request: answer, decode_images=decode_images, facts={"answer": answer})


def check(options: BackendOptions) -> None:
    """Raises UsageError for an option that does not exist or has a wrong value."""
    _read(options)


def _read(options: BackendOptions) -> tuple[str, bool]:
    settings = Settings("echo", options.options)
    answer, decode_images = settings.text("answer", ""), settings.flag("decode_images", False)
    settings.finish()
    return answer, decode_images
