"""Greedy and beam decoding as compiled loops; every shape is fixed, rows that have ended wait for the others.

Greedy takes the likeliest token; forbidden ones are never chosen, and log-probabilities are those of the unmasked
softmax (big_vision ``trainers/proj/paligemma/predict_fns.py``). The beam rule is that file's too: a hypothesis scores
the plain sum of its log-softmax values, without length normalisation. At each step every live hypothesis is also
tried with end-of-sequence, and the single best finished one is kept. Each live one is expanded with its best beam + 1
tokens, end-of-sequence excluded, and the best ``beam`` of all stay. A row is done when its best live score falls below
its finished one. The first step has one hypothesis. The answer is always a finished one; it counts as cut by the limit
when that comes while a live hypothesis is still likelier. A row with logits that are not finite is done, and broken.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from evalsuite.backends.jax_paligemma.architecture import Architecture
from evalsuite.backends.jax_paligemma.model import (
    Prefix,
    Weights,
    Written,
    log_softmax,
    read_prefix,
    read_token,
    room,
)
from evalsuite.types import END, LENGTH


class Answer(NamedTuple):
    """Tokens without end-of-sequence and their log-probabilities. ended: END or LENGTH.

    finite: whether all logits that they were chosen from were.
    """

    token_ids: tuple[int, ...]
    scores: tuple[float, ...]
    ended: str
    finite: bool


@dataclass(frozen=True)
class Rule:
    """How answers are decoded; 1 beam is greedy. end: id of end-of-sequence."""

    end: int
    beams: int = 1


class Inputs(NamedTuple):
    """A padded batch, for :func:`~evalsuite.backends.jax_paligemma.model.read_prefix`; is_real: (b,), no padding."""

    pixels: Array
    frame_counts: Array
    ids: Array
    lengths: Array
    is_real: Array


class Finished(NamedTuple):
    """Of beam search. live: (b, q) score of each live hypothesis; the rest describes the best finished one per row.

    score: (b,), -inf without one. tokens, scores: (b, n), of which the first ``length`` (b,) count.
    """

    live: Array
    score: Array
    tokens: Array
    scores: Array
    length: Array


class Search(NamedTuple):
    """Where decoding stands.

    place: tokens chosen so far. active: (b,), rows still searching. broken: (b,), rows with logits that are not finite.
    tokens, scores: (b, q, n), chosen tokens and their log-probabilities. finished: None for greedy.
    """

    place: Array
    active: Array
    broken: Array
    tokens: Array
    scores: Array
    written: Written
    finished: Finished | None


def start(
    sizes: Architecture, rule: Rule, capacity: int, weights: Weights, inputs: Inputs, forbidden: Array
) -> tuple[Prefix, Search]:
    """Read the prefix and choose the first token. capacity: tokens to make room for. forbidden: (vocabulary,) bool."""
    prefix, logits = read_prefix(sizes, weights, *inputs[:4])
    batch, beams = len(logits), rule.beams
    places = (batch, beams, capacity)
    finished = None
    if beams > 1:
        one_live = jnp.full((batch, beams), -jnp.inf).at[:, 0].set(0.0)
        none, empty = jnp.full(batch, -jnp.inf), jnp.zeros((batch, capacity))
        finished = Finished(one_live, none, empty.astype(jnp.int32), empty, jnp.zeros(batch, jnp.int32))
    search = Search(
        place=jnp.zeros((), jnp.int32),
        active=inputs.is_real,
        broken=jnp.zeros(batch, jnp.bool_),
        tokens=jnp.full(places, rule.end, jnp.int32),
        scores=jnp.zeros(places),
        written=room(sizes, prefix, beams, capacity),
        finished=finished,
    )
    logits = jnp.broadcast_to(logits[:, None], (batch, beams, logits.shape[-1]))
    return prefix, choose(sizes, rule, search, logits, forbidden)


def extend(
    sizes: Architecture,
    rule: Rule,
    weights: Weights,
    prefix: Prefix,
    search: Search,
    limit: Array,
    forbidden: Array,
) -> Search:
    """Go on until every row has ended or ``limit`` tokens were chosen, at most as many as there is room for."""

    def goes_on(search: Search) -> Array:
        return (search.place < limit) & search.active.any()

    def step(search: Search) -> Search:
        last = search.place - 1
        tokens = jax.lax.dynamic_index_in_dim(search.tokens, last, axis=2, keepdims=False)
        written, logits = read_token(sizes, weights, prefix, search.written, tokens, last)
        return choose(sizes, rule, search._replace(written=written), logits, forbidden)

    return jax.lax.while_loop(goes_on, step, search)


def enlarge(search: Search, capacity: int) -> Search:
    """The same search with room for ``capacity`` tokens."""
    more = capacity - search.tokens.shape[2]

    def grown(array: Array, axis: int) -> Array:
        widths = [(0, 0)] * array.ndim
        widths[axis] = (0, more)
        return jnp.pad(array, widths)

    written = Written(*([grown(layer, 3) for layer in layers] for layers in search.written))
    finished = search.finished
    if finished is not None:
        finished = finished._replace(tokens=grown(finished.tokens, 1), scores=grown(finished.scores, 1))
    tokens, scores = grown(search.tokens, 2), grown(search.scores, 2)
    return search._replace(tokens=tokens, scores=scores, written=written, finished=finished)


def answers(search: Search, end: int) -> list[Answer]:
    """Of every row."""
    kept = (search.place, search.active, search.broken, search.tokens, search.scores, search.finished)
    place, active, broken, tokens, scores, finished = jax.device_get(kept)
    if finished is not None:
        rows = zip(finished.tokens, finished.scores, finished.length, active, broken, strict=True)
        return [
            Answer(tuple(ids[:n].tolist()), tuple(values[:n].tolist()), LENGTH if searching else END, not bad)
            for ids, values, n, searching, bad in rows
        ]
    return [
        _cut(ids[0, :place].tolist(), values[0].tolist(), end, not bad)
        for ids, values, bad in zip(tokens, scores, broken, strict=True)
    ]


def _cut(ids: list[int], scores: list[float], end: int, finite: bool) -> Answer:
    length = ids.index(end) if end in ids else len(ids)
    return Answer(tuple(ids[:length]), tuple(scores[:length]), END if end in ids else LENGTH, finite)


def choose(sizes: Architecture, rule: Rule, search: Search, logits: Array, forbidden: Array) -> Search:
    """The next token of every hypothesis; logits: (b, q, vocabulary). One that is not finite makes their sum so."""
    finite = jnp.isfinite(logits.sum(axis=-1)).all(axis=1)
    search = search._replace(broken=search.broken | (search.active & ~finite), active=search.active & finite)
    values = log_softmax(sizes, logits)
    if search.finished is not None:
        return _choose_beams(rule, search, search.finished, values)
    token = jnp.argmax(jnp.where(forbidden, -jnp.inf, logits), axis=-1).astype(jnp.int32)
    score = jnp.take_along_axis(values, token[..., None], axis=-1)
    token = jnp.where(search.active[:, None], token, rule.end)
    return search._replace(
        place=search.place + 1,
        active=search.active & (token[:, 0] != rule.end),
        tokens=_put(search.tokens, token, search.place),
        scores=_put(search.scores, score[..., 0], search.place),
    )


def _choose_beams(rule: Rule, search: Search, finished: Finished, values: Array) -> Search:
    finished = _finish(search, finished, values[:, :, rule.end])
    per_beam = min(rule.beams + 1, values.shape[-1])
    scores, tokens = jax.lax.top_k(values, per_beam)
    grown = jnp.where(tokens == rule.end, -jnp.inf, finished.live[:, :, None] + scores)
    live, kept = jax.lax.top_k(_flat(grown), rule.beams)  # among equals the earlier parent and the likelier token
    parents = kept // per_beam
    token, score = (jnp.take_along_axis(_flat(array), kept, axis=1) for array in (tokens, scores))
    written = Written(*([_rows(layer, parents) for layer in layers] for layers in search.written))
    return search._replace(
        place=search.place + 1,
        active=search.active & (live.max(axis=1) >= finished.score),
        tokens=_put(_rows(search.tokens, parents), token, search.place),
        scores=_put(_rows(search.scores, parents), score, search.place),
        written=written,
        finished=finished._replace(live=live),
    )


def _finish(search: Search, finished: Finished, ends: Array) -> Finished:
    """Try every live hypothesis with end-of-sequence, whose log-probability is ``ends``, (b, q)."""
    totals = finished.live + ends
    best = jnp.argmax(totals, axis=1)
    total = totals.max(axis=1)
    better = search.active & (total > finished.score)

    def pick(new: Array, old: Array) -> Array:
        return jnp.where(better[:, None], jnp.take_along_axis(new, best[:, None, None], axis=1)[:, 0], old)

    return Finished(
        live=finished.live,
        score=jnp.where(better, total, finished.score),
        tokens=pick(search.tokens, finished.tokens),
        scores=pick(search.scores, finished.scores),
        length=jnp.where(better, search.place, finished.length),
    )


def _put(array: Array, values: Array, place: Array) -> Array:
    return jax.lax.dynamic_update_slice_in_dim(array, values[:, :, None].astype(array.dtype), place, axis=2)


def _rows(array: Array, parents: Array) -> Array:
    """Row q of the result continues what was row ``parents[:, q]``; array: (b, q, ...)."""
    return jnp.take_along_axis(array, parents.reshape(parents.shape + (1,) * (array.ndim - 2)), axis=1)


def _flat(array: Array) -> Array:
    return array.reshape(len(array), -1)
