"""The quantized CPU backend: the torch backend's logits and answers in float32, near them in fewer bits."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from evalsuite.backends.openvino_cpu.decoder import PrefixDecoder
from evalsuite.backends.tiny.checkpoint import tiny_checkpoint
from evalsuite.backends.torch_hf.decoder import PrefixDecoder as TorchDecoder
from evalsuite.types import Request

Load = Callable[..., Any]
Answers = Callable[..., list[Any]]
MODELS = ("tiny", "tiny-paligemma")


def logits(backend: Any, requests: list[Request], steps: int = 4) -> Any:
    """Of a padded batch, uncapped, (1 + steps, rows, vocabulary); the answers are fixed random tokens."""
    decoder = PrefixDecoder(backend.model, [backend.prepare(request).payload for request in requests])
    tokens = np.random.default_rng(0).integers(300, 700, (steps, len(requests)))
    return np.stack([decoder.start(), *(decoder.step(step) for step in tokens)])


def torch_logits(backend: Any, requests: list[Request], steps: int = 4) -> Any:
    payloads = [backend.prepare(request).payload for request in requests]
    tokens = np.random.default_rng(0).integers(300, 700, (steps, len(requests)))
    with torch.inference_mode():
        decoder = TorchDecoder(backend.model.model, backend.model.tokens_per_frame, payloads)
        return np.stack([decoder.start(), *(decoder.step(torch.from_numpy(step)) for step in tokens)])


@pytest.mark.parametrize("resolution", [56, 84])
@pytest.mark.parametrize("model", MODELS)
def test_in_float32_every_step_of_a_mixed_batch_has_the_logits_of_torch(
    model: str,
    resolution: int,
    cpu_backend: Load,
    torch_backend: Load,
    mixed_requests: Callable[..., list[Request]],
) -> None:
    requests, attributes = mixed_requests(), {"resolution": resolution}
    found = logits(cpu_backend(model, attributes, precision="float32"), requests)
    np.testing.assert_allclose(found, torch_logits(torch_backend(model, attributes), requests), atol=2e-4)


@pytest.mark.parametrize("beam_size", [1, 3])
@pytest.mark.parametrize("model", MODELS)
def test_in_float32_answers_and_log_probabilities_are_those_of_torch(
    model: str,
    beam_size: int,
    cpu_backend: Load,
    torch_backend: Load,
    mixed_requests: Callable[..., list[Request]],
    answers: Answers,
) -> None:
    requests = mixed_requests(max_new_tokens=12, beam_size=beam_size, log_probabilities=True)
    found = answers(cpu_backend(model, precision="float32"), requests, 4)
    expected = answers(torch_backend(model), requests, 4)
    assert [answer.text for answer in found] == [answer.text for answer in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.token_ids == theirs.token_ids
        np.testing.assert_allclose(ours.log_probabilities, theirs.log_probabilities, atol=1e-3)


def test_a_forbidden_end_is_never_chosen_and_leaves_log_probabilities_alone(
    cpu_backend: Load, mixed_requests: Callable[..., list[Request]], answers: Answers
) -> None:
    backend = cpu_backend(precision="float32")
    plain = mixed_requests(max_new_tokens=8, log_probabilities=True)
    endless = [replace(r, decoding=replace(r.decoding, forbidden=("<eos>", "<no such token>"))) for r in plain]
    found = answers(backend, endless, 4)
    assert {len(answer.token_ids) for answer in found} == {8}
    for free, bound in zip(answers(backend, plain, 4), found, strict=True):
        same = len(free.token_ids)
        assert bound.token_ids[:same] == free.token_ids
        np.testing.assert_allclose(bound.log_probabilities[:same], free.log_probabilities, atol=1e-4)


@pytest.mark.parametrize(("precision", "least"), [("bf16", 0.999), ("int8", 0.998), ("int4", 0.9)])
@pytest.mark.parametrize("model", MODELS)
def test_fewer_bits_stay_near_float32_and_weigh_less(
    model: str, precision: str, least: float, cpu_backend: Load, mixed_requests: Callable[..., list[Request]]
) -> None:
    exact, rounded = cpu_backend(model, precision="float32"), cpu_backend(model, precision=precision)
    first, second = (logits(backend, mixed_requests()) for backend in (exact, rounded))
    alike = np.corrcoef(first.ravel(), second.ravel())[0, 1]
    assert least < alike < 1
    share = rounded.model.weight_bytes / exact.model.weight_bytes
    assert share < {"bf16": 0.55, "int8": 1 / 3, "int4": 0.3}[precision]


@pytest.mark.parametrize("precision", ["int8", "int4"])
def test_the_batch_does_not_change_a_quantized_answer(
    precision: str, cpu_backend: Load, mixed_requests: Callable[..., list[Request]], answers: Answers
) -> None:
    backend, requests = cpu_backend(precision=precision), mixed_requests(max_new_tokens=12)
    alone = [answer.text for answer in answers(backend, requests, 1)]
    assert [answer.text for answer in answers(backend, requests, 9)] == alone


def test_rounded_activations_are_an_option(cpu_backend: Load, mixed_requests: Callable[..., list[Request]]) -> None:
    requests = mixed_requests()[:3]
    exact = logits(cpu_backend(precision="float32"), requests)
    for activations in ("bf16", "int8"):
        found = logits(cpu_backend(activations=activations), requests)
        assert np.isfinite(found).all() and np.corrcoef(exact.ravel(), found.ravel())[0, 1] > 0.99
        assert cpu_backend(activations=activations).describe()["activations"] == activations


def test_a_declared_sliding_window_is_ignored(
    cpu_backend: Load, mixed_requests: Callable[..., list[Request]], answers: Answers
) -> None:
    requests = mixed_requests(max_new_tokens=20)
    texts = [
        [answer.text for answer in answers(cpu_backend(tiny_checkpoint(sliding_window=window)), requests, 9)]
        for window in (None, 8)
    ]
    assert texts[0] == texts[1]


def test_the_manifest_says_how_the_weights_are_kept(cpu_backend: Load) -> None:
    facts = cpu_backend().describe()
    assert (facts["backend"], facts["precision"], facts["activations"]) == ("cpu", "int8", "float32")
    assert facts["versions"]["openvino"] and len(facts["fingerprint"]) == 64
    assert cpu_backend(precision="bf16").describe()["activations"] == "bf16"


def test_a_run_needs_no_torch(model_cache: Path, tmp_path: Path) -> None:
    script = (
        "import sys; sys.modules['torch'] = None; sys.modules['safetensors'] = None\n"
        "from evalsuite.backends import create_backend\n"
        "from evalsuite.backends.base import BackendOptions\n"
        "from evalsuite.types import Decoding, ExampleKey, Request\n"
        f"backend = create_backend('cpu', BackendOptions({str(tiny_checkpoint())!r}, {{}}, {{'threads': '1'}}))\n"
        "request = Request(ExampleKey('t', 'v', '1'), 'caption en', (), Decoding(4))\n"
        "print(len(backend.generate([backend.prepare(request)])))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


def test_checkpoints_under_other_names_in_shards_and_in_bfloat16_load_alike(
    cpu_backend: Load, mixed_requests: Callable[..., list[Request]], tmp_path: Path
) -> None:
    from safetensors.numpy import load_file
    from safetensors.torch import save_file

    def renamed(name: str) -> str:
        name = re.sub(r"^vision_tower\.vision_model\.", "vision_tower.", name)
        return "model." + re.sub(r"^language_model\.model\.", "language_model.", name)

    source = tiny_checkpoint()
    folder = Path(shutil.copytree(source, tmp_path / "model"))
    (folder / "model.safetensors").unlink()
    stored = load_file(source / "model.safetensors")
    weights = {renamed(name): torch.from_numpy(value).bfloat16() for name, value in stored.items()}
    places = {name: f"model-{place % 2 + 1:05d}-of-00002.safetensors" for place, name in enumerate(weights)}
    for file in set(places.values()):
        save_file({name: weights[name] for name in weights if places[name] == file}, folder / file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": places}))
    requests = mixed_requests()[:3]
    first, second = (logits(cpu_backend(path, precision="float32"), requests) for path in (source, folder))
    assert np.corrcoef(first.ravel(), second.ravel())[0, 1] > 0.999
