"""The sizes of a PaliGemma model: read from ``config.json``, or from the shapes in a big_vision checkpoint."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalsuite.backends.checkpoints.resolve import DEFAULT_SIDE, Checkpoint
from evalsuite.errors import BackendError

Shapes = Mapping[str, tuple[int, ...]]

HEAD_DIM = 256  # what a Gemma config means that does not state it
ATTENTION_CAP, OUTPUT_CAP = 50.0, 30.0  # of Gemma 2
NARROW_HEADS = 128  # only Gemma 2 27B has them, and only there queries are scaled by width per head
EPSILON = 1e-6  # of every norm, in all released models
ROPE_BASE = 10_000.0
FIXED = {
    "text_config": {"rms_norm_eps": EPSILON, "rope_theta": ROPE_BASE, "attention_bias": False},
    "vision_config": {"layer_norm_eps": EPSILON},
}
"""What the forward pass takes for granted; a config may state it, but nothing else."""


@dataclass(frozen=True)
class Architecture:
    """All that the forward pass needs to know beside the weights; hashable, so that jit can specialise on it.

    width, mlp, layers, heads, kv_heads, head_dim, vocabulary: of the language model. query_divisor: attention logits
    are divided by its root. attention_cap, output_cap: soft caps, None without. post_norms: norms after attention and
    MLP too, as in Gemma 2. resolution, patch: in pixels.
    """

    width: int
    mlp: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    query_divisor: float
    attention_cap: float | None
    output_cap: float | None
    post_norms: bool
    vision_width: int
    vision_mlp: int
    vision_layers: int
    vision_heads: int
    resolution: int
    patch: int

    @property
    def tokens_per_frame(self) -> int:
        return (self.resolution // self.patch) ** 2


def from_config(checkpoint: Checkpoint) -> Architecture:
    """Raises BackendError when ``config.json`` lacks a size that has no default, or states what is not done here."""
    _check_fixed(checkpoint)
    text, vision = checkpoint.config.get("text_config", {}), checkpoint.config.get("vision_config", {})
    second = checkpoint.family == "paligemma2"
    try:
        return Architecture(
            width=text["hidden_size"],
            mlp=text["intermediate_size"],
            layers=text["num_hidden_layers"],
            heads=text["num_attention_heads"],
            kv_heads=text["num_key_value_heads"],
            head_dim=text.get("head_dim", HEAD_DIM),
            vocabulary=text["vocab_size"],
            query_divisor=text.get("query_pre_attn_scalar", HEAD_DIM) if second else text.get("head_dim", HEAD_DIM),
            attention_cap=text.get("attn_logit_softcapping", ATTENTION_CAP) if second else None,
            output_cap=text.get("final_logit_softcapping", OUTPUT_CAP) if second else None,
            post_norms=second,
            vision_width=vision["hidden_size"],
            vision_mlp=vision["intermediate_size"],
            vision_layers=vision["num_hidden_layers"],
            vision_heads=vision["num_attention_heads"],
            resolution=vision.get("image_size", DEFAULT_SIDE),
            patch=vision.get("patch_size", 14),
        )
    except KeyError as error:
        raise BackendError(
            f"model {checkpoint.name}: config.json does not say {error}. Copy it from its base."
        ) from None


def _check_fixed(checkpoint: Checkpoint) -> None:
    for part, values in FIXED.items():
        config = checkpoint.config.get(part, {})
        stated = {**config, **(config.get("rope_parameters") or {})}
        for name, value in values.items():
            if stated.get(name, value) != value:
                raise BackendError(
                    f"model {checkpoint.name}: {part}.{name} is {stated[name]}, and backend jax knows only {value}. "
                    "Use --backend torch."
                )


def from_shapes(name: str, shapes: Shapes) -> Architecture:
    """Of the arrays of a big_vision checkpoint, without their prefix ``params/``. PaliGemma 2 has post norms.

    Raises BackendError that names the first array that is missing.
    """

    def shape(array: str, dimensions: int) -> tuple[int, ...]:
        found = shapes.get(array)
        if found is None:
            raise BackendError(f"model {name}: no PaliGemma checkpoint of big_vision: array params/{array} is missing.")
        if len(found) != dimensions:
            raise BackendError(f"model {name}: array params/{array} has {len(found)} dimensions, not {dimensions}.")
        return found

    vocabulary, width = shape("llm/embedder/input_embedding", 2)
    layers, heads, _, head_dim = shape("llm/layers/attn/q_einsum/w", 4)
    kv_heads = shape("llm/layers/attn/kv_einsum/w", 5)[2]
    mlp = shape("llm/layers/mlp/linear", 3)[1]
    patch, _, _, vision_width = shape("img/embedding/kernel", 4)
    vision_layers, _, vision_heads, _ = shape(
        "img/Transformer/encoderblock/MultiHeadDotProductAttention_0/query/kernel", 4
    )
    vision_mlp = shape("img/Transformer/encoderblock/MlpBlock_0/Dense_0/kernel", 3)[2]
    tokens = shape("img/pos_embedding", 3)[1]
    side = math.isqrt(tokens)
    if side * side != tokens:
        raise BackendError(f"model {name}: {tokens} image positions in params/img/pos_embedding are no square.")
    second = "llm/layers/post_attention_norm/scale" in shapes
    return Architecture(
        width=width,
        mlp=mlp,
        layers=layers,
        heads=heads,
        kv_heads=kv_heads,
        head_dim=head_dim,
        vocabulary=vocabulary,
        query_divisor=width // heads if second and head_dim == NARROW_HEADS else head_dim,
        attention_cap=ATTENTION_CAP if second else None,
        output_cap=OUTPUT_CAP if second else None,
        post_norms=second,
        vision_width=vision_width,
        vision_mlp=vision_mlp,
        vision_layers=vision_layers,
        vision_heads=vision_heads,
        resolution=side * patch,
        patch=patch,
    )


def check_arrays(name: str, found: Shapes, expected: Shapes, prefix: str = "") -> None:
    """Raise BackendError, naming the first, when arrays are missing or of another shape."""
    lacking = [array for array, shape in expected.items() if tuple(found.get(array, ())) != shape]
    if lacking:
        first, has = lacking[0], found.get(lacking[0])
        state = "is missing" if has is None else f"has shape {tuple(has)}, not {expected[first]}"
        raise BackendError(
            f"model {name}: {len(lacking)} weights are missing or of another shape (first: {prefix}{first} {state}). "
            "Copy the checkpoint again."
        )


def as_config(architecture: Architecture) -> dict[str, Any]:
    """As much of a ``config.json`` as naming the family and checking the resolution look at."""
    return {
        "model_type": "paligemma",
        "text_config": {"model_type": "gemma2" if architecture.post_norms else "gemma"},
        "vision_config": {"image_size": architecture.resolution},
    }
