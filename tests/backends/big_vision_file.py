"""A tiny checkpoint written as big_vision does: one ``.npz``, layers stacked, kernels as its modules have them.

Shapes as in big_vision ``models/ppp/gemma.py`` (einsum weights) and flax's attention, dense and norm modules.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
VISION, TEXT = "vision_tower.vision_model.", "language_model.model."


def arrays(weights: Mapping[str, Array], config: Mapping[str, Any], vocabulary: int) -> dict[str, Array]:
    """The released names and layout, from the arrays of a Hugging Face checkpoint; ``vocabulary`` rows are kept."""
    out = {f"llm/{name}": value for name, value in _language(weights, config["text_config"]).items()}
    out |= {f"img/{name}": value for name, value in _vision(weights, config["vision_config"]).items()}
    out["llm/embedder/input_embedding"] = weights[f"{TEXT}embed_tokens.weight"][:vocabulary]
    out["img/head/kernel"] = weights["multi_modal_projector.linear.weight"].T
    out["img/head/bias"] = weights["multi_modal_projector.linear.bias"]
    return {f"params/{name}": np.ascontiguousarray(value) for name, value in out.items()}


def write(path: Path, values: Mapping[str, Array], dtype: Any = np.float32) -> Path:
    np.savez(path, **{name: value.astype(dtype) for name, value in values.items()})
    return path


def _language(weights: Mapping[str, Array], config: Mapping[str, Any]) -> dict[str, Array]:
    def stacked(name: str) -> Array:
        return np.stack([weights[f"{TEXT}layers.{n}.{name}.weight"] for n in range(config["num_hidden_layers"])])

    def heads(name: str, count: int) -> Array:
        """(layers, heads * size, width) -> (layers, heads, width, size)."""
        value = stacked(name)
        return value.reshape(len(value), count, -1, config["hidden_size"]).transpose(0, 1, 3, 2)

    count, groups = config["num_attention_heads"], config["num_key_value_heads"]
    out = stacked("self_attn.o_proj").transpose(0, 2, 1)
    values = {
        "layers/attn/q_einsum/w": heads("self_attn.q_proj", count),
        "layers/attn/kv_einsum/w": np.stack(
            [heads("self_attn.k_proj", groups), heads("self_attn.v_proj", groups)], axis=1
        ),
        "layers/attn/attn_vec_einsum/w": out.reshape(len(out), count, -1, config["hidden_size"]),
        "layers/mlp/gating_einsum": np.stack(
            [stacked("mlp.gate_proj").transpose(0, 2, 1), stacked("mlp.up_proj").transpose(0, 2, 1)], axis=1
        ),
        "layers/mlp/linear": stacked("mlp.down_proj").transpose(0, 2, 1),
        "layers/pre_attention_norm/scale": stacked("input_layernorm"),
        "final_norm/scale": weights[f"{TEXT}norm.weight"],
    }
    if config["model_type"] == "gemma2":
        return values | {
            "layers/post_attention_norm/scale": stacked("post_attention_layernorm"),
            "layers/pre_ffw_norm/scale": stacked("pre_feedforward_layernorm"),
            "layers/post_ffw_norm/scale": stacked("post_feedforward_layernorm"),
        }
    return values | {"layers/pre_ffw_norm/scale": stacked("post_attention_layernorm")}


def _vision(weights: Mapping[str, Array], config: Mapping[str, Any]) -> dict[str, Array]:
    heads, wide = config["num_attention_heads"], config["hidden_size"]

    def stacked(name: str) -> Array:
        return np.stack(
            [weights[f"{VISION}encoder.layers.{layer}.{name}"] for layer in range(config["num_hidden_layers"])]
        )

    block = "Transformer/encoderblock/"
    attention = f"{block}MultiHeadDotProductAttention_0/"
    values = {
        "embedding/kernel": weights[f"{VISION}embeddings.patch_embedding.weight"].transpose(2, 3, 1, 0),
        "embedding/bias": weights[f"{VISION}embeddings.patch_embedding.bias"],
        "pos_embedding": weights[f"{VISION}embeddings.position_embedding.weight"][None],
        "Transformer/encoder_norm/scale": weights[f"{VISION}post_layernorm.weight"],
        "Transformer/encoder_norm/bias": weights[f"{VISION}post_layernorm.bias"],
    }
    for name, kind in (("query", "q"), ("key", "k"), ("value", "v")):
        kernel = stacked(f"self_attn.{kind}_proj.weight").transpose(0, 2, 1)
        values[f"{attention}{name}/kernel"] = kernel.reshape(len(kernel), wide, heads, -1)
        values[f"{attention}{name}/bias"] = stacked(f"self_attn.{kind}_proj.bias").reshape(len(kernel), heads, -1)
    kernel = stacked("self_attn.out_proj.weight").transpose(0, 2, 1)
    values[f"{attention}out/kernel"] = kernel.reshape(len(kernel), heads, -1, wide)
    values[f"{attention}out/bias"] = stacked("self_attn.out_proj.bias")
    for number in (0, 1):
        values[f"{block}LayerNorm_{number}/scale"] = stacked(f"layer_norm{number + 1}.weight")
        values[f"{block}LayerNorm_{number}/bias"] = stacked(f"layer_norm{number + 1}.bias")
        values[f"{block}MlpBlock_0/Dense_{number}/kernel"] = stacked(f"mlp.fc{number + 1}.weight").transpose(0, 2, 1)
        values[f"{block}MlpBlock_0/Dense_{number}/bias"] = stacked(f"mlp.fc{number + 1}.bias")
    return values
