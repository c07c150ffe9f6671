"""The sizes of a PaliGemma checkpoint, read from its config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalsuite.backends.checkpoints.resolve import Checkpoint
from evalsuite.errors import BackendError


@dataclass(frozen=True)
class VisionShape:
    """SigLIP. resolution, patch: pixels. tokens: per image."""

    width: int
    mlp: int
    layers: int
    heads: int
    resolution: int
    patch: int
    epsilon: float

    @property
    def tokens(self) -> int:
        return (self.resolution // self.patch) ** 2


@dataclass(frozen=True)
class TextShape:
    """Gemma, or Gemma 2 where ``second``: norms after attention and MLP too, and soft caps.

    scale: attention logits are multiplied by it. attention_cap, output_cap: None without a cap.
    """

    width: int
    mlp: int
    layers: int
    heads: int
    groups: int
    head_size: int
    vocabulary: int
    second: bool
    scale: float
    attention_cap: float | None
    output_cap: float | None
    rope_base: float
    epsilon: float


@dataclass(frozen=True)
class ModelShape:
    vision: VisionShape
    text: TextShape
    image_token: int


# What a released config leaves out because it is the default of its class in transformers.
VISION_DEFAULTS = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
TEXT_DEFAULTS: dict[str, dict[str, Any]] = {
    "gemma": {
        "hidden_size": 3072,
        "intermediate_size": 24576,
        "num_hidden_layers": 28,
        "num_attention_heads": 16,
        "num_key_value_heads": 16,
        "head_dim": 256,
        "vocab_size": 256000,
    },
    "gemma2": {
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "vocab_size": 256000,
    },
}


def require_paligemma(checkpoint: Checkpoint) -> None:
    """Raises BackendError, with the way out, for any other architecture."""
    if not checkpoint.is_paligemma:
        raise BackendError(
            f"model {checkpoint.name}: is of type {checkpoint.family}; backend 'cpu' runs PaliGemma and PaliGemma 2. "
            "Quantize others with --backend torch --option quantization=int8 (pip install 'evalsuite[quantized]')."
        )


def model_shape(checkpoint: Checkpoint) -> ModelShape:
    """Raises BackendError when the config is not one of PaliGemma or lacks what is needed."""
    require_paligemma(checkpoint)
    config = checkpoint.config
    text = config.get("text_config")
    vision = config.get("vision_config")
    if not isinstance(text, Mapping) or not isinstance(vision, Mapping) or text.get("model_type") not in TEXT_DEFAULTS:
        raise BackendError(
            f"model {checkpoint.name}: config.json has no text_config of gemma or gemma2 with a vision_config."
        )
    if text.get("attention_bias"):
        raise BackendError(
            f"model {checkpoint.name}: text_config.attention_bias is true, and backend 'cpu' knows attention without "
            "biases only. Use --backend torch."
        )
    try:
        return ModelShape(
            _vision_shape(vision), _text_shape(text), int(config.get("image_token_index", config.get("image_token_id")))
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BackendError(f"model {checkpoint.name}: config.json cannot be read ({error}).") from error


def _vision_shape(config: Mapping[str, Any]) -> VisionShape:
    values = {**VISION_DEFAULTS, **config}
    return VisionShape(
        width=int(values["hidden_size"]),
        mlp=int(values["intermediate_size"]),
        layers=int(values["num_hidden_layers"]),
        heads=int(values["num_attention_heads"]),
        resolution=int(values.get("image_size", 224)),
        patch=int(values.get("patch_size", 16)),
        epsilon=float(values.get("layer_norm_eps", 1e-6)),
    )


def _text_shape(config: Mapping[str, Any]) -> TextShape:
    second = config["model_type"] == "gemma2"
    values = {**TEXT_DEFAULTS[config["model_type"]], **config}
    head_size = int(values["head_dim"])
    rope = values.get("rope_parameters") or {}
    return TextShape(
        width=int(values["hidden_size"]),
        mlp=int(values["intermediate_size"]),
        layers=int(values["num_hidden_layers"]),
        heads=int(values["num_attention_heads"]),
        groups=int(values["num_key_value_heads"]),
        head_size=head_size,
        vocabulary=int(values["vocab_size"]),
        second=second,
        scale=float(values.get("query_pre_attn_scalar", 256) if second else head_size) ** -0.5,
        attention_cap=_cap(values.get("attn_logit_softcapping", 50.0)) if second else None,
        output_cap=_cap(values.get("final_logit_softcapping", 30.0)) if second else None,
        rope_base=float(values.get("rope_theta") or rope.get("rope_theta") or 10_000.0),
        epsilon=float(values.get("rms_norm_eps", 1e-6)),
    )


def _cap(value: Any) -> float | None:
    """0 switches a cap off, as in big_vision."""
    return float(value) if value else None
