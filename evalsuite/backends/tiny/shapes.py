"""Sizes of the random models, and their configuration in the form of a checkpoint folder."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from evalsuite.backends.tiny.tokenizer import IMAGE_TOKEN_ID, VOCABULARY_SIZE

RECIPE = 1  # raise when the bytes of a tiny model change
PATCH = 14
MAX_RESOLUTION = 448
FAMILIES = ("paligemma", "paligemma2")
TINY_MODELS = {"tiny": "paligemma2", "tiny-paligemma": "paligemma"}
"""Model names that mean a tiny checkpoint, and the family of each."""
MID = "mid"
"""Model name of a random PaliGemma 2 of 214 million parameters: large enough that weights, not calls, take the time."""


@dataclass(frozen=True)
class TinyShape:
    """What a tiny checkpoint is made from; the cache key is its digest.

    row_spread: standard deviation of the logarithm of the embedding rows' lengths; None takes the tiny model's lengths.
    largest_gain: no linear layer makes its output larger than its input by more; 1 keeps the variance, as the usual
    initialisations do, and the larger gains of tiny models let two layers matter.
    """

    family: str = "paligemma2"
    seed: int = 0
    resolution: int = 56
    sliding_window: int | None = None
    hidden: int = 64
    mlp: int = 128
    layers: int = 2
    heads: int = 4
    head_dim: int = 16
    vision_hidden: int = 64
    vision_mlp: int = 128
    vision_layers: int = 2
    vision_heads: int = 4
    vocabulary: int = VOCABULARY_SIZE
    image_token: int = IMAGE_TOKEN_ID
    patch: int = PATCH
    row_spread: float | None = None
    largest_gain: float = 2.0

    @property
    def kv_heads(self) -> int:
        """One for Gemma 1 (multi-query), half the heads for Gemma 2, as in the released models."""
        return 1 if self.family == "paligemma" else self.heads // 2

    @property
    def image_tokens(self) -> int:
        return (self.resolution // self.patch) ** 2

    def digest(self) -> str:
        text = json.dumps({"recipe": RECIPE, **asdict(self)}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


MID_SHAPE = TinyShape(
    resolution=224,
    hidden=1024,
    mlp=4096,
    layers=6,
    heads=4,
    head_dim=256,
    vision_hidden=768,
    vision_mlp=3072,
    vision_layers=12,
    vision_heads=12,
    vocabulary=32768,
    row_spread=0.4,
    largest_gain=1.0,
)


def model_config(shape: TinyShape) -> dict[str, Any]:
    """``config.json`` with the field names of the released PaliGemma and PaliGemma 2 checkpoints."""
    second = shape.family == "paligemma2"
    text: dict[str, Any] = {
        "model_type": "gemma2" if second else "gemma",
        "vocab_size": shape.vocabulary,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.mlp,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "max_position_embeddings": 32768,
        "num_image_tokens": shape.image_tokens,
        "hidden_activation": "gelu_pytorch_tanh",
        "rms_norm_eps": 1e-6,
    }
    if second:
        text |= {
            "query_pre_attn_scalar": shape.head_dim,
            "attn_logit_softcapping": 50.0,
            "final_logit_softcapping": 30.0,
            "sliding_window": shape.sliding_window or 4096,
            "layer_types": _layer_types(shape),
        }
    vision = {
        "model_type": "siglip_vision_model",
        "hidden_size": shape.vision_hidden,
        "intermediate_size": shape.vision_mlp,
        "num_hidden_layers": shape.vision_layers,
        "num_attention_heads": shape.vision_heads,
        "image_size": shape.resolution,
        "patch_size": shape.patch,
        "num_image_tokens": shape.image_tokens,
        "projection_dim": shape.hidden,
        "vision_use_head": False,
    }
    return {
        "architectures": ["PaliGemmaForConditionalGeneration"],
        "model_type": "paligemma",
        "bos_token_id": 2,
        "eos_token_id": 1,
        "pad_token_id": 0,
        "image_token_index": shape.image_token,
        "hidden_size": shape.hidden,
        "projection_dim": shape.hidden,
        "torch_dtype": "float32",
        "text_config": text,
        "vision_config": vision,
    }


def _layer_types(shape: TinyShape) -> list[str]:
    if shape.sliding_window is None:
        return ["full_attention"] * shape.layers
    return ["full_attention" if layer % 2 else "sliding_attention" for layer in range(shape.layers)]


def image_processor_config(shape: TinyShape) -> dict[str, Any]:
    return {
        "image_processor_type": "SiglipImageProcessor",
        "processor_class": "PaliGemmaProcessor",
        "image_seq_length": shape.image_tokens,
        "do_convert_rgb": None,
        "do_resize": True,
        "resample": 3,
        "size": {"height": shape.resolution, "width": shape.resolution},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
