"""Seeded random weights under the names that transformers gives them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalsuite.backends.tiny.shapes import FAMILIES, TinyShape
from evalsuite.backends.tiny.tokenizer import row_scales

ROW_LENGTH = 0.03  # root mean square of an embedding row
END_SCALES = {"paligemma": 1.8, "paligemma2": 3.6}  # tried: the middle answer has a few words, the longest hundreds

Array = NDArray[np.float32]


def tiny_weights(shape: TinyShape) -> dict[str, Array]:
    """All tensors, under the names of the released checkpoints. Norms and biases are random too.

    The embedding rows are short beside what the layers add to the residual stream: with tied embeddings a model of
    long rows would only repeat its last token.
    """
    seeds = [shape.seed, shape.resolution, FAMILIES.index(shape.family)]
    draw = _Draw(np.random.default_rng(seeds), shape.largest_gain)
    return _language_weights(shape, draw) | _vision_weights(shape, draw)


@dataclass(frozen=True)
class _Draw:
    generator: np.random.Generator
    largest_gain: float

    def normal(self, *size: int, std: float = 1.0, mean: float = 0.0) -> Array:
        return (mean + std * self.generator.standard_normal(size)).astype(np.float32)

    def linear(self, out: int, into: int, gain: float = 1.0) -> Array:
        return self.normal(out, into, std=min(gain, self.largest_gain) / into**0.5)


def _language_weights(shape: TinyShape, draw: _Draw) -> dict[str, Array]:
    hidden, root = shape.hidden, "language_model.model."
    rows = draw.normal(shape.vocabulary, hidden)
    wide = (64 / hidden) ** 0.5  # the same share of the residual stream and the same spread of logits for every width
    rows *= wide * ROW_LENGTH * hidden**0.5 / np.linalg.norm(rows, axis=1, keepdims=True)
    if shape.row_spread is None:
        scales = row_scales(END_SCALES[shape.family])
    else:
        scales = np.exp(draw.normal(shape.vocabulary, std=shape.row_spread) - np.float32(shape.row_spread**2))
    weights = {
        f"{root}embed_tokens.weight": (rows * scales[:, None]).astype(np.float32),
        f"{root}norm.weight": draw.normal(hidden, std=0.8, mean=12.0),
    }
    queries, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    norms = ["input_layernorm", "post_attention_layernorm"]
    if shape.family == "paligemma2":
        norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
    for layer in range(shape.layers):
        name = f"{root}layers.{layer}."
        weights |= {
            f"{name}self_attn.q_proj.weight": draw.linear(queries, hidden, 1.5),
            f"{name}self_attn.k_proj.weight": draw.linear(keys, hidden, 1.5),
            f"{name}self_attn.v_proj.weight": draw.linear(keys, hidden),
            f"{name}self_attn.o_proj.weight": draw.linear(hidden, queries, 2.0),
            f"{name}mlp.gate_proj.weight": draw.linear(shape.mlp, hidden),
            f"{name}mlp.up_proj.weight": draw.linear(shape.mlp, hidden),
            f"{name}mlp.down_proj.weight": draw.linear(hidden, shape.mlp, 2.0),
        }
        weights |= {f"{name}{norm}.weight": draw.normal(hidden, std=0.3) for norm in norms}
    return weights


def _vision_weights(shape: TinyShape, draw: _Draw) -> dict[str, Array]:
    hidden, root = shape.vision_hidden, "vision_tower.vision_model."
    patch_std = 1.5 / (3 * shape.patch**2) ** 0.5
    weights = {
        f"{root}embeddings.patch_embedding.weight": draw.normal(hidden, 3, shape.patch, shape.patch, std=patch_std),
        f"{root}embeddings.patch_embedding.bias": draw.normal(hidden, std=0.1),
        f"{root}embeddings.position_embedding.weight": draw.normal(shape.image_tokens, hidden, std=0.3),
        "multi_modal_projector.linear.weight": draw.linear(shape.hidden, hidden),
        "multi_modal_projector.linear.bias": draw.normal(shape.hidden, std=0.1),
    }
    weights |= _layer_norm(f"{root}post_layernorm", hidden, draw)
    for layer in range(shape.vision_layers):
        name = f"{root}encoder.layers.{layer}."
        weights |= _layer_norm(f"{name}layer_norm1", hidden, draw) | _layer_norm(f"{name}layer_norm2", hidden, draw)
        for part, out, into in (
            *((f"self_attn.{kind}_proj", hidden, hidden) for kind in ("q", "k", "v", "out")),
            ("mlp.fc1", shape.vision_mlp, hidden),
            ("mlp.fc2", hidden, shape.vision_mlp),
        ):
            weights[f"{name}{part}.weight"] = draw.linear(out, into, 1.5)
            weights[f"{name}{part}.bias"] = draw.normal(out, std=0.1)
    return weights


def _layer_norm(name: str, size: int, draw: _Draw) -> dict[str, Array]:
    return {f"{name}.weight": draw.normal(size, std=0.3, mean=1.0), f"{name}.bias": draw.normal(size, std=0.1)}
