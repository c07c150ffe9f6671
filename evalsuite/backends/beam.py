"""Beam search by the rule the papers' captioning numbers were made with, apart from any framework.

big_vision ``trainers/proj/paligemma/predict_fns.py``: a hypothesis scores the plain sum of its log-softmax values,
without length normalisation. At each step every live hypothesis is also tried with end-of-sequence, and the single
best finished one is kept. Each live one is expanded with its best beam + 1 tokens, end-of-sequence excluded, and the
best ``beam`` of all stay. An example is done when its best live score falls below its finished one, since scores
only fall. The first step has one hypothesis. The answer is always a finished one, even when the budget runs out; it
counts as cut by the limit when that happens while a live hypothesis is still likelier. An example with logits that are
not finite is done.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from evalsuite.types import END, LENGTH


class Candidates(NamedTuple):
    """What may follow each live hypothesis: log-probability of the end, and its best beam + 1 tokens with theirs.

    finite: whether all its logits are.
    """

    ends: list[float]
    tokens: list[list[int]]
    scores: list[list[float]]
    finite: list[bool]


class Hypothesis(NamedTuple):
    """Tokens without end-of-sequence, and their log-probabilities."""

    token_ids: tuple[int, ...] = ()
    log_probabilities: tuple[float, ...] = ()

    def longer(self, token: int, score: float) -> Hypothesis:
        return Hypothesis((*self.token_ids, token), (*self.log_probabilities, score))


class Found(NamedTuple):
    """The best finished hypothesis of an example. ended: END, or LENGTH where the budget ended the search.

    finite: whether all logits of the search were.
    """

    hypothesis: Hypothesis
    ended: str
    finite: bool


Step = Callable[[list[int], list[int]], Candidates]


@dataclass(slots=True)
class _Example:
    """The search for one example. live: scores of the live hypotheses, best first; history: what they say."""

    live: list[float] = field(default_factory=lambda: [0.0])
    history: list[Hypothesis] = field(default_factory=lambda: [Hypothesis()])
    finished: float = -math.inf
    best: Hypothesis = field(default_factory=Hypothesis)
    finite: bool = True

    @property
    def done(self) -> bool:
        return not self.finite or self.live[0] < self.finished

    @property
    def found(self) -> Found:
        return Found(self.best, END if self.done else LENGTH, self.finite)

    def finish(self, ends: Sequence[float]) -> None:
        """ends: log-probability of end-of-sequence after each live hypothesis."""
        for score, ending, history in zip(self.live, ends, self.history, strict=True):
            if score + ending > self.finished:
                self.finished, self.best = score + ending, history

    def expand(
        self, tokens: Sequence[list[int]], scores: Sequence[list[float]], beam: int, end: int
    ) -> tuple[list[int], list[int]]:
        """Replace the live hypotheses by the best ``beam`` continuations; returns their parents and new tokens."""
        grown = [
            (self.live[parent] + score, parent, token, score)
            for parent in range(len(self.live))
            for token, score in zip(tokens[parent], scores[parent], strict=True)
            if token != end
        ]
        grown.sort(key=lambda item: -item[0])  # stable: among equals the earlier parent and the likelier token
        kept = grown[:beam]
        self.live = [total for total, *_ in kept]
        self.history = [self.history[parent].longer(token, score) for _, parent, token, score in kept]
        return [parent for _, parent, _, _ in kept], [token for _, _, token, _ in kept]


def search(first: Candidates, step: Step, beam: int, budget: int, end: int) -> list[Found]:
    """The best finished hypothesis of every row of ``first``.

    step: what may follow when row i continues what was row ``parents[i]`` with ``tokens[i]``. budget: most new
    tokens, end-of-sequence included.
    """
    examples = [_Example() for _ in first.ends]
    searching, found = examples, first
    for number in range(budget):
        row = 0
        parents: list[int] = []
        chosen: list[int] = []
        for example in searching:
            rows = slice(row, row + len(example.live))
            example.finite = all(found.finite[rows])
            example.finish(found.ends[rows])
            sources, new = example.expand(found.tokens[rows], found.scores[rows], beam, end)
            if not example.done:
                parents += [row + source for source in sources]
                chosen += new
            row = rows.stop
        searching = [example for example in searching if not example.done]
        if not searching or number == budget - 1:
            break
        found = step(parents, chosen)
    return [example.found for example in examples]
