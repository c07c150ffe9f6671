"""PaliGemma and PaliGemma 2 written out in float64 numpy from the papers' description, one example at a time.

No padding, no cache, no framework: images in raster order, then BOS, prefix and newline, all seeing each other, then
the answer, causal. Text embeddings are multiplied by sqrt(width), image features are not. Full attention everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Weights = Mapping[str, Array]

VISION, TEXT = "vision_tower.vision_model.", "language_model.model."
PATCH, SOFT_CAP, ROPE_BASE, EPSILON = 14, 50.0, 10_000.0, 1e-6


def logits(
    weights: Weights, config: Mapping[str, Any], pixels: Any, prefix: Sequence[int], answer: Sequence[int]
) -> Array:
    """Uncapped logits after the prefix and after each token of ``answer``, (1 + len(answer), vocabulary).

    pixels: (frames, side, side, 3) in [0, 255].
    """
    table = weights[f"{TEXT}embed_tokens.weight"]
    text = table[[*prefix, *answer]] * math.sqrt(table.shape[1])
    images = [_image_features(weights, config["vision_config"], image) for image in pixels]
    hidden = np.concatenate([*images, text])
    first = len(hidden) - len(answer)
    order = np.cumsum([0] * first + [1] * len(answer))
    visible = order[None, :] <= order[:, None]
    for layer in range(config["text_config"]["num_hidden_layers"]):
        hidden = _text_layer(weights, config["text_config"], f"{TEXT}layers.{layer}.", hidden, visible)
    return _rms_norm(hidden, weights[f"{TEXT}norm.weight"])[first - 1 :] @ table.T


def _text_layer(weights: Weights, config: Mapping[str, Any], name: str, hidden: Array, visible: Any) -> Array:
    second = config["model_type"] == "gemma2"

    def norm(which: str, values: Array) -> Array:
        return _rms_norm(values, weights[f"{name}{which}_layernorm.weight"])

    def linear(which: str, values: Array) -> Array:
        return values @ weights[f"{name}{which}_proj.weight"].T

    seen = norm("input", hidden)
    size, groups = config["head_dim"], config["num_key_value_heads"]
    share = config["num_attention_heads"] // groups
    queries = _rotated(_heads(linear("self_attn.q", seen), groups * share))
    keys = _rotated(_heads(linear("self_attn.k", seen), groups)).repeat(share, 0)
    values = _heads(linear("self_attn.v", seen), groups).repeat(share, 0)
    scores = queries @ keys.transpose(0, 2, 1) / math.sqrt(size)
    if second:
        scores = SOFT_CAP * np.tanh(scores / SOFT_CAP)
    mixed = linear("self_attn.o", _joined(_softmax(np.where(visible, scores, -np.inf)) @ values))
    hidden = hidden + (norm("post_attention", mixed) if second else mixed)
    seen = norm("pre_feedforward" if second else "post_attention", hidden)
    wide = linear("mlp.down", _gelu(linear("mlp.gate", seen)) * linear("mlp.up", seen))
    return hidden + (norm("post_feedforward", wide) if second else wide)


def _image_features(weights: Weights, config: Mapping[str, Any], image: Any) -> Array:
    def linear(which: str, values: Array) -> Array:
        return values @ weights[f"{which}.weight"].T + weights[f"{which}.bias"]

    def norm(which: str, values: Array) -> Array:
        centred = values - values.mean(-1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + EPSILON)
        return scaled * weights[f"{which}.weight"] + weights[f"{which}.bias"]

    side = image.shape[0] // PATCH
    values = np.asarray(image, np.float64) / 255 * 2 - 1
    patches = values.reshape(side, PATCH, side, PATCH, 3).transpose(0, 2, 4, 1, 3).reshape(side * side, -1)
    kernel = weights[f"{VISION}embeddings.patch_embedding.weight"]
    hidden = patches @ kernel.reshape(len(kernel), -1).T + weights[f"{VISION}embeddings.patch_embedding.bias"]
    hidden = hidden + weights[f"{VISION}embeddings.position_embedding.weight"]
    for layer in range(config["num_hidden_layers"]):
        name = f"{VISION}encoder.layers.{layer}."
        seen = norm(f"{name}layer_norm1", hidden)
        query, key, value = (
            _heads(linear(f"{name}self_attn.{kind}_proj", seen), config["num_attention_heads"]) for kind in "qkv"
        )
        mixed = _softmax(query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])) @ value
        hidden = hidden + linear(f"{name}self_attn.out_proj", _joined(mixed))
        hidden = hidden + linear(f"{name}mlp.fc2", _gelu(linear(f"{name}mlp.fc1", norm(f"{name}layer_norm2", hidden))))
    return linear("multi_modal_projector.linear", norm(f"{VISION}post_layernorm", hidden))


def _heads(values: Array, count: int) -> Array:
    """(tokens, heads * size) -> (heads, tokens, size)."""
    return values.reshape(len(values), count, -1).transpose(1, 0, 2)


def _joined(values: Array) -> Array:
    return values.transpose(1, 0, 2).reshape(values.shape[1], -1)


def _rotated(values: Array) -> Array:
    """Rotary position embedding; the first image token is position 0."""
    half = values.shape[-1] // 2
    angles = np.arange(values.shape[1])[:, None] / ROPE_BASE ** (np.arange(half) / half)
    cosine, sine, first, second = np.cos(angles), np.sin(angles), values[..., :half], values[..., half:]
    return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def _rms_norm(values: Array, weight: Array) -> Array:
    scaled: Array = values / np.sqrt((values**2).mean(-1, keepdims=True) + EPSILON) * (1 + weight)
    return scaled


def _gelu(values: Array) -> Array:
    curved: Array = 0.5 * values * (1 + np.tanh(math.sqrt(2 / math.pi) * (values + 0.044715 * values**3)))
    return curved


def _softmax(values: Array) -> Array:
    weights = np.exp(values - values.max(-1, keepdims=True))
    shares: Array = weights / weights.sum(-1, keepdims=True)
    return shares
