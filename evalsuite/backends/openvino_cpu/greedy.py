"""Greedy decoding of a batch: the likeliest token at every step, until every row has ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from evalsuite.backends.openvino_cpu.decoder import PrefixDecoder
from evalsuite.backends.openvino_cpu.quantize import Array
from evalsuite.types import END, LENGTH

SHRINK_BELOW = 0.75  # drop ended rows once at most this share of the batch still runs


@dataclass(slots=True)
class Answer:
    """Generated tokens without end-of-sequence, and their log-softmax over the raw logits where asked for.

    ended: END or LENGTH. finite: whether all logits that they were chosen from were.
    """

    token_ids: list[int] = field(default_factory=list)
    log_probabilities: list[float] = field(default_factory=list)
    ended: str = LENGTH
    finite: bool = True


def are_finite(logits: Array) -> NDArray[np.bool_]:
    """Whether all logits of a row are, (rows,): one that is not makes the sum so."""
    with np.errstate(invalid="ignore", over="ignore"):
        finite: NDArray[np.bool_] = np.isfinite(logits.sum(axis=-1))
    return finite


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
        finite = are_finite(logits)
        if forbidden:
            logits[:, list(forbidden)] = -np.inf
        tokens = logits.argmax(axis=-1)
        for place in running.nonzero()[0]:
            if not finite[place]:
                answers[rows[place]].finite = False
            elif tokens[place] == end:
                answers[rows[place]].ended = END
        running &= (tokens != end) & finite
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
