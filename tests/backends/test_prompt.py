"""PaliGemma's prompt layout and pixels in the torch backend."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from evalsuite.backends.checkpoints.prompt import PromptTokenizer
from evalsuite.backends.tiny.checkpoint import tiny_checkpoint
from evalsuite.backends.tiny.tokenizer import IMAGE_TOKEN_ID, VOCABULARY_SIZE
from evalsuite.backends.torch_hf.decoder import PrefixDecoder, PrefixInputs
from evalsuite.media.preparation import prepare_frames, to_unit_range
from evalsuite.types import ImagePreparation, Request

BOS = 2


@pytest.fixture(scope="module")
def tokenizer(model_cache: Any) -> PromptTokenizer:
    return PromptTokenizer.load(tiny_checkpoint(), VOCABULARY_SIZE, IMAGE_TOKEN_ID)


def raw_tokenizer() -> Any:
    from tokenizers import Tokenizer

    return Tokenizer.from_file(str(tiny_checkpoint() / "tokenizer.json"))


def ids_of(text: str) -> tuple[int, ...]:
    return tuple(raw_tokenizer().encode(text).ids)


def test_the_prompt_is_bos_prefix_newline(tokenizer: PromptTokenizer) -> None:
    assert tokenizer.prompt("two dogs") == (BOS, *ids_of("two dogs"), *ids_of("\n"))


def test_an_empty_prompt_still_has_bos_and_newline(tokenizer: PromptTokenizer) -> None:
    assert tokenizer.prompt("") == (BOS, *ids_of("\n"))


def test_the_newline_is_tokenized_by_itself() -> None:
    """A tokenizer that merges a newline into the word before it must not do so with the separator."""
    from tokenizers import Tokenizer, models

    pieces = [("<unk>", -9.0), ("dog", -1.0), ("\n", -2.0), ("dog\n", -0.1), ("<loc0000>", -1.0)]
    merging = Tokenizer(models.Unigram(pieces, 0))
    assert merging.encode("dog\n").ids == [3]
    assert PromptTokenizer(merging, bos=7, eos=8).prompt("dog") == (7, 1, 2)


@pytest.mark.parametrize("length", [1, 2, 4, 6])
def test_cutting_is_from_the_right_and_takes_the_newline_first(tokenizer: PromptTokenizer, length: int) -> None:
    whole = tokenizer.prompt("is the red dog left of it")
    assert tokenizer.prompt("is the red dog left of it", length) == whole[:length]
    assert whole[-1] not in whole[:length]


def test_a_long_limit_cuts_nothing(tokenizer: PromptTokenizer) -> None:
    assert tokenizer.prompt("two dogs", 100) == tokenizer.prompt("two dogs")


@pytest.mark.parametrize("mark", ["<image>", "<eos>", "<bos>", "<pad>"])
def test_special_tokens_in_a_question_are_read_as_text(tokenizer: PromptTokenizer, mark: str) -> None:
    assert raw_tokenizer().token_to_id(mark) not in tokenizer.prompt(f"what is {mark} ?")[1:]


def test_location_tokens_in_a_question_stay_tokens(tokenizer: PromptTokenizer) -> None:
    assert raw_tokenizer().token_to_id("<loc0012>") in tokenizer.prompt("what is at <loc0012>?")


def test_the_answer_ends_before_the_first_end_of_sequence(tokenizer: PromptTokenizer) -> None:
    assert tokenizer.text([*ids_of("two dogs"), 1, *ids_of(" cats"), 1]) == "two dogs"


@pytest.mark.parametrize("text", [" dog ", "  a  b", "dog\n", "a , b .", "<loc0001><loc0002><seg003> dog ; <loc0004>"])
def test_the_answer_is_neither_stripped_nor_cleaned(tokenizer: PromptTokenizer, text: str) -> None:
    assert tokenizer.text(ids_of(text)) == text


def test_control_tokens_in_an_answer_have_no_text(tokenizer: PromptTokenizer) -> None:
    ids = [raw_tokenizer().token_to_id(mark) for mark in ("<bos>", "<pad>", "<image>")]
    assert tokenizer.text([*ids, *ids_of("dog"), *ids]) == "dog"


def test_location_tokens_that_a_tokenizer_counts_as_special_are_read_and_shown(model_cache: Any) -> None:
    """Otherwise a segmentation would be an empty text."""
    from tokenizers import AddedToken, Tokenizer, decoders, models

    special = Tokenizer(models.Unigram([("<unk>", -9.0), ("dog", -1.0), ("\n", -2.0)], 0))
    special.add_special_tokens([AddedToken(mark, special=True) for mark in ("<bos>", "<loc0000>", "<seg127>")])
    special.decoder = decoders.Fuse()
    prompts = PromptTokenizer(special, bos=3, eos=9)
    assert prompts.prompt("<loc0000>dog") == (3, 4, 1, 2)
    assert prompts.text([3, 4, 5, 1]) == "<loc0000><seg127>dog"


def test_missing_location_tokens_are_added_where_paligemma_has_them() -> None:
    from tokenizers import Tokenizer, models

    from evalsuite.backends.checkpoints.prompt import _add_missing_tokens
    from evalsuite.errors import BackendError

    def bare() -> Any:
        return Tokenizer(models.Unigram([("<unk>", -9.0), ("dog", -1.0), ("\n", -2.0)], 0))

    tokenizer = bare()
    _add_missing_tokens(tokenizer, 3 + 1152 + 1, tiny_checkpoint())
    ends = ("<loc0000>", "<loc1023>", "<seg000>", "<seg127>")
    assert [tokenizer.token_to_id(token) for token in ends] == [3, 1026, 1027, 1154]
    with pytest.raises(BackendError, match="<loc0000>"):
        _add_missing_tokens(bare(), 1000, tiny_checkpoint())


@pytest.mark.parametrize("prompt", ["answer en how many dogs?", "caption en", "", "a\n\nb"])
def test_the_checkpoints_processor_lays_an_image_prompt_out_the_same_way(
    torch_backend: Callable[..., Any], make_request: Callable[..., Request], clip: Any, prompt: str
) -> None:
    transformers: Any = importlib.import_module("transformers")
    processor = transformers.AutoProcessor.from_pretrained(tiny_checkpoint())
    theirs = processor(images=clip(1).frames(), text="<image>" + prompt)
    payload = torch_backend().prepare(make_request(prompt)).payload
    image = raw_tokenizer().token_to_id("<image>")
    assert list(theirs["input_ids"][0]) == [image] * 16 + list(payload.token_ids)


def test_frames_of_all_visuals_follow_one_another(
    torch_backend: Callable[..., Any], make_request: Callable[..., Request], clip: Any
) -> None:
    visuals = (clip(1), clip(2, 3), clip(4))
    payload = torch_backend().prepare(make_request("x", visuals)).payload
    frames = [frame for visual in visuals for frame in visual.frames()]
    assert np.array_equal(payload.pixels, prepare_frames(frames, 56, ImagePreparation()))


def test_the_requests_image_preparation_is_used(
    torch_backend: Callable[..., Any], make_request: Callable[..., Request]
) -> None:
    ways = [ImagePreparation(), ImagePreparation(antialias=False), ImagePreparation(resize="pad")]
    pixels = [torch_backend().prepare(make_request(preparation=way)).payload.pixels.tobytes() for way in ways]
    assert len(set(pixels)) == 3


def test_cost_and_memory_count_tokens_and_pixels(
    torch_backend: Callable[..., Any], make_request: Callable[..., Request]
) -> None:
    prepared = torch_backend().prepare(make_request("two dogs", (1, 2), max_new_tokens=10))
    assert prepared.cost == 2 * 16 + len(prepared.payload.token_ids) + 10
    assert prepared.nbytes == 2 * 56 * 56 * 3
    wide = torch_backend().prepare(make_request("two dogs", (1, 2), max_new_tokens=10, beam_size=3))
    assert wide.cost == 3 * prepared.cost


@pytest.mark.parametrize("truncate", [True, False])
def test_the_model_sees_the_pixels_of_to_unit_range(
    torch_backend: Callable[..., Any], clip: Any, truncate: bool
) -> None:
    pixels = prepare_frames(clip(1, 2).frames(), 56, ImagePreparation(truncate=truncate))
    decoder = PrefixDecoder(torch_backend().model.model, 16, [PrefixInputs((BOS,), pixels)])
    assert np.array_equal(decoder._pixel_values().permute(0, 2, 3, 1).numpy(), to_unit_range(pixels))


def test_the_processor_pipeline_takes_the_checkpoints_pixels(
    torch_backend: Callable[..., Any], make_request: Callable[..., Request], clip: Any
) -> None:
    transformers: Any = importlib.import_module("transformers")
    backend = torch_backend(image_pipeline="processor")
    processor = transformers.AutoImageProcessor.from_pretrained(tiny_checkpoint())
    theirs = processor(images=clip(1).frames(), return_tensors="pt")
    payload = backend.prepare(make_request()).payload
    decoder = PrefixDecoder(backend.model.model, 16, [payload])
    assert torch.equal(decoder._pixel_values(), theirs["pixel_values"])
    assert backend.describe()["image_pipeline"] == "processor"
