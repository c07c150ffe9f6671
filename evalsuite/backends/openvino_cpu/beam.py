"""Beam search over a decoder of compiled models, by the rule of :mod:`evalsuite.backends.beam`."""

from __future__ import annotations

import numpy as np

from evalsuite.backends.beam import Candidates, search
from evalsuite.backends.openvino_cpu.decoder import PrefixDecoder
from evalsuite.backends.openvino_cpu.greedy import Answer, are_finite
from evalsuite.backends.openvino_cpu.quantize import Array


def beam_search(decoder: PrefixDecoder, beam: int, budget: int, end: int) -> list[Answer]:
    """One answer per row of ``decoder``. budget: most new tokens, end-of-sequence included."""

    def candidates(logits: Array) -> Candidates:
        values = decoder.log_softmax(logits)
        tokens = np.argsort(-values, axis=-1, kind="stable")[:, : beam + 1]
        scores = np.take_along_axis(values, tokens, axis=-1)
        return Candidates(values[:, end].tolist(), tokens.tolist(), scores.tolist(), are_finite(logits).tolist())

    def step(parents: list[int], tokens: list[int]) -> Candidates:
        decoder.keep(np.array(parents))
        return candidates(decoder.step(np.array(tokens)))

    found = search(candidates(decoder.start()), step, beam, budget, end)
    return [Answer(list(best.token_ids), list(best.log_probabilities), ended, finite) for best, ended, finite in found]
