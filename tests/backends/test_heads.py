"""Embeddings and output layer: tied or not, every backend makes logits with the same tensor, or refuses the files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from evalsuite.backends import check_backend
from evalsuite.backends.base import BackendOptions
from evalsuite.backends.checkpoints.heads import EMBEDDINGS, OUTPUT, vocabulary_ends
from evalsuite.backends.checkpoints.tensors import by_plain_name, stored_tensors
from evalsuite.backends.tiny.checkpoint import tiny_checkpoint
from evalsuite.errors import BackendError
from evalsuite.types import Request

BACKENDS = ("torch", "jax", "cpu")
STORED = "language_model.model.embed_tokens.weight"
Weights = dict[str, Any]
Edited = Callable[..., Path]
Texts = Callable[[str, Path], list[str]]


def shuffled(weights: Weights) -> None:
    """An output layer of its own: that of the embeddings, each row for another token."""
    weights["lm_head.weight"] = weights[STORED][np.random.default_rng(0).permutation(len(weights[STORED]))]


def same(weights: Weights) -> None:
    weights["language_model.lm_head.weight"] = weights[STORED].copy()


def alone(weights: Weights) -> None:
    weights["lm_head.weight"] = weights.pop(STORED)


def says(top: bool | None = None, text: bool | None = None) -> Callable[[dict[str, Any]], None]:
    """``tie_word_embeddings`` at the top level of the config and in its text_config; None says nothing."""

    def change(config: dict[str, Any]) -> None:
        for part, value in ((config, top), (config["text_config"], text)):
            if value is not None:
                part["tie_word_embeddings"] = value

    return change


@pytest.fixture
def texts(
    torch_backend: Callable[..., Any],
    jax_backend: Callable[..., Any],
    cpu_backend: Callable[..., Any],
    mixed_requests: Callable[..., list[Request]],
    answers: Callable[..., list[Any]],
) -> Texts:
    """The answers of a backend in float32 to a few requests."""
    loaders = {"torch": torch_backend, "jax": jax_backend, "cpu": lambda path: cpu_backend(path, precision="float32")}

    def ask(backend: str, model: Path) -> list[str]:
        requests = mixed_requests(max_new_tokens=6)[:3]
        return [answer.text for answer in answers(loaders[backend](model), requests, 3)]

    return ask


@pytest.mark.parametrize("family", ["paligemma", "paligemma2"])
def test_an_output_layer_of_its_own_makes_the_logits_in_every_backend(
    family: str, edited: Edited, texts: Texts
) -> None:
    """Tied and untied checkpoints differ in their answers, and backends do not."""
    model = edited(shuffled, says(top=False), family)
    found = {backend: texts(backend, model) for backend in BACKENDS}
    assert found["jax"] == found["cpu"] == found["torch"] != texts("torch", tiny_checkpoint(family))


def test_the_first_logits_are_those_of_the_output_layer(
    edited: Edited, cpu_backend: Callable[..., Any], make_request: Callable[..., Request]
) -> None:
    """Row i of the shuffled layer is row p[i] of the embeddings, and so are the logits; also with weights in 8 bits."""
    from evalsuite.backends.openvino_cpu.decoder import PrefixDecoder

    order = np.random.default_rng(0).permutation(len(load_file(tiny_checkpoint() / "model.safetensors")[STORED]))
    model = edited(shuffled, says(top=False))
    for precision, tolerance in (("float32", 1e-4), ("int8", 1e-4)):
        tied, own = (cpu_backend(path, precision=precision) for path in (tiny_checkpoint(), model))
        expected, found = (
            PrefixDecoder(backend.model, [backend.prepare(make_request()).payload]).start() for backend in (tied, own)
        )
        np.testing.assert_allclose(found, expected[:, order], atol=tolerance)
        assert own.model.weight_bytes > tied.model.weight_bytes * 1.05  # two tables, where one was


def test_tied_ends_may_be_stored_once_or_twice_or_as_output_layer_alone(edited: Edited, texts: Texts) -> None:
    """As transformers 5 does: what text_config says of it does not count."""
    for config in (says(), says(top=True), says(text=True), says(text=False), says(True, False)):
        for weights in (None, same, alone):
            model = edited(weights, config)
            for backend in BACKENDS:
                check_backend(backend, BackendOptions(str(model), {}, {}))
            assert ends(model, config).tied
    expected = texts("torch", tiny_checkpoint())
    assert [texts(backend, model) for backend in BACKENDS] == [expected] * 3


def ends(model: Path, config: Callable[[dict[str, Any]], None]) -> Any:
    values: dict[str, Any] = {"text_config": {}}
    config(values)
    tensors = by_plain_name("m", stored_tensors("m", [model / "model.safetensors"]))
    return vocabulary_ends("m", values, tensors)


@pytest.mark.parametrize("backend", BACKENDS)
def test_files_that_contradict_the_config_are_refused(backend: str, edited: Edited) -> None:
    cases = [
        (
            shuffled,
            says(),
            r"differs from the embeddings, but .* \(tie_word_embeddings is not stated, which means true",
        ),
        (shuffled, says(top=True), r"\(lm_head\.weight\) that differs .* \(tie_word_embeddings: true\)"),
        (shuffled, says(top=True, text=False), r"Write tie_word_embeddings: false at the top level"),
        (None, says(top=False), r"of its own \(tie_word_embeddings: false\), but the files hold no lm_head\.weight"),
        (alone, says(top=False), r"the files hold no language_model\.embed_tokens\.weight"),
        (lambda weights: weights.pop(STORED), says(), r"hold neither .*embed_tokens\.weight nor lm_head\.weight"),
        (None, lambda config: config.update(tie_word_embeddings="no"), r"is 'no'\. It must be true or false"),
    ]
    for weights, config, message in cases:
        with pytest.raises(BackendError, match=message):
            check_backend(backend, BackendOptions(str(edited(weights, config)), {}, {}))


def test_an_untied_checkpoint_of_transformers_4_runs_untied(edited: Edited, texts: Texts) -> None:
    """There, text_config alone says so; transformers 5 keeps an output layer of other numbers apart as well."""
    model = edited(shuffled, says(text=False))
    assert ends(model, says(text=False)) == (EMBEDDINGS, OUTPUT)
    assert texts("torch", model) == texts("cpu", edited(shuffled, says(top=False)))


def test_ends_are_compared_by_their_numbers_whatever_their_types(edited: Edited) -> None:
    def narrow(weights: Weights) -> None:
        weights[STORED] = weights[STORED].astype(np.float16)
        weights["lm_head.weight"] = weights[STORED].astype(np.float64)

    assert ends(edited(narrow), says()).tied

    def last(weights: Weights) -> None:
        narrow(weights)
        weights["lm_head.weight"][-1, -1] += 1

    with pytest.raises(BackendError, match="differs from the embeddings"):
        ends(edited(last), says())


def test_pickled_weights_follow_the_same_rule(edited: Edited) -> None:
    """Their names are known only once they are loaded."""
    import torch

    from evalsuite.backends.torch_hf import create

    model = edited(shuffled)
    torch.save(
        {name: torch.from_numpy(value) for name, value in load_file(model / "model.safetensors").items()},
        model / "pytorch_model.bin",
    )
    (model / "model.safetensors").unlink()
    with pytest.raises(BackendError, match=r"lm_head\.weight and .*embed_tokens\.weight with other numbers"):
        create(BackendOptions(str(model), {}, {"allow_pickle_weights": "true", "device": "cpu"}))
