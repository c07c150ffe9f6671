"""The jax model against torch, number by number: both families, every kind of checkpoint file."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import jax
import ml_dtypes
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from evalsuite.backends.base import BackendOptions
from evalsuite.backends.checkpoints.inputs import PrefixInputs
from evalsuite.backends.jax_paligemma import model
from evalsuite.backends.jax_paligemma.architecture import from_shapes
from evalsuite.backends.jax_paligemma.batches import pad
from evalsuite.backends.jax_paligemma.checkpoint import JaxCheckpoint
from evalsuite.backends.jax_paligemma.options import JaxOptions
from evalsuite.backends.tiny.checkpoint import tiny_checkpoint
from evalsuite.backends.tiny.tokenizer import IMAGE_TOKEN_ID
from evalsuite.backends.torch_hf.decoder import PrefixDecoder
from evalsuite.types import ImagePreparation, Request

FAMILIES = ["paligemma", "paligemma2"]
TOLERANCE = 1e-4  # of logits, absolute
Array = NDArray[Any]


def options_for(path: Path) -> dict[str, str]:
    return {"tokenizer": str(tiny_checkpoint())} if path.suffix == ".npz" else {}


def jax_logits(path: Path, inputs: Sequence[PrefixInputs], answers: Array, dtype: Any = np.float32) -> Array:
    """Logits after the prefix and after each token of ``answers`` (tokens, rows): (rows, 1 + tokens, vocabulary)."""
    options = options_for(path)
    checkpoint = JaxCheckpoint.open(BackendOptions(str(path), {}, options), JaxOptions.read(options))
    sizes, weights = checkpoint.sizes, checkpoint.weights().parameters(lambda array: array.astype(dtype))
    batch = pad(inputs, len(inputs), sizes.resolution)
    prefix, logits = jax.jit(partial(model.read_prefix, sizes))(weights, *batch[:4])
    written, steps = model.room(sizes, prefix, 1, len(answers)), [logits]
    read_token = jax.jit(partial(model.read_token, sizes))
    for place, tokens in enumerate(answers):
        written, logits = read_token(weights, prefix, written, tokens[:, None], place)
        steps.append(logits[:, 0])
    return np.stack(steps, axis=1)


@torch.inference_mode()
def torch_logits(backend: Any, inputs: Sequence[PrefixInputs], answers: Array) -> Array:
    decoder = PrefixDecoder(backend.model.model, backend.model.tokens_per_frame, inputs)
    steps = [decoder.start(), *(decoder.step(torch.from_numpy(tokens)) for tokens in answers)]
    return torch.stack(steps, dim=1).numpy()


@pytest.fixture(scope="module")
def inputs(torch_backend: Callable[..., Any], make_request: Callable[..., Request]) -> list[PrefixInputs]:
    """None, one and several frames, uint8 and float, short and long prompts."""
    backend = torch_backend("tiny")
    cases: list[tuple[str, Any, bool]] = [
        ("answer en how many dogs?", (1,), True),
        ("x", (2, 7), False),
        ("is it <loc0003>?", (), True),
        ("answer en " + "red dog " * 10, (6,), True),
    ]
    requests = [
        make_request(prompt, visuals, preparation=ImagePreparation(antialias=False, truncate=truncate))
        for prompt, visuals, truncate in cases
    ]
    return [backend.prepare(request).payload for request in requests]


@pytest.fixture(scope="module")
def tokens() -> Array:
    """Five tokens of an answer for each of four rows."""
    return np.random.default_rng(0).integers(300, 700, (5, 4))


@pytest.mark.parametrize("family", FAMILIES)
def test_every_step_has_the_logits_of_torch(
    family: str, torch_backend: Callable[..., Any], inputs: list[PrefixInputs], tokens: Array
) -> None:
    folder = tiny_checkpoint(family)
    expected = torch_logits(torch_backend(folder), inputs, tokens)
    found = jax_logits(folder, inputs, tokens)
    assert np.abs(expected).max() > 5  # so that the tolerance means something
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16, np.float16], ids=["f32", "bf16", "f16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_of_big_vision_has_the_logits_of_torch_with_the_same_weights(
    family: str,
    dtype: Any,
    torch_backend: Callable[..., Any],
    inputs: list[PrefixInputs],
    tokens: Array,
    big_vision_arrays: Callable[[str], dict[str, Any]],
    write_npz: Callable[..., Path],
    tmp_path: Path,
) -> None:
    """In the narrow variants the weights are rounded, for torch too; the arithmetic is float32."""
    path = write_npz(tmp_path / "model.npz", big_vision_arrays(family), dtype)
    with np.load(path) as arrays:
        assert {array.dtype.str for array in arrays.values()} == {
            "|V2" if dtype is ml_dtypes.bfloat16 else np.dtype(dtype).str
        }
    folder = rounded(tiny_checkpoint(family), tmp_path / "folder", dtype)
    expected = torch_logits(torch_backend(folder), inputs, tokens)[:, :, :IMAGE_TOKEN_ID]
    np.testing.assert_allclose(jax_logits(path, inputs, tokens), expected, rtol=0, atol=TOLERANCE)


def rounded(source: Path, folder: Path, dtype: Any) -> Path:
    shutil.copytree(source, folder)
    weights = load_file(folder / "model.safetensors")
    narrow = {name: value.astype(dtype).astype(np.float32) for name, value in weights.items()}
    save_file(narrow, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


def as_saved_by_transformers(name: str) -> str:
    """5.23 writes the language model under its old name and the vision tower under its new one."""
    return re.sub(r"^vision_tower\.vision_model\.", "vision_tower.", name)


def as_modules_are_called(name: str) -> str:
    return "model." + re.sub(r"^language_model\.model\.", "language_model.", as_saved_by_transformers(name))


@pytest.mark.parametrize("shards", [1, 2])
@pytest.mark.parametrize("rename", [as_saved_by_transformers, as_modules_are_called])
@pytest.mark.parametrize("family", FAMILIES)
def test_key_names_and_shards_do_not_matter(
    family: str, rename: Callable[[str], str], shards: int, tmp_path: Path
) -> None:
    """An output layer that repeats the tied embeddings is left alone, too."""
    folder = Path(shutil.copytree(tiny_checkpoint(family), tmp_path / "model"))
    weights = {rename(name): value for name, value in load_file(folder / "model.safetensors").items()}
    embeddings = load_file(tiny_checkpoint(family) / "model.safetensors")["language_model.model.embed_tokens.weight"]
    weights["language_model.lm_head.weight"] = embeddings
    (folder / "model.safetensors").unlink()
    places = {name: f"model-{place % shards + 1:05d}.safetensors" for place, name in enumerate(weights)}
    for file in set(places.values()):
        save_file({name: weights[name] for name, place in places.items() if place == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    assert_same_weights(folder, tiny_checkpoint(family))


def test_bfloat16_safetensors_are_read(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_checkpoint(), tmp_path / "model"))
    weights = load_file(folder / "model.safetensors")
    save_file({name: value.astype(ml_dtypes.bfloat16) for name, value in weights.items()}, folder / "model.safetensors")
    assert_same_weights(folder, rounded(tiny_checkpoint(), tmp_path / "rounded", ml_dtypes.bfloat16))


@pytest.mark.parametrize("family", FAMILIES)
def test_big_vision_and_hub_files_hold_the_same_parameters(
    family: str, big_vision_arrays: Callable[[str], dict[str, Any]], write_npz: Callable[..., Path], tmp_path: Path
) -> None:
    path = write_npz(tmp_path / "model.npz", big_vision_arrays(family))
    assert_same_weights(path, tiny_checkpoint(family))


def assert_same_weights(path: Path, other: Path) -> None:
    one, two = parameters(path), parameters(other)
    assert jax.tree.structure(one) == jax.tree.structure(two)
    for found, expected in zip(jax.tree.leaves(one), jax.tree.leaves(two), strict=True):
        np.testing.assert_array_equal(found, expected[: len(found)])


def parameters(path: Path) -> Any:
    options = options_for(path)
    checkpoint = JaxCheckpoint.open(BackendOptions(str(path), {}, options), JaxOptions.read(options))
    return checkpoint.weights().parameters(lambda array: array.astype(np.float32))


@pytest.mark.parametrize("most", [1 << 26, 4 * 4 * 60 * 7])
def test_attention_in_pieces_is_attention(
    most: int, inputs: list[PrefixInputs], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Long prefixes are attended a few queries at a time; pieces need not divide them."""
    whole = jax_logits(tiny_checkpoint(), inputs, np.zeros((0, 4), int))
    monkeypatch.setattr(model, "MAX_LOGITS", most)
    np.testing.assert_allclose(jax_logits(tiny_checkpoint(), inputs, np.zeros((0, 4), int)), whole, rtol=0, atol=2e-5)


RELEASED = {
    "3B of PaliGemma": ((18, 8, 2048, 256), 1, 257152, 256, False),
    "3B": ((26, 8, 2304, 256), 4, 257152, 256, True),
    "10B": ((42, 16, 3584, 256), 8, 257152, 256, True),
    "28B": ((46, 32, 4608, 128), 16, 257152, 144, True),
}


@pytest.mark.parametrize("resolution", [224, 448, 896])
@pytest.mark.parametrize("name", RELEASED)
def test_sizes_of_released_files_are_read_from_their_shapes(name: str, resolution: int) -> None:
    """Queries of the 28B model are scaled by its width per head (big_vision ``models/ppp/gemma.py``), not its head."""
    queries, groups, rows, divisor, second = RELEASED[name]
    layers, heads, width, size = queries
    block = "img/Transformer/encoderblock/"
    shapes = {
        "llm/embedder/input_embedding": (rows, width),
        "llm/layers/attn/q_einsum/w": queries,
        "llm/layers/attn/kv_einsum/w": (layers, 2, groups, width, size),
        "llm/layers/mlp/linear": (layers, 16384, width),
        "img/embedding/kernel": (14, 14, 3, 1152),
        "img/pos_embedding": (1, (resolution // 14) ** 2, 1152),
        f"{block}MultiHeadDotProductAttention_0/query/kernel": (27, 1152, 16, 72),
        f"{block}MlpBlock_0/Dense_0/kernel": (27, 1152, 4304),
    }
    if second:
        shapes["llm/layers/post_attention_norm/scale"] = (layers, width)
    sizes = from_shapes(name, shapes)
    assert (sizes.resolution, sizes.patch, sizes.vision_heads) == (resolution, 14, 16)
    assert (sizes.heads, sizes.kv_heads, sizes.head_dim, sizes.query_divisor) == (heads, groups, size, divisor)
    assert (sizes.attention_cap, sizes.output_cap) == ((50.0, 30.0) if second else (None, None))


def test_bfloat16_weights_give_near_logits(inputs: list[PrefixInputs]) -> None:
    none = np.zeros((0, 4), int)
    wide = jax_logits(tiny_checkpoint(), inputs, none)
    narrow = jax_logits(tiny_checkpoint(), inputs, none, ml_dtypes.bfloat16)
    assert narrow.dtype == np.float32
    assert 0.01 < np.sqrt(((narrow - wide) ** 2).mean()) < 0.3


def test_a_sliding_window_in_the_config_is_ignored(tmp_path: Path) -> None:
    sizes = [
        JaxCheckpoint.open(BackendOptions(str(tiny_checkpoint(sliding_window=window)), {}, {}), JaxOptions()).sizes
        for window in (None, 8)
    ]
    assert sizes[0] == sizes[1]
