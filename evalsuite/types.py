"""The records that cross borders between rooms: frozen, plain, without behaviour of their own.

Order of the walk: Example -> Request -> Generation -> Prediction. See docs/architecture.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from PIL.Image import Image

JsonValue = Any  # str, int, float, bool, None, list and dict of these
Record = Mapping[str, Any]  # one row of a source, in the data set's own column names


class ExampleKey(NamedTuple):
    """What names an example in a run: unique, and stable over runs."""

    task: str
    split: str
    id: str

    def __str__(self) -> str:
        return f"{self.task}/{self.split}/{self.id}"


@runtime_checkable
class Visual(Protocol):
    """One image or one clip, opened only when asked for.

    ``frames`` returns RGB images at their stored size: one for an image, several for a clip. It raises
    :class:`~evalsuite.errors.ExampleError` that names the place when the file is broken or missing.
    """

    @property
    def frame_count(self) -> int:
        """How many frames ``frames`` returns, known without opening anything."""
        ...

    def frames(self) -> list[Image]: ...


@dataclass(frozen=True, slots=True)
class Example:
    """One item of a benchmark, after its columns were mapped to fields.

    fields: values for the prompt template, all text.
    outline: box to draw on the image, [left, top, right, bottom] in shares of its width and height.
    references: what the metrics compare with; each metric says which form it expects.
    strata: the groups the example is reported under, such as ``{"subset": "human"}``.
    position: place in the source, from 0; resuming skips positions that are stored.
    """

    key: ExampleKey
    position: int
    visuals: tuple[Visual, ...]
    fields: Mapping[str, str]
    references: Sequence[JsonValue]
    strata: Mapping[str, str]
    outline: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class ImagePreparation:
    """How pixels reach the model (big_vision ``pp/ops_image.py``).

    resize: ``stretch`` destroys the aspect ratio, ``pad`` keeps it and fills with white.
    antialias: widen the bilinear kernel when shrinking, as ``tf.image.resize(antialias=True)``.
    truncate: cut the resized values down to uint8 (stills) or keep them float (video frames).
    outline: red box drawn after the resize, [left, top, right, bottom] in shares of the image
        (``pp/proj/paligemma/widgetcap.py``).
    """

    resize: str = "stretch"
    antialias: bool = True
    truncate: bool = True
    outline: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True)
class Decoding:
    """How an answer is generated. ``beam_size`` 1 is greedy. The end-of-sequence token counts as a new token.

    forbidden: tokens that are never chosen, ``<eos>`` for end-of-sequence; ``log_probabilities`` stay those of the
        unmasked softmax (big_vision ``predict_fns.py``, masked decoding). One that the model lacks cannot be chosen.
    """

    max_new_tokens: int
    beam_size: int = 1
    log_probabilities: bool = False
    forbidden: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """What a backend receives for one example. The backend adds image tokens, BOS and the newline separator.

    max_prompt_tokens: BOS + prefix + newline are cut from the right to this many tokens (None: no cut).
    """

    key: ExampleKey
    prompt: str
    visuals: tuple[Visual, ...]
    decoding: Decoding
    preparation: ImagePreparation = ImagePreparation()
    max_prompt_tokens: int | None = None


END, LENGTH, FILTER = ENDINGS = ("end", "length", "filter")
"""Why an answer ended: the model ended it, the limit of tokens cut it, a filter of the server withheld it."""


@dataclass(frozen=True, slots=True)
class Generation:
    """What a backend returns for one request: the text before the first end-of-sequence token, unstripped.

    token_ids / log_probabilities: the generated tokens without end-of-sequence, and their raw log-softmax values,
    where the backend has them. ended: why it ended, one of ENDINGS; None where the backend cannot know.
    ``error`` set: the example failed, ``text`` is empty. ``skipped``: the backend was told
    to leave the example out, so that it is neither stored nor scored (replayed files that lack an answer).
    """

    key: ExampleKey
    text: str
    token_ids: tuple[int, ...] | None = None
    log_probabilities: tuple[float, ...] | None = None
    seconds: float | None = None
    error: str | None = None
    skipped: bool = False
    ended: str | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """A stored answer with what scoring needs, so that a run can be scored again without data or model."""

    key: ExampleKey
    position: int
    prompt: str
    text: str
    references: Sequence[JsonValue] | None
    strata: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    details: Mapping[str, JsonValue] = field(default_factory=dict)
