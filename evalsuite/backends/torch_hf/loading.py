"""Weights onto the device: dtype, attention and the traps of loading, in one place."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from evalsuite.backends.checkpoints.resolve import Checkpoint
from evalsuite.backends.torch_hf import attention as kernels
from evalsuite.backends.torch_hf.options import TorchOptions
from evalsuite.errors import BackendError, UsageError

Loaded = TypeVar("Loaded")

ATTENTION_NAMES = {"grouped": kernels.NAME, "eager": "eager", "sdpa": "sdpa"}


@dataclass(frozen=True)
class Placement:
    """Where and in which number format a model runs."""

    device: torch.device
    dtype: torch.dtype

    @property
    def dtype_name(self) -> str:
        return str(self.dtype).removeprefix("torch.")


def placement(options: TorchOptions) -> Placement:
    """Raises UsageError when the device is not there."""
    device = device_called(options.device)
    if options.dtype != "auto":
        return Placement(device, getattr(torch, options.dtype))
    return Placement(device, torch.bfloat16 if device.type == "cuda" else torch.float32)


def device_called(name: str) -> torch.device:
    """Raises UsageError when it is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and not (torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count()):
        raise UsageError(f"device {name}: torch sees {torch.cuda.device_count()} CUDA devices. Use device=cpu or auto.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise UsageError("device mps: not available here. Use device=cpu or auto.")
    return device


def load_paligemma(checkpoint: Checkpoint, options: TorchOptions, where: Placement) -> Any:
    """A PaliGemmaForConditionalGeneration in evaluation mode, with full attention in every layer.

    transformers would apply Gemma 2's sliding window to the generated tokens; the papers' code does not have one. Our
    own masks and cache have none either; the layers are told as well, for kernels that look at the layer.
    """
    from transformers import AutoConfig

    config = guarded(checkpoint, lambda: AutoConfig.from_pretrained(checkpoint.folder, trust_remote_code=False))
    if getattr(config.text_config, "layer_types", None):
        config.text_config.layer_types = ["full_attention"] * config.text_config.num_hidden_layers
    attention = _attention(checkpoint, options)
    model = load_model(checkpoint, options, where, config=config, attn_implementation=attention)
    _check_scale(model)
    return model


def _check_scale(model: Any) -> None:
    """Text embeddings times sqrt(width), image features as they are: older transformers divided the images instead.

    There, what we put into the language model would be scaled twice or not at all, without any error.
    """
    embeddings = model.model.language_model.embed_tokens
    scale = getattr(embeddings, "embed_scale", None)
    if scale is None or abs(float(scale) - embeddings.embedding_dim**0.5) > 0.01 * float(scale):
        raise BackendError("this transformers scales embeddings in another place: pip install 'transformers>=5.20'")


def _attention(checkpoint: Checkpoint, options: TorchOptions) -> dict[str, str]:
    """Attention of the language model; the vision tower always takes torch's own."""
    capped = checkpoint.family == "paligemma2"
    name = options.attention if options.attention != "auto" else "grouped" if capped else "sdpa"
    if capped and name == "sdpa":
        raise UsageError("attention=sdpa cannot apply the soft caps of PaliGemma 2. Use attention=auto.")
    if name == "grouped":
        kernels.register()
    return {"text_config": ATTENTION_NAMES[name], "vision_config": "sdpa"}


def load_model(checkpoint: Checkpoint, options: TorchOptions, where: Placement, **settings: Any) -> Any:
    """Any image-text-to-text model. Raises BackendError when weights are missing from the files.

    transformers would fill missing weights with random numbers and only warn.
    """
    from transformers import AutoModelForImageTextToText
    from transformers.utils import logging

    silence: Any = logging.disable_progress_bar
    silence()

    def load() -> Any:
        return AutoModelForImageTextToText.from_pretrained(
            checkpoint.folder,
            dtype=where.dtype,
            use_safetensors=None if options.allow_pickle_weights else True,
            trust_remote_code=options.trust_remote_code,
            output_loading_info=True,
            **settings,
        )

    settings |= _placed(options, where)
    model, info = guarded(checkpoint, load)
    lacking = sorted(info["missing_keys"]) or sorted(str(key) for key in info["mismatched_keys"])
    if lacking:
        raise BackendError(
            f"model {checkpoint.name}: {len(lacking)} weights are missing or of another shape (first: {lacking[0]}). "
            "The files do not fit config.json; copy the checkpoint again."
        )
    return (model if "device_map" in settings else model.to(where.device)).eval()


FLOAT_PARTS = ("lm_head", "vision_tower", "multi_modal_projector")
"""Parts that stay as they are: the tied embeddings decide the answer, and the image tower is small."""


def _placed(options: TorchOptions, where: Placement) -> dict[str, Any]:
    """How ``from_pretrained`` quantizes and spreads the weights; empty when the whole goes to one device as it is."""
    if options.quantization == "none":
        return {"device_map": "auto"} if options.device_map == "auto" else {}
    place = "auto" if options.device_map == "auto" else {"": str(where.device)}
    return {"quantization_config": _quantization(options.quantization, where), "device_map": place}


def _quantization(name: str, where: Placement) -> Any:
    import transformers

    kinds: Any = transformers
    if name == "int8":
        # Weights only: rounding activations too would let the batch decide near-ties.
        torchao: Any = importlib.import_module("torchao.quantization")
        return kinds.TorchAoConfig(torchao.Int8WeightOnlyConfig(), modules_to_not_convert=list(FLOAT_PARTS))
    return kinds.BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_compute_dtype=where.dtype,
        llm_int8_skip_modules=list(FLOAT_PARTS),
    )


def guarded(checkpoint: Checkpoint, load: Callable[[], Loaded]) -> Loaded:
    """Run a loader of transformers; what it raises for bad files becomes a BackendError."""
    from safetensors import SafetensorError

    try:
        return load()
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, AttributeError, SafetensorError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        reason = lines[0]
        if "torchvision" in reason.lower():
            reason = "its processor needs torchvision. Install the torchvision release that belongs to your torch."
        raise BackendError(f"model {checkpoint.name}: cannot be loaded: {reason}") from error
