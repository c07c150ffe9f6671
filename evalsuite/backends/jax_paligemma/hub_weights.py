"""Weights in the safetensors files of a Hugging Face checkpoint, by their plain names.

Linear layers are stored (out, in); here and in :mod:`big_vision_weights` they become (in, out).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.backends.checkpoints.heads import VocabularyEnds, vocabulary_ends
from evalsuite.backends.checkpoints.resolve import Checkpoint
from evalsuite.backends.checkpoints.tensors import by_plain_name, stored_tensors
from evalsuite.backends.checkpoints.weights import weight_files
from evalsuite.backends.jax_paligemma.architecture import Architecture, Shapes, check_arrays
from evalsuite.errors import BackendError

Place = Callable[[NDArray[Any]], Any]
PATCH_EMBEDDING = "vision_tower.embeddings.patch_embedding.weight"


def expected_shapes(sizes: Architecture, ends: VocabularyEnds) -> Shapes:
    """Every array by its plain name, and its shape."""
    queries, keys = sizes.heads * sizes.head_dim, sizes.kv_heads * sizes.head_dim
    width, wide = sizes.width, sizes.vision_width
    shapes: dict[str, tuple[int, ...]] = {
        **dict.fromkeys(ends, (sizes.vocabulary, width)),
        "language_model.norm.weight": (width,),
        "multi_modal_projector.linear.weight": (width, wide),
        "multi_modal_projector.linear.bias": (width,),
        PATCH_EMBEDDING: (wide, 3, sizes.patch, sizes.patch),
        "vision_tower.embeddings.patch_embedding.bias": (wide,),
        "vision_tower.embeddings.position_embedding.weight": (sizes.tokens_per_frame, wide),
        "vision_tower.post_layernorm.weight": (wide,),
        "vision_tower.post_layernorm.bias": (wide,),
    }
    norms = ["input", "post_attention", *(("pre_feedforward", "post_feedforward") if sizes.post_norms else ())]
    for layer in range(sizes.layers):
        name = f"language_model.layers.{layer}."
        shapes |= {f"{name}{norm}_layernorm.weight": (width,) for norm in norms}
        shapes |= {
            f"{name}self_attn.q_proj.weight": (queries, width),
            f"{name}self_attn.k_proj.weight": (keys, width),
            f"{name}self_attn.v_proj.weight": (keys, width),
            f"{name}self_attn.o_proj.weight": (width, queries),
            f"{name}mlp.gate_proj.weight": (sizes.mlp, width),
            f"{name}mlp.up_proj.weight": (sizes.mlp, width),
            f"{name}mlp.down_proj.weight": (width, sizes.mlp),
        }
    for layer in range(sizes.vision_layers):
        name = f"vision_tower.encoder.layers.{layer}."
        linears = {f"self_attn.{kind}_proj": (wide, wide) for kind in ("q", "k", "v", "out")}
        linears |= {"mlp.fc1": (sizes.vision_mlp, wide), "mlp.fc2": (wide, sizes.vision_mlp)}
        for part, shape in linears.items():
            shapes |= {f"{name}{part}.weight": shape, f"{name}{part}.bias": shape[:1]}
        shapes |= {f"{name}layer_norm{n}.{part}": (wide,) for n in (1, 2) for part in ("weight", "bias")}
    return shapes


class HubWeights:
    """The arrays of a checkpoint folder. Raises BackendError when files are damaged or arrays are missing."""

    def __init__(self, checkpoint: Checkpoint, sizes: Architecture) -> None:
        name = checkpoint.name
        self._tensors = by_plain_name(name, stored_tensors(name, weight_files(checkpoint.folder)))
        self._ends = vocabulary_ends(name, checkpoint.config, self._tensors)
        shapes = {plain: tensor.shape for plain, tensor in self._tensors.items()}
        check_arrays(name, shapes, expected_shapes(sizes, self._ends))
        self._name, self._sizes = name, sizes
        self._open: dict[Path, Any] = {}

    def parameters(self, place: Place) -> dict[str, Any]:
        """The tree that :mod:`model` takes; ``place`` puts each array onto the device."""
        sizes = self._sizes
        embedding = place(self._read(self._ends.embeddings))
        kernel = self._read(PATCH_EMBEDDING).transpose(2, 3, 1, 0)  # to (height, width, channel, out)
        return {
            "patch": {
                "kernel": place(kernel.reshape(-1, sizes.vision_width)),
                "bias": place(self._read("vision_tower.embeddings.patch_embedding.bias")),
            },
            "positions": place(self._read("vision_tower.embeddings.position_embedding.weight")),
            "vision_layers": [self._vision_layer(layer, place) for layer in range(sizes.vision_layers)],
            "vision_norm": self._layer_norm("vision_tower.post_layernorm", place),
            "projector": self._linear(["multi_modal_projector.linear"], place),
            "embedding": embedding,
            "output": embedding if self._ends.tied else place(self._read(self._ends.output)),
            "layers": [self._text_layer(layer, place) for layer in range(sizes.layers)],
            "norm": place(self._read("language_model.norm.weight")),
        }

    def _text_layer(self, layer: int, place: Place) -> dict[str, Any]:
        name = f"language_model.layers.{layer}."

        def joined(*parts: str) -> Any:
            return place(np.concatenate([self._read(f"{name}{part}_proj.weight") for part in parts]).T)

        def norm(which: str) -> Any:
            return place(self._read(f"{name}{which}_layernorm.weight"))

        second = self._sizes.post_norms
        weights = {
            "pre_attention": norm("input"),
            "qkv": joined("self_attn.q", "self_attn.k", "self_attn.v"),
            "out": joined("self_attn.o"),
            "pre_mlp": norm("pre_feedforward" if second else "post_attention"),
            "gate_up": joined("mlp.gate", "mlp.up"),
            "down": joined("mlp.down"),
        }
        return weights | (
            {"post_attention": norm("post_attention"), "post_mlp": norm("post_feedforward")} if second else {}
        )

    def _vision_layer(self, layer: int, place: Place) -> dict[str, Any]:
        name = f"vision_tower.encoder.layers.{layer}."
        return {
            "norm1": self._layer_norm(f"{name}layer_norm1", place),
            "qkv": self._linear([f"{name}self_attn.{kind}_proj" for kind in "qkv"], place),
            "out": self._linear([f"{name}self_attn.out_proj"], place),
            "norm2": self._layer_norm(f"{name}layer_norm2", place),
            "up": self._linear([f"{name}mlp.fc1"], place),
            "down": self._linear([f"{name}mlp.fc2"], place),
        }

    def _linear(self, names: list[str], place: Place) -> dict[str, Any]:
        """Linear layers of one input, side by side."""
        return {
            "kernel": place(np.concatenate([self._read(f"{name}.weight") for name in names]).T),
            "bias": place(np.concatenate([self._read(f"{name}.bias") for name in names])),
        }

    def _layer_norm(self, name: str, place: Place) -> dict[str, Any]:
        return {"scale": place(self._read(f"{name}.weight")), "bias": place(self._read(f"{name}.bias"))}

    def _read(self, plain: str) -> NDArray[Any]:
        from safetensors import SafetensorError, safe_open

        tensor = self._tensors[plain]
        try:
            if tensor.file not in self._open:
                self._open[tensor.file] = safe_open(tensor.file, framework="numpy")
            array: NDArray[Any] = self._open[tensor.file].get_tensor(tensor.name)
        except (OSError, ValueError, SafetensorError) as error:
            raise BackendError(f"model {self._name}: its weights cannot be read: {error}") from error
        return array
