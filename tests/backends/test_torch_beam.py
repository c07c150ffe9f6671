"""Beam search by big_vision's rule, against a literal transcription of it and against exhaustive search."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from evalsuite.backends.torch_hf.beam import beam_search
from evalsuite.types import Request

END = 0
VOCABULARY = 5


class Toy:
    """A random language model without weights: log-probabilities depend on the whole history of a row."""

    def __init__(self, seeds: Sequence[int], end_bias: float = 0.0) -> None:
        self.histories: list[tuple[int, ...]] = [(seed,) for seed in seeds]
        self.end_bias = end_bias

    def logits(self, history: tuple[int, ...]) -> torch.Tensor:
        logits = 2 * torch.randn(VOCABULARY, generator=torch.Generator().manual_seed(hash(history) % 2**31))
        logits[END] += self.end_bias
        return logits

    def start(self) -> torch.Tensor:
        return torch.stack([self.logits(history) for history in self.histories])

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        pairs = zip(self.histories, tokens.tolist(), strict=True)
        self.histories = [(*history, token) for history, token in pairs]
        return self.start()

    def keep(self, rows: torch.Tensor) -> None:
        self.histories = [self.histories[row] for row in rows.tolist()]

    def log_softmax(self, logits: torch.Tensor) -> torch.Tensor:
        return logits.log_softmax(-1)

    def score(self, seed: int, tokens: Sequence[int]) -> float:
        """Sum of log-probabilities of ``tokens``, and of the end after them."""
        total = 0.0
        history: tuple[int, ...] = (seed,)
        for token in (*tokens, END):
            total += self.logits(history).log_softmax(-1)[token].item()
            history = (*history, token)
        return total


def exhaustive(toy: Toy, seed: int, budget: int) -> tuple[int, ...]:
    """The likeliest of all sequences that end within the budget."""
    others = [token for token in range(VOCABULARY) if token != END]
    sequences = [s for length in range(budget) for s in itertools.product(others, repeat=length)]
    return max(sequences, key=lambda tokens: toy.score(seed, tokens))


def transcribed(toy: Toy, seed: int, beam: int, budget: int) -> tuple[int, ...]:
    """The rule in its plainest form, one example, no batching."""
    live: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    best: tuple[float, tuple[int, ...]] = (float("-inf"), ())
    for _ in range(budget):
        grown = []
        for score, tokens in live:
            values = toy.logits((seed, *tokens)).log_softmax(-1).tolist()
            best = max(best, (score + values[END], tokens), key=lambda item: item[0])
            ranked = sorted(range(VOCABULARY), key=lambda token: -values[token])[: beam + 1]
            grown += [(score + values[token], (*tokens, token)) for token in ranked if token != END]
        live = sorted(grown, key=lambda item: -item[0])[:beam]
        if live[0][0] < best[0]:
            break
    return best[1]


def search(toy: Toy, beam: int, budget: int) -> list[tuple[int, ...]]:
    return [answer.token_ids for answer in beam_search(toy, beam, budget, END)]


@pytest.mark.parametrize("end_bias", [-3.0, 0.0, 1.0])
def test_a_beam_as_wide_as_the_tree_finds_the_likeliest_sequence(end_bias: float) -> None:
    seeds = list(range(12))
    found = search(Toy(seeds, end_bias), beam=4**3, budget=4)
    assert found == [exhaustive(Toy(seeds, end_bias), seed, 4) for seed in seeds]


@pytest.mark.parametrize("beam", [1, 2, 3])
@pytest.mark.parametrize("end_bias", [-3.0, 0.0, 1.0])
def test_a_narrow_beam_follows_the_rule(beam: int, end_bias: float) -> None:
    seeds = list(range(40))
    found = search(Toy(seeds, end_bias), beam, budget=9)
    assert found == [transcribed(Toy(seeds, end_bias), seed, beam, 9) for seed in seeds]


def test_widths_find_different_answers() -> None:
    """Shows that the toy model can tell a wrong width."""
    seeds = list(range(40))
    widths = [tuple(search(Toy(seeds, -3.0), beam, budget=9)) for beam in (1, 2, 3, 8)]
    assert len(set(widths)) == 4


def test_the_batch_does_not_matter() -> None:
    seeds = list(range(20))
    assert search(Toy(seeds), 3, 8) == [search(Toy([seed]), 3, 8)[0] for seed in seeds]


@pytest.mark.parametrize("budget", [1, 2, 3])
def test_the_answer_always_ends_within_the_budget(budget: int) -> None:
    """Even where the end is unlikely: unfinished hypotheses are never returned."""
    toy = Toy(range(20), end_bias=-8.0)
    assert all(len(tokens) <= budget - 1 for tokens in search(toy, 2, budget))


def test_short_answers_are_not_compensated_for() -> None:
    """The plain sum prefers the empty answer once its end is likelier than any continuation with its end."""

    class Two(Toy):
        def logits(self, history: tuple[int, ...]) -> torch.Tensor:
            first = len(history) == 1
            return torch.tensor([0.45, 0.55, 0, 0, 0] if first else [0.8, 0.2, 0, 0, 0]).log()

    assert search(Two([0]), 2, 8) == [()]
    assert search(Two([0]), 1, 8) == [()]


def test_log_probabilities_are_those_of_the_answers_tokens() -> None:
    toy = Toy(range(8), end_bias=-2.0)
    for seed, answer in enumerate(beam_search(toy, 3, 8, END, log_probabilities=True)):
        history: tuple[int, ...] = (seed,)
        assert answer.log_probabilities is not None and len(answer.log_probabilities) == len(answer.token_ids)
        for token, value in zip(answer.token_ids, answer.log_probabilities, strict=True):
            assert value == pytest.approx(toy.logits(history).log_softmax(-1)[token].item(), abs=1e-5)
            history = (*history, token)


@pytest.mark.parametrize("name", ["tiny", "tiny-paligemma"])
def test_a_models_beam_answers_do_not_depend_on_the_batch(
    name: str, torch_backend: Callable[..., Any], mixed_requests: Callable[..., list[Request]], answers: Any
) -> None:
    backend, requests = torch_backend(name), mixed_requests(beam_size=3, max_new_tokens=16)
    alone = [answer.token_ids for answer in answers(backend, requests, 1)]
    assert [answer.token_ids for answer in answers(backend, requests, 9)] == alone


@torch.inference_mode()
def test_a_models_beam_answer_is_at_least_as_likely_as_its_greedy_one(
    torch_backend: Callable[..., Any], mixed_requests: Callable[..., list[Request]]
) -> None:
    """Where greedy ends by itself, a wide beam must find something no less likely, its end counted."""
    from evalsuite.backends.torch_hf.decoder import PrefixDecoder
    from evalsuite.backends.torch_hf.greedy import greedy

    backend = torch_backend()
    inputs = [backend.prepare(request).payload for request in mixed_requests()]

    def likelihood(payload: Any, tokens: Sequence[int]) -> float:
        decoder = PrefixDecoder(backend.model.model, 16, [payload])
        logits, total = decoder.start(), 0.0
        for token in tokens:
            total += decoder.log_softmax(logits)[0, token].item()
            logits = decoder.step(torch.tensor([token]))
        return total + decoder.log_softmax(logits)[0, 1].item()

    for payload in inputs:
        plain = greedy(PrefixDecoder(backend.model.model, 16, [payload]), 40, 1)[0].token_ids
        wide = beam_search(PrefixDecoder(backend.model.model, 16, [payload]), 8, 40, 1)[0].token_ids
        assert len(plain) == 40 or likelihood(payload, wide) >= likelihood(payload, plain) - 1e-4
