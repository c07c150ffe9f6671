"""The one protocol behind which every model, server or file of predictions stands."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from evalsuite.errors import BackendError
from evalsuite.types import Generation, JsonValue, Request

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


Facts = Mapping[str, str]
"""What decides answers besides data and prompts: ``weights model.safetensors`` -> digest, ``hub commit`` -> commit."""
HUB_COMMIT = "hub commit"
"""The fact that stands for all files of a model on the hub, which may not be on this machine yet."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request that is ready for the model: images decoded and resized, prompt tokenized.

    cost: relative work of the example in a batch, (image tokens + prompt tokens + new tokens).
    group: requests may share a batch only when their groups are equal (decode budget, beam size, ...).
    nbytes: memory the payload holds while it waits, in bytes.
    """

    request: Request
    payload: Any
    cost: int
    group: Hashable = None
    nbytes: int = 0


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """What fits at once: at most ``max_examples``, and padded cost (examples x longest cost) of ``max_cost``."""

    max_examples: int = 16
    max_cost: int | None = None


class BatchInterrupted(BackendError):
    """The backend cannot go on; ``answered`` are the generations of the batch that were complete. They are stored."""

    def __init__(self, message: str, answered: Sequence[Generation]) -> None:
        super().__init__(message)
        self.answered = tuple(answered)


class Backend(Protocol):
    """Turns requests into generations. Knows nothing of tasks, metrics or stores.

    The engine calls ``prepare`` ahead of the model from worker threads, packs the results into batches within
    ``limits``, and calls ``generate`` from one thread. Neither the batch nor its padding may change a greedy answer.
    """

    @property
    def limits(self) -> BatchLimits: ...

    def describe(self) -> Mapping[str, JsonValue]:
        """Facts for the manifest: backend, model, fingerprint of the weights, dtype, device, versions, options.

        What could change an answer must be here, and nothing that may differ between two equal runs. ``notes``, where
        there are any, are sentences for the user, told when the run begins: tensors of the files that no part of the
        model uses.
        """
        ...

    def prepare(self, request: Request) -> Prepared:
        """CPU work for one request, thread-safe. Raises ExampleError when the example itself is broken."""
        ...

    def generate(self, batch: Sequence[Prepared]) -> list[Generation]:
        """One generation per prepared request, in the same order.

        Raises BackendOutOfMemory when the batch does not fit (the engine halves it), BackendError when the
        backend as a whole cannot go on, BatchInterrupted when it had answered a part of the batch by then.
        """
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class BackendOptions:
    """What the command line hands to a backend's factory.

    model: path, hub id, or a name the backend knows (``tiny``); None for its default.
    attributes: the run's attributes (size, resolution, seed, ...).
    options: the backend's own settings, already split into names and text values.
    """

    model: str | None
    attributes: Mapping[str, JsonValue]
    options: Mapping[str, str]


class AnswerScorer(Protocol):
    """What a backend offers that says how probable given answers are. Optional; the torch backend has it."""

    def score_answers(
        self, batch: Sequence[Prepared], answers: Sequence[Sequence[str]]
    ) -> list[list[tuple[float, ...]]]:
        """Natural log-probabilities of every token of each answer, and last of the end-of-sequence after it.

        answers: for each prepared request, the texts to score. Their sum is the probability that the model gives to
        exactly this answer; divided by their number it is the mean per token. Choosing the likeliest of several texts
        is a rule of other harnesses, not of the papers on PaliGemma, which generate.
        Raises BackendOutOfMemory when the answers do not fit at once, ExampleError that names an example whose logits
        are NaN or infinite.
        """
        ...


class Phases(Protocol):
    """The parts of an answer, run one at a time and to their end, for ``evalsuite bench``.

    Optional: a backend that can be timed so has a method ``phases()`` that returns this. Log-probabilities, end of
    sequence and padding play no part; all prompts of a batch have the same length. Belongs to one thread.

    resolution: side of an image in pixels. vocabulary_size: rows of the embedding. weight_bytes: memory of all weights
    as they are kept, each counted once. threads: that compute; None where that means nothing.
    """

    resolution: int
    tokens_per_image: int
    vocabulary_size: int
    weight_bytes: int
    threads: int | None

    def encode_images(self, pixels: NDArray[np.uint8]) -> Any:
        """Features of one image per row, for ``prefill``. pixels: (rows, side, side, 3)."""
        ...

    def prefill(self, features: Any, token_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits of the first new token, (rows, vocabulary), and the start of a batch. token_ids: (rows, prompt)."""
        ...

    def extend(self, token_ids: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits after one more token per row, (rows, vocabulary). token_ids: (rows,)."""
        ...
