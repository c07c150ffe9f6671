"""Quantized weights of the torch backend: close to float, and still independent of the batch."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import Any

import pytest
import torch

from evalsuite.backends.base import BackendOptions
from evalsuite.backends.torch_hf import check
from evalsuite.backends.torch_hf.decoder import PrefixDecoder
from evalsuite.errors import MissingDependency, UsageError
from evalsuite.types import Request

Load = Callable[..., Any]
Requests = Callable[..., list[Request]]


def options(**values: str) -> BackendOptions:
    return BackendOptions("tiny", {}, values)


@pytest.fixture(params=["int8", "int4"])
def quantization(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@torch.inference_mode()
def test_logits_stay_close_and_the_weights_shrink(
    quantization: str, torch_backend: Load, mixed_requests: Requests
) -> None:
    requests = mixed_requests()[:3]
    logits = []
    for kind in ("none", quantization):
        backend = torch_backend("tiny", quantization=kind)
        payloads = [backend.prepare(request).payload for request in requests]
        logits.append(PrefixDecoder(backend.model.model, backend.model.tokens_per_frame, payloads).start())
    spread = logits[0].std()
    alike = torch.corrcoef(torch.stack([part.flatten() for part in logits]))[0, 1]
    least = {"int8": 0.99, "int4": 0.6}[quantization]  # of random weights; trained ones lose far less
    assert least < alike < 1 and spread > 0
    layer = torch_backend("tiny", quantization=quantization).model.model.model.language_model.layers[0].mlp.up_proj
    assert "Int8" in type(layer.weight).__name__ or "4bit" in type(layer.weight).__name__


def test_the_batch_does_not_change_a_quantized_answer(
    quantization: str, torch_backend: Load, mixed_requests: Requests, answers: Callable[..., list[Any]]
) -> None:
    backend, requests = torch_backend("tiny", quantization=quantization), mixed_requests(max_new_tokens=6)[:5]
    alone = [answer.text for answer in answers(backend, requests, 1)]
    assert [answer.text for answer in answers(backend, requests, 5)] == alone


def test_the_manifest_says_how_the_weights_are_kept(quantization: str, torch_backend: Load) -> None:
    assert torch_backend("tiny", quantization=quantization).describe()["quantization"] == quantization
    assert torch_backend("tiny").describe()["quantization"] == "none"


def test_a_missing_package_is_named_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec
    absent = ("torchao", "bitsandbytes", "accelerate")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *a: None if name in absent else found(name, *a))
    for values in ({"quantization": "int8"}, {"quantization": "int4"}, {"device_map": "auto"}):
        with pytest.raises(MissingDependency, match=r"evalsuite\[quantized\]"):
            check(options(**values))
    check(options())


def test_an_unknown_quantization_is_refused() -> None:
    with pytest.raises(UsageError, match="quantization='int9' is not valid"):
        check(options(quantization="int9"))
