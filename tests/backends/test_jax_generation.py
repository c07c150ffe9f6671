"""Generation with the jax backend: equal to torch, few compilations, several devices."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

from evalsuite.backends.base import BackendOptions
from evalsuite.backends.jax_paligemma.batches import padded_rows, padded_text
from evalsuite.backends.jax_paligemma.decoding import Finished, Rule, Search, answers, choose
from evalsuite.backends.jax_paligemma.model import Written
from evalsuite.backends.jax_paligemma.programs import FIRST_ROOM
from evalsuite.backends.torch_hf.beam import beam_search
from evalsuite.data.synthetic import SyntheticSource
from evalsuite.engine.batching import BatchSizer, pack
from evalsuite.engine.preparing import prepare_ahead
from evalsuite.types import Decoding, ExampleKey, Request

MODELS = ["tiny", "tiny-paligemma"]
Load = Callable[..., Any]
Requests = Callable[..., list[Request]]
Answers = Callable[..., list[Any]]


def through_the_engine(backend: Any, requests: Sequence[Request]) -> dict[str, str]:
    """Texts by example, prepared ahead and packed as in a run."""
    batches = pack(prepare_ahead(requests, backend, workers=2), BatchSizer.of(backend.limits))
    return {answer.key.id: answer.text for batch in batches for answer in backend.generate(batch)}


@pytest.mark.parametrize("model", MODELS)
def test_200_synthetic_examples_get_the_text_that_torch_gives(
    model: str, jax_backend: Load, torch_backend: Load
) -> None:
    records = SyntheticSource("vqa_ten_answers", {}, 200).records("validation")
    requests = [
        Request(
            ExampleKey("vqa", "validation", str(number)),
            f"answer en {record['question']}",
            (record["image"],),
            Decoding(12),
        )
        for number, record in enumerate(records)
    ]
    expected = through_the_engine(torch_backend(model), requests)
    assert len(expected) == 200 and len(set(expected.values())) > 20
    assert through_the_engine(jax_backend(model), requests) == expected


@pytest.mark.parametrize(
    ("model", "settings"), [("tiny", {}), ("tiny", {"beam_size": 3}), ("tiny-paligemma", {"beam_size": 2})]
)
def test_tokens_and_log_probabilities_are_those_of_torch(
    model: str, settings: dict[str, int], jax_backend: Load, torch_backend: Load, mixed_requests: Requests
) -> None:
    """In one batch: none, one and several frames, short and long prompts."""
    requests = mixed_requests(max_new_tokens=20, log_probabilities=True, **settings)
    ours, theirs = (
        backend.generate([backend.prepare(request) for request in requests])
        for backend in (jax_backend(model), torch_backend(model))
    )
    for found, expected in zip(ours, theirs, strict=True):
        assert (found.key, found.text, found.token_ids) == (expected.key, expected.text, expected.token_ids)
        assert found.log_probabilities == pytest.approx(expected.log_probabilities, abs=2e-4)


def test_long_answers_get_more_room(
    jax_backend: Load, torch_backend: Load, mixed_requests: Requests, answers: Answers
) -> None:
    requests = mixed_requests(max_new_tokens=150)
    found = [answer.token_ids for answer in answers(jax_backend(), requests, 9)]
    assert max(map(len, found)) > FIRST_ROOM
    assert found == [answer.token_ids for answer in answers(torch_backend(), requests, 9)]


@pytest.mark.parametrize("budget", [1, 2, 7])
def test_the_budget_counts_new_tokens_and_their_end(
    budget: int, jax_backend: Load, mixed_requests: Requests, answers: Answers
) -> None:
    full = answers(jax_backend(), mixed_requests(max_new_tokens=20), 9)
    short = answers(jax_backend(), mixed_requests(max_new_tokens=budget), 9)
    assert [answer.token_ids for answer in short] == [answer.token_ids[:budget] for answer in full]


def test_forbidden_tokens_are_never_chosen_and_keep_their_share(
    jax_backend: Load, torch_backend: Load, make_request: Callable[..., Request]
) -> None:
    request = make_request(max_new_tokens=10, log_probabilities=True)
    first = jax_backend().tokenizer.text(answer_of(jax_backend(), request).token_ids[:1])
    names = ("<eos>", f"▁{first.strip()}", "<loc0148>", "no such token")
    banned = Request(request.key, request.prompt, request.visuals, Decoding(10, 1, True, names))
    found, expected = answer_of(jax_backend(), banned), answer_of(torch_backend(), banned)
    assert len(found.token_ids) == 10 and found.token_ids == expected.token_ids
    assert found.token_ids[0] != answer_of(jax_backend(), request).token_ids[0]
    assert found.log_probabilities == pytest.approx(expected.log_probabilities, abs=2e-4)


def answer_of(backend: Any, request: Request) -> Any:
    """The answer to a request that shares its batch, in a shape that other tests use too."""
    return backend.generate([backend.prepare(request)] * 5)[0]


def test_a_run_compiles_a_handful_of_programs(make_request: Callable[..., Request], jax_backend: Load) -> None:
    """Two for a shape. Budgets, forbidden tokens, prompts of like length and partly filled batches add none."""
    backend = jax_backend(batch_size="16", max_batch_cost="100000")  # an instance of its own
    before = backend.programs.compiled

    def ask(count: int, words: int = 1, **settings: Any) -> int:
        requests = [make_request("dog " * words, (seed,), **settings) for seed in range(count)]
        backend.generate([backend.prepare(request) for request in requests])
        return int(backend.programs.compiled - before)

    assert ask(16, max_new_tokens=3) == 2
    assert [ask(5), ask(9, max_new_tokens=30), ask(12, words=20), ask(16, log_probabilities=True)] == [2, 2, 2, 2]
    assert ask(16, words=40) == 4  # a longer prompt
    assert "compiled" not in json.dumps(backend.describe())


def test_sizes_are_few_and_hold_what_they_must() -> None:
    assert sorted({padded_rows(count, 1, 10_000) for count in range(1, 65)}) == [1, 4, 16, 64]
    assert sorted({padded_rows(count, 8, 10_000) for count in range(1, 65)}) == [8, 32, 128]
    assert {padded_text(count) for count in range(1, 129)} == {32, 64, 128}
    assert all(padded_rows(count, 1, 10_000) >= count for count in range(1, 200))


def test_padding_stays_within_what_is_affordable() -> None:
    """Rows that do not count take memory too: after a batch did not fit, its half must be padded to less."""
    assert padded_rows(5, 1, affordable=16) == 16
    assert padded_rows(5, 1, affordable=15) == 8
    assert padded_rows(3, 2, affordable=1) == 4


def test_the_memory_of_a_step_is_handed_to_the_next(
    jax_backend: Load, make_request: Callable[..., Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = jax_backend().programs
    given, extend = [], programs._extend
    monkeypatch.setattr(programs, "_extend", lambda *arguments: (given.append(arguments), extend(*arguments))[1])
    answer_of(jax_backend(), make_request())
    _, _, prefix, search, *_ = given[0]
    assert all(array.is_deleted() for array in (search.tokens, *search.written.keys, *search.written.values))
    assert not any(array.is_deleted() for array in prefix.keys)


TWO_DEVICES = """
import json, sys
from evalsuite.backends import create_backend
from evalsuite.backends.base import BackendOptions
from evalsuite.data.synthetic import SyntheticSource
from evalsuite.types import Decoding, ExampleKey, Request

backend = create_backend("jax", BackendOptions("tiny", {}, {"devices": "2", "compilation_cache": sys.argv[1]}))
shardings, start = [], backend.programs._start

def watched(*arguments):
    prefix, search = start(*arguments)
    shardings.append([(list(a.sharding.spec), len(a.addressable_shards))
                      for a in (prefix.keys[0], search.written.keys[0])])
    return prefix, search

backend.programs._start = watched
answers = []
for beams in (1, 2):
    records = SyntheticSource("vqa_ten_answers", {}, 7).records("validation")
    requests = [
        Request(ExampleKey("t", "s", str(n)), record["question"], (record["image"],), Decoding(8, beams))
        for n, record in enumerate(records)
    ]
    answers += [answer.token_ids for answer in backend.generate([backend.prepare(request) for request in requests])]
limit, device = backend.limits.max_examples, backend.describe()["device"]
print(json.dumps({"answers": answers, "limit": limit, "shardings": shardings, "device": device}))
"""


def test_a_batch_is_spread_over_the_local_devices(jax_backend: Load, tmp_path: Path) -> None:
    """On two virtual ones, with beams too; and compiled programs are kept for the next process."""
    environment = {**os.environ, "XLA_FLAGS": "--xla_force_host_platform_device_count=2", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-c", TWO_DEVICES, str(tmp_path / "programs")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["limit"] == 32 and result["device"] == "cpu"
    assert result["shardings"] == [[[["rows"], 2]] * 2] * 2
    assert list((tmp_path / "programs").iterdir())
    backend, expected = jax_backend(), []
    for beams in (1, 2):
        records = SyntheticSource("vqa_ten_answers", {}, 7).records("validation")
        requests = [
            Request(ExampleKey("t", "s", str(n)), record["question"], (record["image"],), Decoding(8, beams))
            for n, record in enumerate(records)
        ]
        expected += [answer.token_ids for answer in backend.generate([backend.prepare(item) for item in requests])]
    assert [tuple(ids) for ids in result["answers"]] == expected


class Chain:
    """A random language model in which a token depends on the one before it; one row per seed."""

    VOCABULARY, END = 6, 0

    def __init__(self, seeds: Sequence[int], end_bias: float) -> None:
        tables = [np.random.default_rng(seed).normal(0, 2, (self.VOCABULARY, self.VOCABULARY)) for seed in seeds]
        self.tables = np.stack(tables).astype(np.float32)
        self.tables[:, :, self.END] += end_bias
        self.rows = np.arange(len(seeds))

    def start(self) -> torch.Tensor:
        return torch.from_numpy(self.tables[self.rows, 0])

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.tables[self.rows, tokens.numpy()])

    def keep(self, rows: torch.Tensor) -> None:
        self.rows = self.rows[rows.numpy()]

    def log_softmax(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.log_softmax(-1)


@pytest.mark.parametrize("beams", [2, 3])
@pytest.mark.parametrize("end_bias", [-3.0, 0.0, 1.0])
def test_beams_follow_the_rule_of_the_torch_backend(beams: int, end_bias: float) -> None:
    """On 60 random chains, whose answers end at different steps or only with the budget."""
    seeds, budget = list(range(60)), 9
    expected = beam_search(Chain(seeds, end_bias), beams, budget, Chain.END, log_probabilities=True)
    found = answers(search_chain(Chain(seeds, end_bias), beams, budget), Chain.END)
    assert len({len(answer.token_ids) for answer in expected}) > 2
    for ours, theirs in zip(found, expected, strict=True):
        assert (ours.token_ids, ours.ended, ours.finite) == (theirs.token_ids, theirs.ended, True)
        assert ours.scores == pytest.approx(theirs.log_probabilities, abs=1e-5)
    assert {answer.ended for answer in expected} == {"end", "length"}


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("beams", [1, 3])
def test_a_row_whose_logits_are_not_finite_is_broken_and_leaves_the_others_alone(beams: int, wrong: float) -> None:
    """One number of one row is wrong, that after the first token of its answer."""
    chain, whole = Chain([0, 1, 2], -3.0), Chain([0, 1, 2], -3.0)
    first = int(whole.tables[1, 0].argmax())
    chain.tables[1, first, 4] = wrong
    found, expected = (answers(search_chain(given, beams, 6), Chain.END) for given in (chain, whole))
    assert [answer.finite for answer in found] == [True, False, True]
    assert found[::2] == expected[::2]


def search_chain(chain: Chain, beams: int, budget: int) -> Search:
    """The loop of ``decoding.extend`` written out, with the chain in place of the model."""
    sizes: Any = type("NoCap", (), {"output_cap": None})
    count, none = len(chain.tables), jnp.zeros(0, bool)
    empty, ids = jnp.zeros((count, beams, budget)), jnp.zeros((count, beams, budget), jnp.int32)
    live = jnp.full((count, beams), -jnp.inf).at[:, 0].set(0.0)
    finished = Finished(live, jnp.full(count, -jnp.inf), ids[:, 0], empty[:, 0], jnp.zeros(count, jnp.int32))
    search = Search(jnp.int32(0), jnp.ones(count, bool), jnp.zeros(count, bool), ids, empty, Written([], []), finished)
    step = jax.jit(lambda search, logits: choose(sizes, Rule(Chain.END, beams), search, logits, none))
    last = np.zeros((count, beams), int)
    while int(search.place) < budget and bool(search.active.any()):
        search = step(search, jnp.asarray(chain.tables[np.arange(count)[:, None], last]))
        last = np.asarray(search.tokens)[:, :, int(search.place) - 1]
    return search


def test_a_checkpoint_of_big_vision_answers_as_the_folder_does(
    jax_backend: Load,
    big_vision_arrays: Callable[[str], dict[str, Any]],
    write_npz: Callable[..., Path],
    tmp_path: Path,
    make_request: Callable[..., Request],
    answers: Answers,
) -> None:
    from evalsuite.backends import create_backend
    from evalsuite.backends.tiny.checkpoint import tiny_checkpoint

    path = write_npz(tmp_path / "model.npz", big_vision_arrays("paligemma2"))
    options = BackendOptions(str(path), {"resolution": 56}, {"tokenizer": str(tiny_checkpoint())})
    backend = create_backend("jax", options)
    requests = [make_request(f"what is {word}?", (seed,)) for seed, word in enumerate(["this", "red", "on", "a", "x"])]
    texts = [answer.text for answer in answers(backend, requests, 5)]
    assert texts == [answer.text for answer in answers(jax_backend(), requests, 5)]
    facts = backend.describe()
    assert (facts["family"], facts["resolution"], facts["tokens_per_frame"]) == ("paligemma2", 56, 16)
    assert facts["tokenizer"] and facts["fingerprint"] != jax_backend().describe()["fingerprint"]
    backend.close()
