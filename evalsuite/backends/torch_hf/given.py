"""How probable given answers are: the model reads them token by token, and chooses nothing."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from evalsuite.backends.torch_hf.decoder import Decoder
from evalsuite.backends.torch_hf.greedy import are_finite


def score_given(decoder: Decoder, answers: Sequence[Sequence[tuple[int, ...]]]) -> list[list[tuple[float, ...]]]:
    """Log-probability of every token of several answers to each row of ``decoder``.

    answers: for each row its answers as token ids, none empty; the end-of-sequence counts where it is among them. The
    prompt is read once for all answers to it. Values are those of the softmax over the whole vocabulary; NaN where a
    logit is not finite.
    """
    flat = [(row, tokens) for row, given in enumerate(answers) for tokens in given]
    if not flat:
        return [[] for _ in answers]
    logits = decoder.start()
    rows = torch.tensor([row for row, _ in flat], device=logits.device)
    decoder.keep(rows)
    logits = logits[rows]
    longest = max(len(tokens) for _, tokens in flat)
    ids = torch.zeros((len(flat), longest), dtype=torch.long)
    for place, (_, tokens) in enumerate(flat):
        ids[place, : len(tokens)] = torch.tensor(tokens)
    ids = ids.to(logits.device)
    values = []
    for step in range(longest):
        chosen = decoder.log_softmax(logits).gather(1, ids[:, step, None]).squeeze(1)
        values.append(chosen.where(are_finite(logits), torch.nan))
        if step < longest - 1:
            logits = decoder.step(ids[:, step])
    table = torch.stack(values, dim=1).tolist()
    scored: list[list[tuple[float, ...]]] = [[] for _ in answers]
    for (row, tokens), line in zip(flat, table, strict=True):
        scored[row].append(tuple(line[: len(tokens)]))
    return scored
