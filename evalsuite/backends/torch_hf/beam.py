"""Beam search by the rule the papers' captioning numbers were made with.

big_vision ``trainers/proj/paligemma/predict_fns.py``: a hypothesis scores the plain sum of its log-softmax values,
without length normalisation. At each step every live hypothesis is also tried with end-of-sequence, and the single
best finished one is kept. Each live one is expanded with its best beam + 1 tokens, end-of-sequence excluded, and the
best ``beam`` of all stay. An example is done when its best live score falls below its finished one, since scores
only fall. The first step has one hypothesis. The answer is always a finished one, even when the budget runs out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from evalsuite.backends.torch_hf.decoder import Decoder
from evalsuite.backends.torch_hf.greedy import Answer


@dataclass(slots=True)
class _Example:
    """The search for one example. history: of each live hypothesis, its tokens and their log-probabilities."""

    live: list[float] = field(default_factory=lambda: [0.0])
    history: list[tuple[tuple[int, ...], tuple[float, ...]]] = field(default_factory=lambda: [((), ())])
    finished: float = -torch.inf
    best: tuple[tuple[int, ...], tuple[float, ...]] = ((), ())

    @property
    def done(self) -> bool:
        return max(self.live) < self.finished


def beam_search(decoder: Decoder, beam: int, budget: int, end: int, *, log_probabilities: bool = False) -> list[Answer]:
    """One answer per row of ``decoder``. budget: most new tokens, end-of-sequence included."""
    logits = decoder.start()
    examples = [_Example() for _ in range(len(logits))]
    searching = examples
    for step in range(budget):
        ends, tokens, scores = _candidates(decoder.log_softmax(logits), beam, end)
        row = 0
        parents: list[int] = []
        chosen: list[int] = []
        for example in searching:
            rows = range(row, row + len(example.live))
            _finish(example, [ends[r] for r in rows])
            sources, new = _expand(example, [tokens[r] for r in rows], [scores[r] for r in rows], beam, end)
            if not example.done:
                parents += [row + source for source in sources]
                chosen += new
            row = rows.stop
        searching = [example for example in searching if not example.done]
        if not searching or step == budget - 1:
            break
        decoder.keep(torch.tensor(parents, device=logits.device))
        logits = decoder.step(torch.tensor(chosen, device=logits.device))
    return [Answer(e.best[0], e.best[1] if log_probabilities else None) for e in examples]


def _candidates(values: Tensor, beam: int, end: int) -> tuple[list[float], list[list[int]], list[list[float]]]:
    """Per row: log-probability of the end, and the best beam + 1 tokens with theirs."""
    scores, tokens = values.topk(min(beam + 1, values.shape[1]), dim=-1)
    return values[:, end].tolist(), tokens.tolist(), scores.tolist()


def _finish(example: _Example, ends: list[float]) -> None:
    for score, ending, history in zip(example.live, ends, example.history, strict=True):
        if score + ending > example.finished:
            example.finished, example.best = score + ending, history


def _expand(
    example: _Example, tokens: list[list[int]], scores: list[list[float]], beam: int, end: int
) -> tuple[list[int], list[int]]:
    """Replace the live hypotheses by the best ``beam`` continuations; returns their parents and their new tokens."""
    grown = [
        (example.live[parent] + score, parent, token, score)
        for parent in range(len(example.live))
        for token, score in zip(tokens[parent], scores[parent], strict=True)
        if token != end
    ]
    grown.sort(key=lambda item: -item[0])  # stable: among equals the earlier parent and the likelier token
    kept = grown[:beam]
    example.live = [total for total, *_ in kept]
    histories = [example.history[parent] for _, parent, _, _ in kept]
    example.history = [
        ((*ids, token), (*values, score)) for (ids, values), (_, _, token, score) in zip(histories, kept, strict=True)
    ]
    return [parent for _, parent, _, _ in kept], [token for _, _, token, _ in kept]
