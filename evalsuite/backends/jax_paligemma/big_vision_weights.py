"""The official checkpoints: ``.npz`` files of big_vision in float32, bfloat16 or float16, read without pickle.

Arrays are named ``params/img/...`` and ``params/llm/...``; those of the layers have the layer as their first axis.
There is no output layer of its own: ``models/ppp/gemma.py`` makes logits with the embeddings (``Embedder.decode``).
big_vision ``models/proj/paligemma/paligemma.py``, ``models/ppp/gemma.py`` and ``models/vit.py``.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from evalsuite.backends.checkpoints.contents import refuse_adapter_tensors
from evalsuite.backends.jax_paligemma.architecture import Architecture, Shapes, check_arrays, from_shapes
from evalsuite.errors import BackendError

Place = Callable[[NDArray[Any]], Any]

PREFIX, SUFFIX = "params/", ".npy"
BFLOAT16 = np.dtype("V2")  # as numpy reads it
BLOCK = "img/Transformer/encoderblock/"
ATTENTION = f"{BLOCK}MultiHeadDotProductAttention_0/"


def expected_shapes(sizes: Architecture) -> Shapes:
    """Every array, without ``params/``, and its shape."""
    layers, width, heads, size = sizes.layers, sizes.width, sizes.heads, sizes.head_dim
    deep, wide, vision_size = sizes.vision_layers, sizes.vision_width, sizes.vision_width // sizes.vision_heads
    shapes: dict[str, tuple[int, ...]] = {
        "llm/embedder/input_embedding": (sizes.vocabulary, width),
        "llm/layers/attn/q_einsum/w": (layers, heads, width, size),
        "llm/layers/attn/kv_einsum/w": (layers, 2, sizes.kv_heads, width, size),
        "llm/layers/attn/attn_vec_einsum/w": (layers, heads, size, width),
        "llm/layers/mlp/gating_einsum": (layers, 2, width, sizes.mlp),
        "llm/layers/mlp/linear": (layers, sizes.mlp, width),
        "llm/final_norm/scale": (width,),
        "img/embedding/kernel": (sizes.patch, sizes.patch, 3, wide),
        "img/embedding/bias": (wide,),
        "img/pos_embedding": (1, sizes.tokens_per_frame, wide),
        f"{ATTENTION}out/kernel": (deep, sizes.vision_heads, vision_size, wide),
        f"{ATTENTION}out/bias": (deep, wide),
        f"{BLOCK}MlpBlock_0/Dense_0/kernel": (deep, wide, sizes.vision_mlp),
        f"{BLOCK}MlpBlock_0/Dense_0/bias": (deep, sizes.vision_mlp),
        f"{BLOCK}MlpBlock_0/Dense_1/kernel": (deep, sizes.vision_mlp, wide),
        f"{BLOCK}MlpBlock_0/Dense_1/bias": (deep, wide),
        "img/Transformer/encoder_norm/scale": (wide,),
        "img/Transformer/encoder_norm/bias": (wide,),
        "img/head/kernel": (wide, width),
        "img/head/bias": (width,),
    }
    for kind in ("query", "key", "value"):
        shapes[f"{ATTENTION}{kind}/kernel"] = (deep, wide, sizes.vision_heads, vision_size)
        shapes[f"{ATTENTION}{kind}/bias"] = (deep, sizes.vision_heads, vision_size)
    for number in (0, 1):
        shapes |= {f"{BLOCK}LayerNorm_{number}/{part}": (deep, wide) for part in ("scale", "bias")}
    for when in ("pre", "post") if sizes.post_norms else ("pre",):
        shapes |= {f"llm/layers/{when}_{part}_norm/scale": (layers, width) for part in ("attention", "ffw")}
    return shapes


class Arrays(NamedTuple):
    """What the headers of a file's arrays tell. unused: names of those that no part of the model uses."""

    sizes: Architecture
    unused: list[str]


def read_arrays(name: str, path: Path) -> Arrays:
    """Sizes of the model, from the headers of the arrays alone.

    Raises BackendError when the file is damaged, or an array is missing, of a wrong shape, of another type than a
    float, of an adapter, or holds pickled objects.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    types: dict[str, np.dtype[Any]] = {}
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.namelist()
            for member in members:
                if member.startswith(PREFIX):
                    array = member.removeprefix(PREFIX).removesuffix(SUFFIX)
                    shapes[array], types[array] = _header(name, member, archive)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BackendError(f"model {name}: is no .npz file, or damaged ({error}). Copy it again.") from error
    refuse_adapter_tensors(name, members)
    sizes = from_shapes(name, shapes)
    expected = expected_shapes(sizes)
    check_arrays(name, shapes, expected, PREFIX)
    for array in expected:
        if types[array].kind != "f" and types[array] != BFLOAT16:
            raise BackendError(
                f"model {name}: array {PREFIX}{array} is of type {types[array]}, and nothing says what its numbers "
                "stand for. Save it in float32, bfloat16 or float16."
            )
    used = {f"{PREFIX}{array}{SUFFIX}" for array in expected}
    return Arrays(sizes, [member.removesuffix(SUFFIX) for member in members if member not in used])


def _header(name: str, member: str, archive: zipfile.ZipFile) -> tuple[tuple[int, ...], np.dtype[Any]]:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    if dtype.hasobject:
        raise BackendError(
            f"model {name}: array {member.removesuffix(SUFFIX)} holds pickled objects, which can run code when read. "
            "Save it as plain numbers."
        )
    return tuple(shape), dtype


class BigVisionWeights:
    """The arrays of a file that :func:`read_arrays` accepted."""

    def __init__(self, name: str, path: Path, sizes: Architecture) -> None:
        self._name, self._path, self._sizes = name, path, sizes

    def parameters(self, place: Place) -> dict[str, Any]:
        """The tree that :mod:`model` takes; ``place`` puts each array onto the device."""
        try:
            with np.load(self._path, allow_pickle=False) as arrays:
                return self._parameters(arrays, place)
        except (OSError, ValueError, zipfile.BadZipFile) as error:
            raise BackendError(f"model {self._name}: cannot be read ({error}). Copy it again.") from error

    def _parameters(self, arrays: Any, place: Place) -> dict[str, Any]:
        def read(name: str) -> NDArray[Any]:
            return _numbers(arrays[PREFIX + name])

        def linear(name: str) -> dict[str, Any]:
            return {"kernel": place(read(f"{name}/kernel")), "bias": place(read(f"{name}/bias"))}

        kernel = read("img/embedding/kernel").reshape(-1, self._sizes.vision_width)
        embedding = place(read("llm/embedder/input_embedding"))
        norm = "img/Transformer/encoder_norm"
        return {
            "patch": {"kernel": place(kernel), "bias": place(read("img/embedding/bias"))},
            "positions": place(read("img/pos_embedding")[0]),
            "vision_layers": self._vision_layers(read, place),
            "vision_norm": {"scale": place(read(f"{norm}/scale")), "bias": place(read(f"{norm}/bias"))},
            "projector": linear("img/head"),
            "embedding": embedding,
            "output": embedding,
            "layers": self._text_layers(read, place),
            "norm": place(read("llm/final_norm/scale")),
        }

    def _text_layers(self, read: Callable[[str], NDArray[Any]], place: Place) -> list[dict[str, Any]]:
        """One array of all layers is in memory at a time, or two where they are joined."""
        width = self._sizes.width

        def scales(name: str) -> list[Any]:
            return [place(scale) for scale in read(f"llm/layers/{name}_norm/scale")]

        def joined(*parts: NDArray[Any]) -> Any:
            """From (heads or kinds, in, out) to (in, all outs)."""
            return place(np.concatenate([part.transpose(1, 0, 2).reshape(width, -1) for part in parts], axis=1))

        queries, keys_values = read("llm/layers/attn/q_einsum/w"), read("llm/layers/attn/kv_einsum/w")
        columns = {
            "pre_attention": scales("pre_attention"),
            "qkv": [joined(query, *both) for query, both in zip(queries, keys_values, strict=True)],
            "out": [place(out.reshape(-1, width)) for out in read("llm/layers/attn/attn_vec_einsum/w")],
            "pre_mlp": scales("pre_ffw"),
            "gate_up": [joined(both) for both in read("llm/layers/mlp/gating_einsum")],
            "down": [place(down) for down in read("llm/layers/mlp/linear")],
        }
        if self._sizes.post_norms:
            columns |= {"post_attention": scales("post_attention"), "post_mlp": scales("post_ffw")}
        return _rows(columns)

    def _vision_layers(self, read: Callable[[str], NDArray[Any]], place: Place) -> list[dict[str, Any]]:
        wide = self._sizes.vision_width

        def norms(number: int) -> list[dict[str, Any]]:
            parts = [read(f"{BLOCK}LayerNorm_{number}/{part}") for part in ("scale", "bias")]
            return [{"scale": place(scale), "bias": place(bias)} for scale, bias in zip(*parts, strict=True)]

        def linears(*names: str, inputs: int) -> list[dict[str, Any]]:
            """Linear layers of one input, side by side."""
            kernels = [read(f"{name}/kernel") for name in names]
            biases = [read(f"{name}/bias") for name in names]
            return [
                {
                    "kernel": place(np.concatenate([kernel[layer].reshape(inputs, -1) for kernel in kernels], axis=1)),
                    "bias": place(np.concatenate([bias[layer].reshape(-1) for bias in biases])),
                }
                for layer in range(len(kernels[0]))
            ]

        kinds = [f"{ATTENTION}{kind}" for kind in ("query", "key", "value")]
        return _rows(
            {
                "norm1": norms(0),
                "qkv": linears(*kinds, inputs=wide),
                "out": linears(f"{ATTENTION}out", inputs=wide),
                "norm2": norms(1),
                "up": linears(f"{BLOCK}MlpBlock_0/Dense_0", inputs=wide),
                "down": linears(f"{BLOCK}MlpBlock_0/Dense_1", inputs=self._sizes.vision_mlp),
            }
        )


def _numbers(array: NDArray[Any]) -> NDArray[Any]:
    """numpy reads bfloat16 as two raw bytes."""
    if array.dtype == BFLOAT16:
        import ml_dtypes

        return array.view(ml_dtypes.bfloat16)
    return array


def _rows(columns: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """From one list over all layers per part to the parts of each layer."""
    return [dict(zip(columns, parts, strict=True)) for parts in zip(*columns.values(), strict=True)]
