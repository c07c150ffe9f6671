"""Greedy decoding of a batch: the likeliest token at every step, until every row has ended."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from evalsuite.backends.torch_hf.decoder import Decoder

SHRINK_BELOW = 0.75  # drop ended rows once at most this share of the batch still runs


@dataclass(frozen=True, slots=True)
class Answer:
    """Generated tokens without end-of-sequence; log_probabilities: their log-softmax over the raw logits, if asked."""

    token_ids: tuple[int, ...]
    log_probabilities: tuple[float, ...] | None = None


def greedy(
    decoder: Decoder, budget: int, ends: Collection[int], *, log_probabilities: bool = False, check_every: int = 1
) -> list[Answer]:
    """One answer per row of ``decoder``.

    budget: most new tokens, end-of-sequence included. ends: ids that end an answer. check_every: steps between two
    looks at which rows have ended; a look waits for the device.
    """
    logits = decoder.start()
    total = len(logits)
    end_ids = torch.tensor(sorted(ends), device=logits.device)
    rows = torch.arange(total, device=logits.device)
    tokens_out = end_ids[0].repeat(budget, total)
    scores_out = torch.zeros((budget if log_probabilities else 0, total), device=logits.device)
    running = torch.ones_like(rows, dtype=torch.bool)
    for step in range(budget):
        tokens = logits.argmax(dim=-1)
        tokens_out[step, rows] = tokens
        if log_probabilities:
            scores_out[step, rows] = _log_probability(logits, tokens)
        running &= ~torch.isin(tokens, end_ids)
        if step == budget - 1:
            break
        if step % check_every == 0:
            kept = running.nonzero().squeeze(1)
            if not len(kept):
                break
            if len(kept) <= SHRINK_BELOW * len(rows):
                decoder.keep(kept)
                rows, running, tokens = rows[kept], running[kept], tokens[kept]
        logits = decoder.step(tokens)
    return _answers(tokens_out, scores_out, set(ends), log_probabilities)


def _log_probability(logits: Tensor, tokens: Tensor) -> Tensor:
    return logits.log_softmax(dim=-1).gather(1, tokens[:, None]).squeeze(1)


def _answers(tokens: Tensor, scores: Tensor, ends: set[int], log_probabilities: bool) -> list[Answer]:
    """Cut every column at its first end."""
    answers = []
    score_rows = scores.T.tolist()
    for row, ids in enumerate(tokens.T.tolist()):
        length = next((place for place, token in enumerate(ids) if token in ends), len(ids))
        answers.append(Answer(tuple(ids[:length]), tuple(score_rows[row][:length]) if log_probabilities else None))
    return answers
