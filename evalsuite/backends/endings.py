"""How a model's answer becomes a generation: why it ended, and whether its numbers can be trusted.

An answer of a model whose logits are NaN or infinite is an error of its example: as text it would be empty or
arbitrary, and score as a wrong answer.
"""

from __future__ import annotations

from collections.abc import Sequence

from evalsuite.types import END, FILTER, LENGTH, ExampleKey, Generation

WORDS = {"stop": END, "length": LENGTH, "content_filter": FILTER}
"""``finish_reason`` of OpenAI-compatible servers, in our words."""


def ending(word: object) -> str | None:
    """One of ENDINGS for a server's ``finish_reason``; None for other words, which may mean anything.

    >>> ending("stop"), ending("content_filter"), ending("tool_calls"), ending(None)
    ('end', 'filter', None, None)
    """
    return WORDS.get(word) if isinstance(word, str) else None


def decoded(
    key: ExampleKey,
    text: str,
    token_ids: Sequence[int],
    log_probabilities: Sequence[float] | None,
    *,
    ended: str,
    finite: bool,
    computed_in: str,
    seconds: float | None = None,
) -> Generation:
    """What a backend that decodes by itself returns for one request.

    token_ids: of the answer, without end-of-sequence. finite: whether all logits that it was chosen from were.
    computed_in: number format, for the message when they were not.
    """
    if not finite:
        return Generation(key, "", seconds=seconds, error=not_finite(computed_in))
    scores = None if log_probabilities is None else tuple(log_probabilities)
    return Generation(key, text, tuple(token_ids), scores, seconds, ended=ended)


def not_finite(computed_in: str) -> str:
    """The error of an example whose logits are not finite."""
    return (
        f"the model's logits are NaN or infinite (computed in {computed_in}). The usual cause is an overflow of "
        "float16: use --dtype bfloat16. In other formats look at the weights, which may hold such numbers themselves"
    )
