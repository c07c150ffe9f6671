"""Logits that are NaN or infinite make an error of their example, never an empty answer that scores 0."""

from __future__ import annotations

import contextlib
import importlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import evalsuite
from evalsuite.backends.base import BackendOptions
from evalsuite.backends.endings import not_finite
from evalsuite.backends.torch_hf.beam import beam_search
from evalsuite.backends.torch_hf.given import score_given
from evalsuite.backends.torch_hf.greedy import greedy
from evalsuite.errors import ExampleError
from evalsuite.types import Request

NORM = "language_model.model.norm.weight"
Weights = dict[str, Any]
Edited = Callable[..., Path]


def broken(value: float, name: str = NORM) -> Callable[[Weights], None]:
    def change(weights: Weights) -> None:
        weights[name].reshape(-1)[3] = value

    return change


@contextlib.contextmanager
def created(room: str, model: Path, **options: str) -> Iterator[Any]:
    usual = {"torch_hf": {"device": "cpu"}, "jax_paligemma": {}, "openvino_cpu": {"threads": "1"}}[room]
    backend = importlib.import_module(f"evalsuite.backends.{room}").create(
        BackendOptions(str(model), {}, {**usual, **options})
    )
    yield backend
    backend.close()


CASES = [
    (np.inf, "torch_hf", {}, "float32", (1, 2)),
    (np.nan, "jax_paligemma", {}, "float32", (1,)),
    (np.nan, "openvino_cpu", {}, "float32", (1, 2)),
    (np.inf, "openvino_cpu", {"precision": "bf16"}, "bf16", (1,)),
]


@pytest.mark.parametrize(("value", "room", "options", "computed_in", "beam_sizes"), CASES)
def test_weights_that_are_not_finite_make_errors_greedy_and_with_beams(
    value: float, room: str, options: dict[str, str], computed_in: str, beam_sizes: tuple[int, ...], edited: Edited,
    make_request: Callable[..., Request], answers: Callable[..., list[Any]],
) -> None:  # fmt: skip
    """Also in openvino's 16 bits, where its own compression makes other numbers of them."""
    with created(room, edited(broken(value)), **options) as backend:
        for beams in beam_sizes:
            found = answers(backend, [make_request(beam_size=beams), make_request("x", (2,), beam_size=beams)], 2)
            assert [(answer.text, answer.ended) for answer in found] == [("", None)] * 2
            assert {answer.error for answer in found} == {not_finite(computed_in)}


def test_an_overflow_of_float16_is_told_with_the_way_out(
    edited: Edited, make_request: Callable[..., Request], answers: Callable[..., list[Any]]
) -> None:
    def large(weights: Weights) -> None:
        for name in weights:
            if "post_feedforward" in name:
                weights[name] += 5e4

    model = edited(large)
    with created("torch_hf", model, dtype="float16") as backend:
        (answer,) = answers(backend, [make_request()], 1)
        assert "computed in float16" in answer.error and "use --dtype bfloat16" in answer.error
        with pytest.raises(ExampleError, match=r"task/val/.*: the model's logits are NaN or infinite"):
            backend.score_answers([backend.prepare(make_request())], [["yes"]])
    with created("torch_hf", model, dtype="bfloat16") as backend:
        (answer,) = answers(backend, [make_request()], 1)
        assert answer.error is None and answer.token_ids


def test_a_run_stops_at_its_error_budget_and_says_why(edited: Edited, tmp_path: Path) -> None:
    result = evalsuite.run("docvqa", model=str(edited(broken(np.nan))), limit=3, out=tmp_path / "out")
    assert not result.ok
    assert "3 of 3 examples of split validation failed, more than --max-errors" in result.failures["docvqa"]
    assert "NaN or infinite" in result.failures["docvqa"] and "--dtype bfloat16" in result.failures["docvqa"]


# --- the decoders, over tables of logits -----------------------------------------------------------------------------


class Table:
    """A decoder whose logits are written down: (rows, steps, vocabulary). Token 0 ends."""

    def __init__(self, logits: Any) -> None:
        self.logits, self.place = torch.tensor(logits, dtype=torch.float32), 0
        self.rows = torch.arange(len(self.logits))

    def start(self) -> torch.Tensor:
        return self.logits[:, 0]

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        self.place += 1
        return self.logits[self.rows, self.place]

    def keep(self, rows: torch.Tensor) -> None:
        self.rows = self.rows[rows]

    def log_softmax(self, logits: torch.Tensor) -> torch.Tensor:
        return torch.tanh(logits).log_softmax(-1)  # a soft cap makes finite numbers of infinite ones


NAN, INF = float("nan"), float("inf")
GOES_ON, ENDS = [0.0, 1.0, 0.5], [2.0, 1.0, 0.5]


@pytest.mark.parametrize("wrong", [[NAN] * 3, [0.0, NAN, 1.0], [0.0, INF, 1.0], [0.0, -INF, 1.0], [-INF] * 3])
def test_greedy_blames_the_row_alone_and_only_while_it_runs(wrong: list[float]) -> None:
    """Rows: one that is whole, one that breaks at its second step, one that ended before it breaks."""
    table = [[GOES_ON, GOES_ON, ENDS], [GOES_ON, wrong, wrong], [ENDS, wrong, wrong]]
    found = greedy(Table(table), 3, 0)
    assert [answer.finite for answer in found] == [True, False, True]
    assert [(answer.token_ids, answer.ended) for answer in (found[0], found[2])] == [((1, 1), "end"), ((), "end")]
    alone = [greedy(Table([row]), 3, 0)[0] for row in table]
    assert [answer.finite for answer in alone] == [True, False, True]


@pytest.mark.parametrize("wrong", [[NAN] * 3, [0.0, INF, 1.0], [0.0, -INF, 1.0]])
def test_beams_and_given_answers_blame_the_row_alone(wrong: list[float]) -> None:
    table = [[GOES_ON, GOES_ON, ENDS], [GOES_ON, wrong, wrong]]
    assert [answer.finite for answer in beam_search(Table(table), 2, 3, 0)] == [True, False]
    whole, spoiled = score_given(Table(table), [[(1, 1, 0)], [(1, 1, 0)]])
    assert np.isfinite(whole).all()
    assert np.isfinite(spoiled[0][0]) and np.isnan(spoiled[0][1:]).all()


def test_a_row_that_is_not_finite_ends_at_once() -> None:
    """Without that it would run to its budget, every step for nothing."""
    table = Table([[[NAN] * 3] * 50])
    greedy(table, 50, 0)
    assert table.place == 0


@pytest.mark.parametrize("beams", [1, 2])
def test_other_models_are_watched_too(
    beams: int, make_request: Callable[..., Request], tmp_path: Path, load_module: Callable[[Path], Any]
) -> None:
    """A tiny LLaVA whose output layer has one NaN, or forbids a token by -infinity, which is none."""
    from safetensors.torch import load_file, save_file

    from evalsuite.backends.torch_hf import create

    build = load_module(Path(__file__).with_name("test_torch_chat.py")).build_llava
    for name, value, fails in (("broken", NAN, True), ("forbidding", None, False)):
        model = build(tmp_path / name)
        if value is not None:
            weights = load_file(model / "model.safetensors")
            (head,) = (key for key in weights if key.endswith("lm_head.weight"))
            weights[head][5, 0] = value
            save_file(weights, model / "model.safetensors", metadata={"format": "pt"})
        else:
            settings = json.loads((model / "generation_config.json").read_text())
            settings |= {"suppress_tokens": [5], "remove_invalid_values": True}
            (model / "generation_config.json").write_text(json.dumps(settings))
        backend = create(BackendOptions(str(model), {}, {"device": "cpu"}))
        (answer,) = backend.generate([backend.prepare(make_request(max_new_tokens=3, beam_size=beams))])
        backend.close()
        assert (answer.error == not_finite("float32")) == fails
        assert answer.ended == (None if fails else "length")
