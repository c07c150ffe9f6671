"""PaliGemma and PaliGemma 2 in plain jax.numpy: SigLIP, projector, Gemma, and their cache of keys and values.

Axes: b rows of the batch, q beams of a row, l tokens, s prefix tokens seen, n answer tokens seen, g groups of keys
(key/value heads), r query heads per group, h head size. The prefix (image tokens, then prompt) is attended in both
directions and the answer causally; every layer sees everything (big_vision ``models/proj/paligemma/paligemma.py``,
``models/ppp/gemma.py``). Text embeddings are multiplied by sqrt(width), image features are not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from evalsuite.backends.jax_paligemma.architecture import EPSILON, ROPE_BASE, Architecture

Weights = Mapping[str, Any]
Attend = Callable[[Array, Array, Array], tuple[Array, Array, Array]]
"""From queries (b, tokens, g, r, h), keys and values (b, tokens, g, h) to what the queries see, of their shape, and
the keys and values to keep, (b, ..., g, tokens, h)."""

HIDDEN = -1e30  # attention logit of what may not be seen
MAX_LOGITS = 1 << 26  # attention logits that are held at once (256 MB in float32)


class Prefix(NamedTuple):
    """Keys and values of the prefix, which all beams of a row share.

    keys, values: per layer (b, g, s, h). visible: (b, s), False where a row is padded. length: (b,), visible tokens.
    """

    keys: list[Array]
    values: list[Array]
    visible: Array
    length: Array


class Written(NamedTuple):
    """Keys and values of the answer so far: per layer (b, q, g, n, h), with room for n tokens."""

    keys: list[Array]
    values: list[Array]


def read_prefix(
    sizes: Architecture, weights: Weights, pixels: Array, frame_counts: Array, ids: Array, lengths: Array
) -> tuple[Prefix, Array]:
    """The prefix, and the logits of the first new token before any soft cap, float32 (b, vocabulary).

    pixels: (b, frames, side, side, 3) in [0, 255], of which the first ``frame_counts`` (b,) of each row count.
    ids: (b, l), of which the first ``lengths`` (b,) count. What does not count takes no position.
    """
    frames = pixels.shape[1]
    text = embed(sizes, weights, ids)
    images = _image_features(sizes, weights, pixels).astype(text.dtype)
    hidden = jnp.concatenate([images, text], axis=1)
    is_frame = jnp.arange(frames) < frame_counts[:, None]
    is_text = jnp.arange(ids.shape[1]) < lengths[:, None]
    visible = jnp.concatenate([jnp.repeat(is_frame, sizes.tokens_per_frame, axis=1), is_text], axis=1)
    positions = jnp.maximum(jnp.cumsum(visible, axis=1) - 1, 0)
    prefix = Prefix([], [], visible, visible.sum(axis=1))
    for layer in weights["layers"]:
        attend = partial(_attend_to_prefix, sizes, visible)
        hidden, keys, values = _text_layer(sizes, layer, hidden, positions, attend)
        prefix.keys.append(keys)
        prefix.values.append(values)
    last = frames * sizes.tokens_per_frame + jnp.maximum(lengths - 1, 0)
    return prefix, _logits(weights, jnp.take_along_axis(hidden, last[:, None, None], axis=1)[:, 0])


def room(sizes: Architecture, prefix: Prefix, beams: int, tokens: int) -> Written:
    """An empty answer for each of ``beams`` of each row, with room for ``tokens``."""
    shape = (len(prefix.length), beams, sizes.kv_heads, tokens, sizes.head_dim)
    empty = [jnp.zeros(shape, keys.dtype) for keys in prefix.keys]
    return Written(empty, list(empty))


def read_token(
    sizes: Architecture, weights: Weights, prefix: Prefix, written: Written, tokens: Array, place: Array
) -> tuple[Written, Array]:
    """Logits after one more token per beam, float32 (b, q, vocabulary), before any soft cap.

    tokens: (b, q), number ``place`` of the answer, from 0.
    """
    hidden = embed(sizes, weights, tokens)
    positions = jnp.broadcast_to((prefix.length + place)[:, None], tokens.shape)
    grown = Written([], [])
    for layer, *cached in zip(weights["layers"], prefix.keys, prefix.values, *written, strict=True):
        attend = partial(_attend_to_all, sizes, prefix.visible, place, *cached)
        hidden, keys, values = _text_layer(sizes, layer, hidden, positions, attend)
        grown.keys.append(keys)
        grown.values.append(values)
    return grown, _logits(weights, hidden)


def embed(sizes: Architecture, weights: Weights, ids: Array) -> Array:
    """Scaled embeddings of tokens of any shape."""
    table: Array = weights["embedding"]
    return table[ids] * jnp.asarray(math.sqrt(sizes.width), table.dtype)


def log_softmax(sizes: Architecture, logits: Array) -> Array:
    """Log-probabilities, with Gemma 2's soft cap, which squeezes the logits and keeps their order."""
    return jax.nn.log_softmax(_capped(logits, sizes.output_cap))


def _logits(weights: Weights, hidden: Array) -> Array:
    normed = _rms_norm(hidden, weights["norm"])
    return jnp.einsum("...d,vd->...v", normed, weights["output"], preferred_element_type=jnp.float32)


def _text_layer(
    sizes: Architecture, layer: Weights, hidden: Array, positions: Array, attend: Attend
) -> tuple[Array, Array, Array]:
    """hidden: (b, tokens, width); returns it after the layer, and the keys and values that ``attend`` keeps."""
    batch, tokens = positions.shape
    groups, size = sizes.kv_heads, sizes.head_dim
    joined = _rms_norm(hidden, layer["pre_attention"]) @ layer["qkv"]
    query, key, value = jnp.split(joined, [sizes.heads * size, (sizes.heads + groups) * size], axis=-1)
    query = _rotated(query.reshape(batch, tokens, groups, -1, size), positions[:, :, None, None, None])
    key = _rotated(key.reshape(batch, tokens, groups, size), positions[:, :, None, None])
    seen, keys, values = attend(query, key, value.reshape(batch, tokens, groups, size))
    mixed = seen.reshape(batch, tokens, -1) @ layer["out"]
    hidden = hidden + (_rms_norm(mixed, layer["post_attention"]) if sizes.post_norms else mixed)
    gate, up = jnp.split(_rms_norm(hidden, layer["pre_mlp"]) @ layer["gate_up"], 2, axis=-1)
    wide = (jax.nn.gelu(gate, approximate=True) * up) @ layer["down"]
    return hidden + (_rms_norm(wide, layer["post_mlp"]) if sizes.post_norms else wide), keys, values


def _attend_to_prefix(
    sizes: Architecture, visible: Array, query: Array, key: Array, value: Array
) -> tuple[Array, Array, Array]:
    """Queries of the prefix (b, l, g, r, h) over all of it; key and value: (b, l, g, h)."""
    keys, values = key.transpose(0, 2, 1, 3), value.transpose(0, 2, 1, 3)

    def attend(query: Array) -> Array:
        scores = jnp.einsum("blgrh,bgsh->bgrls", query, keys, preferred_element_type=jnp.float32)
        scores = jnp.where(visible[:, None, None, None], _scaled(sizes, scores), HIDDEN)
        return jnp.einsum("bgrls,bgsh->blgrh", jax.nn.softmax(scores).astype(values.dtype), values)

    return _in_pieces(attend, query, query.shape[0] * sizes.heads * keys.shape[2]), keys, values


def _attend_to_all(
    sizes: Architecture,
    visible: Array,
    place: Array,
    prefix_keys: Array,
    prefix_values: Array,
    written_keys: Array,
    written_values: Array,
    query: Array,
    key: Array,
    value: Array,
) -> tuple[Array, Array, Array]:
    """One query per beam (b, q, g, r, h) over the prefix and over its own answer up to ``place``, this token's."""
    keys, values = (
        jax.lax.dynamic_update_slice_in_dim(old, new[:, :, :, None], place, axis=3)
        for old, new in ((written_keys, key), (written_values, value))
    )
    before = jnp.einsum("bqgrh,bgsh->bqgrs", query, prefix_keys, preferred_element_type=jnp.float32)
    own = jnp.einsum("bqgrh,bqgnh->bqgrn", query, keys, preferred_element_type=jnp.float32)
    before = jnp.where(visible[:, None, None, None], _scaled(sizes, before), HIDDEN)
    own = jnp.where(jnp.arange(keys.shape[3]) <= place, _scaled(sizes, own), HIDDEN)
    shares = jax.nn.softmax(jnp.concatenate([before, own], axis=-1)).astype(values.dtype)
    of_prefix, of_own = jnp.split(shares, [before.shape[-1]], axis=-1)
    seen = jnp.einsum("bqgrs,bgsh->bqgrh", of_prefix, prefix_values)
    return seen + jnp.einsum("bqgrn,bqgnh->bqgrh", of_own, values), keys, values


def _scaled(sizes: Architecture, scores: Array) -> Array:
    return _capped(scores * sizes.query_divisor**-0.5, sizes.attention_cap)


def _capped(values: Array, cap: float | None) -> Array:
    return values if cap is None else cap * jnp.tanh(values / cap)


def _image_features(sizes: Architecture, weights: Weights, pixels: Array) -> Array:
    """(b, frames, side, side, 3) in [0, 255] -> (b, frames * tokens per frame, width); frames one after another."""
    batch, frames = pixels.shape[:2]
    if not frames:
        return jnp.zeros((batch, 0, sizes.width), weights["embedding"].dtype)
    if frames == 1:
        return _encode(sizes, weights, pixels[:, 0])
    encoded = jax.lax.map(lambda frame: _encode(sizes, weights, frame), jnp.moveaxis(pixels, 1, 0))
    return jnp.moveaxis(encoded, 0, 1).reshape(batch, frames * sizes.tokens_per_frame, sizes.width)


def _encode(sizes: Architecture, weights: Weights, pixels: Array) -> Array:
    """One image per row, (b, side, side, 3) -> (b, tokens, width)."""
    batch, side, patch = len(pixels), sizes.resolution // sizes.patch, sizes.patch
    dtype = weights["positions"].dtype
    values = pixels.astype(jnp.float32) / 255 * 2 - 1
    patches = values.reshape(batch, side, patch, side, patch, 3).transpose(0, 1, 3, 2, 4, 5)
    hidden = _linear(patches.reshape(batch, side * side, -1).astype(dtype), weights["patch"]) + weights["positions"]
    for layer in weights["vision_layers"]:
        joined = _linear(_layer_norm(hidden, layer["norm1"]), layer["qkv"])
        query, key, value = jnp.moveaxis(joined.reshape(batch, side * side, 3, sizes.vision_heads, -1), 2, 0)
        hidden = hidden + _linear(_attend_in_image(query, key, value).reshape(hidden.shape), layer["out"])
        wide = jax.nn.gelu(_linear(_layer_norm(hidden, layer["norm2"]), layer["up"]), approximate=True)
        hidden = hidden + _linear(wide, layer["down"])
    return _linear(_layer_norm(hidden, weights["vision_norm"]), weights["projector"])


def _attend_in_image(query: Array, key: Array, value: Array) -> Array:
    """All (b, tokens, heads, h)."""

    def attend(query: Array) -> Array:
        scores = jnp.einsum("blgh,bsgh->bgls", query, key, preferred_element_type=jnp.float32)
        shares = jax.nn.softmax(scores * query.shape[-1] ** -0.5).astype(value.dtype)
        return jnp.einsum("bgls,bsgh->blgh", shares, value)

    return _in_pieces(attend, query, query.shape[0] * query.shape[1] * query.shape[2])


def _in_pieces(attend: Callable[[Array], Array], query: Array, logits_per_query: int) -> Array:
    """``attend`` over pieces of the second axis, so that at most ``MAX_LOGITS`` are held at once."""
    length = query.shape[1]
    piece = max(1, MAX_LOGITS // logits_per_query)
    if length <= piece:
        return attend(query)
    count = -(-length // piece)
    padding = [(0, 0)] * query.ndim
    padding[1] = (0, count * piece - length)
    pieces = jnp.pad(query, padding).reshape(query.shape[0], count, piece, *query.shape[2:])
    parts = jax.lax.map(attend, jnp.moveaxis(pieces, 1, 0))
    return jnp.moveaxis(parts, 0, 1).reshape(query.shape[0], count * piece, *query.shape[2:])[:, :length]


def _rotated(values: Array, positions: Array) -> Array:
    """Rotary position embedding over the last axis; ``positions`` broadcasts to ``values``."""
    half = values.shape[-1] // 2
    angles = positions.astype(jnp.float32) / ROPE_BASE ** (jnp.arange(half, dtype=jnp.float32) / half)
    cosine, sine = jnp.cos(angles), jnp.sin(angles)
    first, second = values[..., :half].astype(jnp.float32), values[..., half:].astype(jnp.float32)
    rotated = jnp.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)
    return rotated.astype(values.dtype)


def _rms_norm(values: Array, scale: Array) -> Array:
    wide = values.astype(jnp.float32)
    normed = wide * jax.lax.rsqrt(jnp.mean(wide * wide, axis=-1, keepdims=True) + EPSILON)
    scaled: Array = normed * (1 + scale.astype(jnp.float32))
    return scaled.astype(values.dtype)


def _layer_norm(values: Array, weights: Weights) -> Array:
    wide = values.astype(jnp.float32)
    centred = wide - wide.mean(axis=-1, keepdims=True)
    normed = centred * jax.lax.rsqrt(jnp.mean(centred * centred, axis=-1, keepdims=True) + EPSILON)
    scaled: Array = normed * weights["scale"].astype(jnp.float32) + weights["bias"].astype(jnp.float32)
    return scaled.astype(values.dtype)


def _linear(values: Array, weights: Weights) -> Array:
    out: Array = values @ weights["kernel"] + weights["bias"]
    return out
