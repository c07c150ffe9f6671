"""How probable the generated answers are under the model that gave them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from evalsuite.errors import ScoringError
from evalsuite.metrics.base import Answer, Array, Metric, Value, ratio

_SUM, _TOKENS, _ANSWERS, _WITHOUT, _COUNT = range(5)


@dataclass(frozen=True)
class _Likelihood(Metric):
    """Statistics are the same for both metrics: sums of log-probabilities and counts of tokens and answers."""

    takes_answers: ClassVar[bool] = True

    def statistics(self, prediction: Answer, references: Sequence[Any] = ()) -> Array:
        """(sum of log-probabilities, tokens, answers with tokens, answers without, 1).

        Raises ScoringError for an answer that has text but no log-probabilities, and for impossible ones.
        """
        values = prediction.log_probabilities
        if values is None and prediction.text:
            raise ScoringError(
                f"{self.name}: the answer to {prediction.id!r} has no log-probabilities. Generate again with a backend "
                "that gives them (torch), from a task spec that names this metric: the run then asks for them "
                "(Decoding(log_probabilities=True))"
            )
        values = values or ()
        if not all(value <= 1e-6 for value in values):  # a NaN is no log-probability either
            raise ScoringError(f"{self.name}: the answer to {prediction.id!r} has a log-probability above 0 or NaN")
        return np.array([math.fsum(values), len(values), len(values) > 0, not values, 1.0])


@dataclass(frozen=True)
class AnswerLogLikelihood(_Likelihood):
    """Mean natural log-probability that the model gives to its own answers; 0 at best.

    - ``answer_log_likelihood``: mean over answers of the sum over tokens.
    - ``token_log_likelihood``: mean over all tokens.
    - ``without_tokens``: share of answers without a token, such as failed examples; they are not in the means. A mean
      over nothing is NaN.

    The log-probabilities are those of the generated tokens before the end-of-sequence token, from the softmax over the
    whole vocabulary, whatever the decoding allowed. References are not used: this says how sure the model is, not
    whether it is right.
    """

    name: ClassVar[str] = "answer_log_likelihood"
    values: ClassVar[tuple[Value, ...]] = (
        Value("answer_log_likelihood", unit="nats", scale=1.0, bounds=(None, 1e-6)),
        Value("token_log_likelihood", unit="nats", scale=1.0, bounds=(None, 1e-6)),
        Value("without_tokens", higher_is_better=False),
    )
    source: ClassVar[str] = "mean sum of token log-probabilities, as lm-evaluation-harness sums them for an answer"

    def finalize(self, total: Array) -> dict[str, Array]:
        return {
            "answer_log_likelihood": ratio(total[..., _SUM], total[..., _ANSWERS]),
            "token_log_likelihood": ratio(total[..., _SUM], total[..., _TOKENS]),
            "without_tokens": ratio(total[..., _WITHOUT], total[..., _COUNT]),
        }


@dataclass(frozen=True)
class Perplexity(_Likelihood):
    """exp(-mean log-probability of a token) over all answers of the corpus; 1 at best, unbounded.

    - ``perplexity``: of the model's own answers, every token counting the same.
    - ``tokens``: mean number of tokens of the answers that have any.
    - ``without_tokens``: share of answers without a token; they are in neither of the two.

    Which tokens and probabilities: as in ``answer_log_likelihood``.
    """

    name: ClassVar[str] = "perplexity"
    values: ClassVar[tuple[Value, ...]] = (
        Value("perplexity", unit="", scale=1.0, higher_is_better=False, bounds=(1.0 - 1e-6, None)),
        Value("tokens", unit="tokens", scale=1.0, bounds=(1.0, None)),
        Value("without_tokens", higher_is_better=False),
    )
    source: ClassVar[str] = "Jelinek et al. 1977, Perplexity: a measure of the difficulty of speech recognition tasks"

    def finalize(self, total: Array) -> dict[str, Array]:
        with np.errstate(over="ignore"):
            perplexity = np.exp(-ratio(total[..., _SUM], total[..., _TOKENS]))
        return {
            "perplexity": perplexity,
            "tokens": ratio(total[..., _TOKENS], total[..., _ANSWERS]),
            "without_tokens": ratio(total[..., _WITHOUT], total[..., _COUNT]),
        }
