"""Greedy decoding of a batch: the likeliest token at every step, until every row has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from evalsuite.backends.torch_hf.decoder import Decoder
from evalsuite.types import END, LENGTH

SHRINK_BELOW = 0.75  # drop ended rows once at most this share of the batch still runs


@dataclass(frozen=True, slots=True)
class Answer:
    """Generated tokens without end-of-sequence; log_probabilities: their log-softmax over the raw logits, if asked.

    ended: END or LENGTH. finite: whether all logits that they were chosen from were.
    """

    token_ids: tuple[int, ...]
    log_probabilities: tuple[float, ...] | None
    ended: str
    finite: bool


def are_finite(logits: Tensor) -> Tensor:
    """Whether all logits of a row are, (rows,), without waiting for the device: one that is not makes the sum so."""
    return logits.sum(dim=-1).isfinite()


def greedy(
    decoder: Decoder,
    budget: int,
    end: int,
    *,
    log_probabilities: bool = False,
    check_every: int = 1,
    forbidden: Sequence[int] = (),
) -> list[Answer]:
    """One answer per row of ``decoder``.

    budget: most new tokens, end-of-sequence included. end: id that ends an answer. check_every: steps between two
    looks at which rows have ended; a look waits for the device. forbidden: ids that are never chosen; the
    log-probabilities are those of the unmasked softmax all the same (big_vision ``predict_fns.py``).
    """
    logits = decoder.start()
    rows = torch.arange(len(logits), device=logits.device)
    running = torch.ones_like(rows, dtype=torch.bool)
    written: list[_Step] = []
    for step in range(budget):
        tokens, finite = _likeliest(logits, forbidden), are_finite(logits)
        scores = _chosen(decoder.log_softmax(logits), tokens) if log_probabilities else None
        written.append(_Step(rows, tokens, finite, scores))
        if step == budget - 1:
            break
        running &= (tokens != end) & finite
        if step % check_every == 0:
            still = int(running.sum())
            if not still:
                break
            if still <= SHRINK_BELOW * len(rows):
                kept = running.nonzero().squeeze(1)
                decoder.keep(kept)
                rows, running, tokens = rows[kept], running[kept], tokens[kept]
        logits = decoder.step(tokens)
    return _answers(written, end)


def _likeliest(logits: Tensor, forbidden: Sequence[int]) -> Tensor:
    if forbidden:
        logits = logits.clone()
        logits[:, list(forbidden)] = -torch.inf
    return logits.argmax(dim=-1)


@dataclass(frozen=True, slots=True)
class _Step:
    """What one step wrote: one token for each of ``rows``, the places of the batch that still ran."""

    rows: Tensor
    tokens: Tensor
    finite: Tensor
    scores: Tensor | None


def _chosen(values: Tensor, tokens: Tensor) -> Tensor:
    return values.gather(1, tokens[:, None]).squeeze(1)


def _answers(written: list[_Step], end: int) -> list[Answer]:
    """Sort the steps into rows, each cut at its first end."""
    total = len(written[0].rows)
    tokens = torch.full((len(written), total), end, device=written[0].tokens.device)
    scores = torch.zeros((len(written), total), device=tokens.device)
    finite = torch.ones((len(written), total), dtype=torch.bool, device=tokens.device)
    for place, step in enumerate(written):
        tokens[place, step.rows], finite[place, step.rows] = step.tokens, step.finite
        if step.scores is not None:
            scores[place, step.rows] = step.scores
    scored = written[0].scores is not None
    columns = zip(tokens.T.tolist(), scores.T.tolist(), finite.T.tolist(), strict=True)
    return [_cut(ids, values if scored else None, flags, end) for ids, values, flags in columns]


def _cut(ids: list[int], scores: list[float] | None, finite: list[bool], end: int) -> Answer:
    """A row at its first end; what was computed for it after that does not count."""
    length = ids.index(end) if end in ids else len(ids)
    values = None if scores is None else tuple(scores[:length])
    return Answer(tuple(ids[:length]), values, END if end in ids else LENGTH, all(finite[: length + 1]))
