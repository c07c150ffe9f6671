"""``--model tiny``: a small seeded random PaliGemma that loads like any local checkpoint folder.

It lets every task run anywhere, offline, in seconds. Its answers mean nothing, but they depend on the image and on
the prompt, mix words with location and segmentation tokens, and end by themselves. The files are written by hand
with numpy and safetensors, so that no framework is needed to build them and the same seed gives the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.backends.tiny.tokenizer import IMAGE_TOKEN_ID, VOCABULARY_SIZE, row_scales, write_tokenizer
from evalsuite.errors import UsageError, did_you_mean

RECIPE = 1  # raise when the bytes of a tiny model change
PATCH = 14
MAX_RESOLUTION = 448
FAMILIES = ("paligemma", "paligemma2")
TINY_MODELS = {"tiny": "paligemma2", "tiny-paligemma": "paligemma"}
"""Model names that mean a tiny checkpoint, and the family of each."""
MID = "mid"
"""Model name of a random PaliGemma 2 of 214 million parameters: large enough that weights, not calls, take the time."""
ROW_LENGTH = 0.03  # root mean square of an embedding row
END_SCALES = {"paligemma": 1.8, "paligemma2": 3.6}  # tried: the middle answer has a few words, the longest hundreds

Array = NDArray[np.float32]


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


def tiny_checkpoint(
    family: str = "paligemma2", seed: int = 0, resolution: int = 56, sliding_window: int | None = None
) -> Path:
    """Folder of the tiny checkpoint, built on first use and kept in the user's cache.

    family: ``paligemma`` (Gemma 1 text) or ``paligemma2`` (Gemma 2 text). resolution: pixels, a multiple of 14 up to
    448. sliding_window: the window that the config of a ``paligemma2`` declares for every second layer; backends must
    ignore it, as big_vision does. Raises UsageError for anything else.
    """
    if family not in FAMILIES:
        raise UsageError(f"tiny model: unknown family {family!r}. {did_you_mean(family, FAMILIES)}")
    _check_drawable(seed, resolution)
    return _checkpoint("tiny", TinyShape(family, seed, resolution, sliding_window))


def mid_checkpoint(seed: int = 0, resolution: int = 224) -> Path:
    """Folder of the checkpoint ``mid``, built like the tiny one, for measuring speed (``evalsuite bench``).

    A SigLIP-B image tower (86 million parameters) and a Gemma 2 of 6 layers, width 1024 and 32,768 tokens (128
    million). Its embedding rows differ in length, since rows of one length would make 32,768 near ties. How often a
    rounded model agrees with the exact one depends on that choice (docs/performance.md).
    resolution: pixels, a multiple of 14 up to 448. Raises UsageError
    for anything else.
    """
    _check_drawable(seed, resolution)
    return _checkpoint(MID, replace(MID_SHAPE, seed=seed, resolution=resolution))


def _check_drawable(seed: int, resolution: int) -> None:
    if resolution % PATCH or not PATCH <= resolution <= MAX_RESOLUTION:
        raise UsageError(f"tiny model: resolution {resolution} is not a multiple of {PATCH} up to {MAX_RESOLUTION}.")
    if seed < 0:
        raise UsageError(f"tiny model: seed {seed} is negative.")


def _checkpoint(name: str, shape: TinyShape) -> Path:
    folder = cache_folder() / f"{name}-{shape.digest()}"
    if not _is_complete(folder):
        _build(shape, folder)
    return folder


def cache_folder() -> Path:
    """``$EVALSUITE_CACHE/models``, else ``$XDG_CACHE_HOME/evalsuite/models``, else ``~/.cache/evalsuite/models``."""
    own = os.environ.get("EVALSUITE_CACHE")
    if own:
        return Path(own) / "models"
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "evalsuite" / "models"


def _is_complete(folder: Path) -> bool:
    """Whether every file is there with the digest noted when it was written."""
    try:
        noted: Mapping[str, str] = json.loads((folder / "digests.json").read_text("utf-8"))
        return bool(noted) and all(_sha256(folder / name) == digest for name, digest in noted.items())
    except (OSError, ValueError, AttributeError):
        return False


def _build(shape: TinyShape, folder: Path) -> None:
    """Write into a temporary folder beside the final one, then rename: no reader ever sees half a model."""
    from safetensors.numpy import save_file

    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=f"{folder.name}-", dir=folder.parent))
    try:
        save_file(tiny_weights(shape), work / "model.safetensors", metadata={"format": "pt"})
        write_tokenizer(work)
        _write_json(work / "config.json", model_config(shape))
        _write_json(work / "preprocessor_config.json", image_processor_config(shape))
        _write_json(work / "digests.json", {path.name: _sha256(path) for path in sorted(work.iterdir())})
        _put_in_place(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _put_in_place(work: Path, folder: Path) -> None:
    try:
        work.rename(folder)
        return
    except OSError:  # something is there already
        if _is_complete(folder):
            return  # another process was faster, with the same bytes
    damaged = Path(tempfile.mkdtemp(prefix=f"{folder.name}-damaged-", dir=folder.parent))
    try:
        folder.rename(damaged / "model")
        work.rename(folder)
    finally:
        shutil.rmtree(damaged, ignore_errors=True)


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", "utf-8")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
