"""From an example to the request a backend receives: the prompt filled in, decoding and image preparation attached."""

from __future__ import annotations

import dataclasses

from evalsuite.errors import ExampleError
from evalsuite.specs.schema import TaskSpec
from evalsuite.specs.templates import split_placeholders
from evalsuite.types import Decoding, Example, ImagePreparation, Request


class RequestBuilder:
    """Builds the requests of one task; what all of them share is worked out once.

    Values are put in as they are: nothing is stripped or escaped, and a brace in a value stays a brace.
    """

    def __init__(self, spec: TaskSpec, *, log_probabilities: bool = False) -> None:
        self._texts, self._names = split_placeholders(spec.prompt.prefix)
        decoding = spec.decoding
        self._decoding = Decoding(
            decoding.max_new_tokens,
            decoding.beam_size,
            log_probabilities or decoding.log_probabilities,
            tuple(decoding.forbidden_tokens),
        )
        self._preparation = ImagePreparation(spec.image.resize, spec.image.antialias, spec.image.truncate)
        self._max_prompt_tokens = spec.prompt.max_tokens

    def prompt(self, example: Example) -> str:
        """The prompt prefix with the example's values in it. Raises ExampleError when a value is missing."""
        fields = example.fields
        try:
            text = self._texts[0]
            for name, after in zip(self._names, self._texts[1:], strict=True):
                text += fields[name] + after
        except KeyError as error:
            raise ExampleError(f"{example.key}: the prompt needs the value {error}, which is missing") from None
        return text

    def __call__(self, example: Example) -> Request:
        """The request for one example. Raises ExampleError when a value of the prompt is missing."""
        preparation = self._preparation
        if example.outline is not None:
            preparation = dataclasses.replace(preparation, outline=example.outline)
        return Request(
            example.key,
            self.prompt(example),
            example.visuals,
            self._decoding,
            preparation,
            self._max_prompt_tokens,
        )


def build_request(spec: TaskSpec, example: Example, *, log_probabilities: bool = False) -> Request:
    """The request for one example of ``spec``; for many, keep a :class:`RequestBuilder`."""
    return RequestBuilder(spec, log_probabilities=log_probabilities)(example)
