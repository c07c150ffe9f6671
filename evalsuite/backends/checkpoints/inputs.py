"""A request as PaliGemma takes it: token ids and pixels, prepared on the CPU without any framework."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalsuite.backends.base import Prepared
from evalsuite.backends.checkpoints.prompt import PromptTokenizer
from evalsuite.errors import ExampleError
from evalsuite.media.preparation import prepare_frames
from evalsuite.types import Request

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from evalsuite.media.preparation import Pixels

END_OF_SEQUENCE = "<eos>"
POSITIONS = 8192  # of Gemma 1 and 2


@dataclass(frozen=True, slots=True)
class PrefixInputs:
    """One prepared prompt.

    pixels: (frames, side, side, 3) in [0, 255], uint8 or float32; or, when ``normalised``, (frames, 3, side, side)
    as the vision tower takes them; None without images. token_ids: BOS, prefix, newline.
    """

    token_ids: tuple[int, ...]
    pixels: NDArray[Any] | None = None
    normalised: bool = False

    @property
    def frame_count(self) -> int:
        return 0 if self.pixels is None else len(self.pixels)


def prompt_tokens(request: Request, tokenizer: PromptTokenizer, positions: int = POSITIONS) -> tuple[int, ...]:
    """BOS, prefix and newline. Raises ExampleError for more tokens than the model has positions for.

    Attention over such a prompt would take hours, or all memory.
    """
    tokens = tokenizer.prompt(request.prompt, request.max_prompt_tokens)
    if len(tokens) > positions:
        raise ExampleError(f"the prompt has {len(tokens):,} tokens; the model has positions for {positions:,}")
    return tokens


def reference_pixels(request: Request, resolution: int) -> Pixels | None:
    """All frames of all visuals in order, resized as the papers did, (frames, side, side, 3); None without images.

    Raises ExampleError when an image cannot be opened.
    """
    if not request.visuals:
        return None
    frames = [frame for visual in request.visuals for frame in visual.frames()]
    return prepare_frames(frames, resolution, request.preparation)


def prepared_prefix(request: Request, inputs: PrefixInputs, tokens_per_frame: int, group: Hashable) -> Prepared:
    """Cost: image tokens, prompt tokens and answer budget, times the beams."""
    decoding = request.decoding
    tokens = inputs.frame_count * tokens_per_frame + len(inputs.token_ids) + decoding.max_new_tokens
    nbytes = 0 if inputs.pixels is None else inputs.pixels.nbytes
    return Prepared(request, inputs, tokens * decoding.beam_size, group=group, nbytes=nbytes)


def forbidden_ids(names: tuple[str, ...], tokenizer: PromptTokenizer) -> list[int]:
    """Ids of the tokens that may not be chosen; a model without a token cannot choose it."""
    found = (tokenizer.eos if name == END_OF_SEQUENCE else tokenizer.id_of(name) for name in names)
    return [token for token in found if token is not None]
