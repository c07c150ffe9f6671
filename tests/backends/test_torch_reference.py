"""The torch backend against a forward pass written out in numpy, and checkpoints in every form they come in."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evalsuite.backends import torch_hf
from evalsuite.backends.base import BackendOptions
from evalsuite.backends.tiny.checkpoint import tiny_checkpoint
from evalsuite.backends.torch_hf.decoder import PrefixDecoder, PrefixInputs
from evalsuite.types import ImagePreparation, Request

FAMILIES = ["paligemma", "paligemma2"]
Weights = dict[str, Any]
REFERENCE = Path(__file__).with_name("reference_model.py")


def load_weights(folder: Path) -> Weights:
    from safetensors.numpy import load_file

    weights: Weights = load_file(folder / "model.safetensors")
    return weights


@torch.inference_mode()
@pytest.mark.parametrize("family", FAMILIES)
def test_every_step_of_a_mixed_batch_has_the_logits_of_the_written_out_model(
    family: str,
    torch_backend: Callable[..., Any],
    make_request: Callable[..., Request],
    clip: Any,
    load_module: Callable[[Path], Any],
) -> None:
    """Frames in uint8 and float, none and several, short and long prompts, in one padded batch with its cache."""
    folder = tiny_checkpoint(family)
    backend = torch_backend(folder)
    cases = [
        ("answer en how many dogs?", (1,), True),
        ("x", (clip(2, 4),), False),
        ("is it <loc0003>?", (), True),
        ("caption en", (3, 4, 5), True),
        ("answer en " + "red dog " * 20, (6,), True),
    ]
    requests = [
        make_request(prompt, visuals, preparation=ImagePreparation(antialias=False, truncate=truncate))
        for prompt, visuals, truncate in cases
    ]
    payloads = [backend.prepare(request).payload for request in requests]
    decoder = PrefixDecoder(backend.model.model, backend.model.tokens_per_frame, payloads)
    answers = torch.randint(300, 700, (5, len(cases)), generator=torch.Generator().manual_seed(0))
    steps = [decoder.start(), *(decoder.step(tokens) for tokens in answers)]

    weights = {name: values.astype(np.float64) for name, values in load_weights(folder).items()}
    config, model = json.loads((folder / "config.json").read_text()), load_module(REFERENCE)
    for row, payload in enumerate(payloads):
        pixels = () if payload.pixels is None else payload.pixels
        expected = model.logits(weights, config, pixels, payload.token_ids, answers[:, row].tolist())
        found = np.stack([logits[row].numpy() for logits in steps])
        np.testing.assert_allclose(found, expected, atol=2e-4)


def probe(folder: Path) -> torch.Tensor:
    """Logits of one fixed prompt with two images."""
    backend = torch_hf.create(BackendOptions(str(folder), {}, {"device": "cpu", "threads": "1"}))
    pixels = np.random.default_rng(0).integers(0, 256, (2, 56, 56, 3), dtype=np.uint8)
    model: Any = backend.model
    with torch.inference_mode():
        decoder = PrefixDecoder(model.model, model.tokens_per_frame, [PrefixInputs((2, 300, 400, 260), pixels)])
        return torch.stack([decoder.start(), decoder.step(torch.tensor([500]))])


def as_saved_by_transformers(weights: Weights) -> Weights:
    """5.23 writes the language model under its old name and the vision tower under its new one."""
    return {re.sub(r"^vision_tower\.vision_model\.", "vision_tower.", name): value for name, value in weights.items()}


def as_modules_are_called(weights: Weights) -> Weights:
    renamed = as_saved_by_transformers(weights).items()
    return {"model." + re.sub(r"^language_model\.model\.", "language_model.", name): value for name, value in renamed}


def with_an_output_layer(weights: Weights) -> Weights:
    """Some checkpoints store the tied output weights a second time."""
    return {**weights, "language_model.lm_head.weight": weights["language_model.model.embed_tokens.weight"].copy()}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("names", [dict, as_saved_by_transformers, as_modules_are_called, with_an_output_layer])
def test_the_same_weights_under_other_names_or_in_shards_give_the_same_logits(
    names: Callable[[Weights], Weights], shards: int, family: str, tmp_path: Path
) -> None:
    weights = names(load_weights(tiny_checkpoint(family)))
    folder = Path(shutil.copytree(tiny_checkpoint(family), tmp_path / "model"))
    write_shards(folder, weights, shards)
    torch.testing.assert_close(probe(folder), probe(tiny_checkpoint(family)), atol=1e-4, rtol=1e-5)


def write_shards(folder: Path, weights: Mapping[str, Any], shards: int) -> None:
    from safetensors.numpy import save_file

    (folder / "model.safetensors").unlink()
    if shards == 1:
        save_file(dict(weights), folder / "model.safetensors", metadata={"format": "pt"})
        return
    places = {name: f"model-{place % shards + 1:05d}-of-{shards:05d}.safetensors" for place, name in enumerate(weights)}
    for file in set(places.values()):
        part = {name: weights[name] for name, place in places.items() if place == file}
        save_file(part, folder / file, metadata={"format": "pt"})
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": places}))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_checkpoint_saved_by_transformers_gives_the_same_logits(family: str, tmp_path: Path) -> None:
    import transformers

    auto: Any = transformers.AutoModelForImageTextToText
    auto.from_pretrained(tiny_checkpoint(family)).save_pretrained(tmp_path, max_shard_size="400KB")
    for name in ("tokenizer.json", "tokenizer_config.json", "preprocessor_config.json"):
        shutil.copy(tiny_checkpoint(family) / name, tmp_path)
    torch.testing.assert_close(probe(tmp_path), probe(tiny_checkpoint(family)), atol=1e-4, rtol=1e-5)
