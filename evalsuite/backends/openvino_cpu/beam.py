"""Beam search by the rule the papers' captioning numbers were made with.

big_vision ``trainers/proj/paligemma/predict_fns.py``: a hypothesis scores the plain sum of its log-softmax values,
without length normalisation. At each step every live hypothesis is also tried with end-of-sequence, and the single
best finished one is kept. Each live one is expanded with its best beam + 1 tokens, end-of-sequence excluded, and the
best ``beam`` of all stay. An example is done when its best live score falls below its finished one, since scores
only fall. The first step has one hypothesis. The answer is always a finished one, even when the budget runs out.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from evalsuite.backends.openvino_cpu.decoder import PrefixDecoder
from evalsuite.backends.openvino_cpu.greedy import Answer
from evalsuite.backends.openvino_cpu.quantize import Array


@dataclass(slots=True)
class _Example:
    """The search for one example. live: scores of the live hypotheses, best first; history: what they say."""

    live: list[float] = field(default_factory=lambda: [0.0])
    history: list[Answer] = field(default_factory=lambda: [Answer()])
    finished: float = -np.inf
    best: Answer = field(default_factory=Answer)

    @property
    def done(self) -> bool:
        return self.live[0] < self.finished

    def finish(self, ends: Array) -> None:
        """ends: log-probability of end-of-sequence after each live hypothesis."""
        for score, ending, history in zip(self.live, ends.tolist(), self.history, strict=True):
            if score + ending > self.finished:
                self.finished, self.best = score + ending, history

    def expand(self, values: Array, beam: int, end: int) -> tuple[list[int], list[int]]:
        """values: (live hypotheses, vocabulary). Returns the parents of the new live hypotheses and their tokens."""
        grown = []
        for parent, row in enumerate(values):
            for token in np.argsort(-row, kind="stable")[: beam + 1].tolist():
                if token != end:
                    grown.append((self.live[parent] + float(row[token]), parent, token))
        grown.sort(key=lambda item: -item[0])  # stable: among equals the earlier parent and the likelier token
        grown = grown[:beam]
        self.live = [score for score, _, _ in grown]
        self.history = [
            _longer(self.history[parent], token, float(values[parent, token])) for _, parent, token in grown
        ]
        return [parent for _, parent, _ in grown], [token for _, _, token in grown]


def beam_search(decoder: PrefixDecoder, beam: int, budget: int, end: int) -> list[Answer]:
    """One answer per row of ``decoder``. budget: most new tokens, end-of-sequence included."""
    logits = decoder.start()
    examples = [_Example() for _ in logits]
    searching = examples
    for step in range(budget):
        values = decoder.log_softmax(logits)
        parents: list[int] = []
        tokens: list[int] = []
        row = 0
        for example in searching:
            own = values[row : row + len(example.live)]
            example.finish(own[:, end])
            sources, new = example.expand(own, beam, end)
            if not example.done:
                parents += [row + source for source in sources]
                tokens += new
            row += len(own)
        searching = [example for example in searching if not example.done]
        if not searching or step == budget - 1:
            break
        decoder.keep(np.array(parents))
        logits = decoder.step(np.array(tokens))
    return [example.best for example in examples]


def _longer(history: Answer, token: int, score: float) -> Answer:
    return Answer([*history.token_ids, token], [*history.log_probabilities, score])
