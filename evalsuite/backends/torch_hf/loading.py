"""Weights onto the device: dtype, attention and the traps of loading, in one place."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from evalsuite.backends.checkpoints.contents import quantization_of, refuse_adapter_tensors, unused_note
from evalsuite.backends.checkpoints.heads import vocabulary_ends
from evalsuite.backends.checkpoints.resolve import Checkpoint
from evalsuite.backends.checkpoints.tensors import by_plain_name, stored_tensors
from evalsuite.backends.checkpoints.weights import weight_files
from evalsuite.backends.torch_hf import attention as kernels
from evalsuite.backends.torch_hf.options import TorchOptions, refuse_quantizing_twice
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


@dataclass(frozen=True)
class LoadedWeights:
    """A model of transformers with its weights. notes: what a user should know about their files."""

    model: Any
    notes: tuple[str, ...]


def load_paligemma(checkpoint: Checkpoint, options: TorchOptions, where: Placement) -> LoadedWeights:
    """A PaliGemmaForConditionalGeneration in evaluation mode, with full attention in every layer.

    transformers would apply Gemma 2's sliding window to the generated tokens; the papers' code does not have one. Our
    own masks and cache have none either; the layers are told as well, for kernels that look at the layer.
    """
    from transformers import AutoConfig

    config = guarded(checkpoint, lambda: AutoConfig.from_pretrained(checkpoint.folder, trust_remote_code=False))
    if getattr(config.text_config, "layer_types", None):
        config.text_config.layer_types = ["full_attention"] * config.text_config.num_hidden_layers
    if (tied := _ends_tied(checkpoint)) is not None:
        config.tie_word_embeddings = tied
    attention = _attention(checkpoint, options)
    loaded = load_model(checkpoint, options, where, config=config, attn_implementation=attention)
    _check_scale(loaded.model)
    return loaded


def _are_known(checkpoint: Checkpoint) -> bool:
    """Whether the headers of the files told already which tensors the model uses (:mod:`checkpoints.contents`)."""
    plain = quantization_of(checkpoint.name, checkpoint.config) is None
    return checkpoint.is_paligemma and plain and bool(weight_files(checkpoint.folder))


def _ends_tied(checkpoint: Checkpoint) -> bool | None:
    """Whether embeddings and output layer are one, by the rule of all backends; None where the files do not tell."""
    if not _are_known(checkpoint):
        return None
    tensors = stored_tensors(checkpoint.name, weight_files(checkpoint.folder))
    return vocabulary_ends(checkpoint.name, checkpoint.config, by_plain_name(checkpoint.name, tensors)).tied


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


def load_model(checkpoint: Checkpoint, options: TorchOptions, where: Placement, **settings: Any) -> LoadedWeights:
    """Any image-text-to-text model. Raises BackendError when weights are missing from the files, or are another's.

    transformers would fill missing weights with random numbers, leave out those of an adapter, and take quantized ones
    for plain numbers where it does not know the method, and only warn.
    """
    from transformers import AutoModelForImageTextToText
    from transformers.utils import logging

    silence: Any = logging.disable_progress_bar
    silence()
    refuse_quantizing_twice(checkpoint, options)

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
    unused = sorted(info["unexpected_keys"])
    refuse_adapter_tensors(checkpoint.name, unused)
    if lacking:
        raise BackendError(
            f"model {checkpoint.name}: {len(lacking)} weights are missing or of another shape (first: {lacking[0]}). "
            "The files do not fit config.json; copy the checkpoint again."
        )
    _check_quantization(checkpoint, model)
    _check_tied(checkpoint, model)
    notes = checkpoint.notes
    if not _are_known(checkpoint) and (note := unused_note(checkpoint.name, unused)):
        notes += (note,)
    return LoadedWeights((model if "device_map" in settings else model.to(where.device)).eval(), notes)


def _check_quantization(checkpoint: Checkpoint, model: Any) -> None:
    """What config.json says of quantized weights must have been followed."""
    stored = quantization_of(checkpoint.name, checkpoint.config)
    if stored is not None and getattr(model, "hf_quantizer", None) is None:
        raise BackendError(
            f"model {checkpoint.name}: its weights are quantized by {stored} (config.json), which this transformers "
            "did not follow. Give the unquantized checkpoint."
        )


def _check_tied(checkpoint: Checkpoint, model: Any) -> None:
    """Weights that the config ties are one. transformers keeps two that differ apart, and only warns."""
    for tied, source in model.get_expanded_tied_weights_keys(all_submodels=True).items():
        one, other = (model.get_parameter_or_buffer(name) for name in (tied, source))
        if one is other or "meta" in (one.device.type, other.device.type):
            continue
        if one.shape != other.shape or not torch.allclose(one, other, rtol=0, atol=0, equal_nan=True):
            raise BackendError(
                f"model {checkpoint.name}: the files hold {tied} and {source} with other numbers, but by config.json "
                "the two are one. Write tie_word_embeddings: false into config.json if both are meant, or remove the "
                "one that is not."
            )


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
