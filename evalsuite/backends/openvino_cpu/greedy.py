"""Greedy decoding of a batch: the likeliest token at every step, until every row has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from evalsuite.backends.openvino_cpu.decoder import PrefixDecoder

SHRINK_BELOW = 0.75  # drop ended rows once at most this share of the batch still runs


@dataclass(slots=True)
class Answer:
    """Generated tokens without end-of-sequence, and their log-softmax over the raw logits where asked for."""

    token_ids: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)


def greedy(
    decoder: PrefixDecoder, budget: int, end: int, *, log_probabilities: bool = False, forbidden: Sequence[int] = ()
) -> list[Answer]:
    """One answer per row of ``decoder``.

    budget: most new tokens, end-of-sequence included. end: id that ends an answer. forbidden: ids that are never
    chosen; the log-probabilities are those of the unmasked softmax all the same (big_vision ``predict_fns.py``).
    """
    logits = decoder.start()
    answers = [Answer() for _ in logits]
    rows = np.arange(len(logits))  # the answer that each row of the decoder continues
    running = np.ones(len(logits), bool)
    for step in range(budget):
        values = decoder.log_softmax(logits) if log_probabilities else None
        if forbidden:
            logits[:, list(forbidden)] = -np.inf
        tokens = logits.argmax(axis=-1)
        running &= tokens != end
        for place in running.nonzero()[0]:
            answers[rows[place]].token_ids.append(int(tokens[place]))
            if values is not None:
                answers[rows[place]].log_probabilities.append(float(values[place, tokens[place]]))
        if step == budget - 1 or not running.any():
            break
        if running.sum() <= SHRINK_BELOW * len(rows):
            kept = running.nonzero()[0]
            decoder.keep(kept)
            rows, running, tokens = rows[kept], running[kept], tokens[kept]
        logits = decoder.step(tokens)
    return answers
