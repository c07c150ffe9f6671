"""Beam search over a decoder of torch, by the rule of :mod:`evalsuite.backends.beam`."""

from __future__ import annotations

import torch
from torch import Tensor

from evalsuite.backends.beam import Candidates, search
from evalsuite.backends.torch_hf.decoder import Decoder
from evalsuite.backends.torch_hf.greedy import Answer, are_finite


def beam_search(decoder: Decoder, beam: int, budget: int, end: int, *, log_probabilities: bool = False) -> list[Answer]:
    """One answer per row of ``decoder``. budget: most new tokens, end-of-sequence included."""
    logits = decoder.start()
    device = logits.device

    def candidates(logits: Tensor) -> Candidates:
        values = decoder.log_softmax(logits)
        scores, tokens = values.topk(min(beam + 1, values.shape[1]), dim=-1)
        return Candidates(values[:, end].tolist(), tokens.tolist(), scores.tolist(), are_finite(logits).tolist())

    def step(parents: list[int], tokens: list[int]) -> Candidates:
        decoder.keep(torch.tensor(parents, device=device))
        return candidates(decoder.step(torch.tensor(tokens, device=device)))

    found = search(candidates(logits), step, beam, budget, end)
    return [
        Answer(best.token_ids, best.log_probabilities if log_probabilities else None, ended, finite)
        for best, ended, finite in found
    ]
