"""What a checkpoint's files hold, against what its config says: looked at before a model is loaded, in every backend.

Refused: adapters beside base weights, numbers in types or quantizations that a backend does not know, an output layer
that contradicts the config, one tensor under two names. Named in a note: tensors that no part of the model uses.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from evalsuite.backends.checkpoints.heads import vocabulary_ends
from evalsuite.backends.checkpoints.tensors import FLOATS, StoredTensor, by_plain_name, stored_tensors
from evalsuite.backends.checkpoints.weights import weight_files
from evalsuite.errors import BackendError, MissingDependency

Quantizations = Mapping[str, Sequence[str]]
"""Methods of quantization that a backend reads, as ``quant_method`` names them -> the packages that each needs."""

ADAPTER_FILES = ("adapter_config.json", "adapter_model.*")
ADAPTER_TENSOR = re.compile(
    r"(^|[._/])(lora|dora|vera|ia3|hada|lokr|oft|boft|hra|vblora|fourierft|randlora)_|[._/](base_layer|modules_to_save)\.",
    re.IGNORECASE,
)
"""In names of tensors that an adapter adds (peft's, and those that other trainers derived from them)."""

NARROW = re.compile(r"[UI][48]|F[468](_.*)?")
"""Types that quantized weights have. In other models than PaliGemma, 32- and 64-bit integers may be positions."""
COMPUTED = re.compile(r"(rotary_emb\.inv_freq|position_ids)$")
"""Tensors that hold no weights: every model makes them itself."""

NAMES_SHOWN = 3

_PALIGEMMA = re.compile(
    r"""language_model\.(embed_tokens|norm)\.weight | lm_head\.weight
    | multi_modal_projector\.linear\.(weight|bias)
    | language_model\.layers\.(?P<text>\d+)\.
        ( self_attn\.[qkvo]_proj | mlp\.(gate|up|down)_proj | (input|post_attention)_layernorm
        | (?P<second>(pre|post)_feedforward_layernorm) )\.weight
    | vision_tower\.
        ( embeddings\.(patch_embedding\.(weight|bias)|position_embedding\.weight) | post_layernorm\.(weight|bias)
        | encoder\.layers\.(?P<vision>\d+)\.
            (self_attn\.(q|k|v|out)_proj|mlp\.fc[12]|layer_norm[12])\.(weight|bias) )""",
    re.VERBOSE,
)


def refuse_adapters(model: str, folder: Path) -> None:
    """Raise BackendError for a folder with an adapter in it.

    transformers would put it onto the folder's weights where peft is installed, also onto those it was merged into.
    """
    found = sorted(path.name for pattern in ADAPTER_FILES for path in folder.glob(pattern))
    if not found:
        return
    others = [path for path in folder.glob("*") if path.match("*.safetensors") or path.match("pytorch_model*")]
    if (folder / "config.json").exists() and any(path.name not in found for path in others):
        raise BackendError(
            f"model {model}: the folder holds a whole model and an adapter ({', '.join(found)}), and whether the "
            "weights have it in them already cannot be told. Move the adapter's files away to evaluate the weights as "
            "they are; to evaluate the adapter, merge it into its base model."
        )
    raise BackendError(f"model {model}: is an adapter, not a whole model. Merge it into its base model first.")


def check_contents(
    model: str, folder: Path, config: Mapping[str, Any], quantizations: Quantizations
) -> tuple[str, ...]:
    """Notes about the files of a folder, for the user. Weights that are pickled are not looked at.

    quantizations: what the backend reads besides plain numbers. Raises BackendError for what is refused, and
    MissingDependency for a quantization whose packages are not installed.
    """
    method = quantization_of(model, config)
    if method is not None:
        _require(model, method, quantizations)
    files = weight_files(folder)
    if not files:
        return ()
    tensors = stored_tensors(model, files)
    if config.get("model_type") != "paligemma":  # which tensors such a model has is known once it is loaded
        _check_types(model, (t for t in tensors if len(t.shape) > 1 and NARROW.fullmatch(t.dtype)), method)
        return ()
    unread = [file for file in sorted(folder.glob("*.safetensors")) if file not in files]
    refuse_adapter_tensors(model, [t.name for t in tensors] + _names(unread))
    named = by_plain_name(model, tensors)
    unused = unused_names(named, config)
    if method is None:
        _check_types(model, (t for name, t in named.items() if name not in unused and t.dtype not in FLOATS), None)
        vocabulary_ends(model, config, named)
    notes = [] if method is not None else [unused_note(model, [named[name].name for name in unused])]
    if unread:
        names = ", ".join(file.name for file in unread)
        notes.append(f"model {model}: these files beside the weights are not read: {names}")
    return tuple(filter(None, notes))


def quantization_of(model: str, config: Mapping[str, Any]) -> str | None:
    """The method by which the weights were quantized, as ``config.json`` names it; None for plain numbers.

    Of the model as a whole, or of its language model, as transformers looks for it. Raises BackendError for an entry
    that names no method.
    """
    text = config.get("text_config")
    for part in (config, text if isinstance(text, Mapping) else {}):
        for name in ("quantization_config", "compression_config"):
            entry = part.get(name)
            if not entry:
                continue
            if isinstance(entry, Mapping):
                if entry.get("load_in_8bit") or entry.get("load_in_4bit"):
                    return "bitsandbytes"
                if isinstance(entry.get("quant_method"), str):
                    return str(entry["quant_method"])
            raise BackendError(
                f"model {model}: {name} in config.json names no quant_method, so what the numbers stand for is "
                "unknown. Copy config.json again."
            )
    return None


def _require(model: str, method: str, quantizations: Quantizations) -> None:
    if method not in quantizations:
        known = ", ".join(sorted(quantizations))
        way_out = f"It reads {known}." if known else "Use the unquantized checkpoint, or --backend torch."
        raise BackendError(
            f"model {model}: its weights are quantized by {method} (config.json), which this backend does not read. "
            f"{way_out}"
        )
    for package in quantizations[method]:
        if importlib.util.find_spec(package) is None:
            raise MissingDependency(
                f"model {model}, whose weights are quantized by {method}", package, way_out=f"pip install {package}"
            )


def _check_types(model: str, strange: Iterable[StoredTensor], method: str | None) -> None:
    """Raise BackendError when there are any and no quantization says what their numbers stand for."""
    found = list(strange)
    if found and method is None:
        kinds = ", ".join(sorted({tensor.dtype for tensor in found}))
        raise BackendError(
            f"model {model}: {_listed([tensor.name for tensor in found], 'weight')} of type {kinds}, and config.json "
            "names no quantization that says what the numbers stand for. Give a checkpoint in float32, bfloat16 or "
            "float16."
        )


def unused_names(names: Iterable[str], config: Mapping[str, Any]) -> list[str]:
    """The plain names that a PaliGemma of this config has no place for, layers beyond its last included."""
    text, vision = (
        part if isinstance(part := config.get(key), Mapping) else {} for key in ("text_config", "vision_config")
    )
    depths = {"text": text.get("num_hidden_layers"), "vision": vision.get("num_hidden_layers")}

    def is_used(name: str) -> bool:
        bare = name.removesuffix(".bias") + ".weight" if text.get("attention_bias") and "self_attn" in name else name
        fits = _PALIGEMMA.fullmatch(name) or (name.startswith("language_model.") and _PALIGEMMA.fullmatch(bare))
        if not fits or (fits["second"] and text.get("model_type") != "gemma2"):
            return False
        return all(
            fits[part] is None or not isinstance(depth, int) or int(fits[part]) < depth
            for part, depth in depths.items()
        )

    return [name for name in names if not is_used(name)]


def unused_note(model: str, names: Sequence[str]) -> str:
    """One line that names tensors which no part of the model uses; "" where no weights are among them."""
    weights = [name for name in names if not COMPUTED.search(name)]
    return f"model {model}: no part of the model uses {_listed(weights, 'tensor')} of its files" if weights else ""


def refuse_adapter_tensors(model: str, names: Sequence[str]) -> None:
    """Raise BackendError when names of tensors are those of an adapter: with it the base is another model."""
    found = [name for name in names if ADAPTER_TENSOR.search(name)]
    if found:
        raise BackendError(
            f"model {model}: the files hold {_listed(found, 'tensor')} of an adapter beside the weights. Merge it into "
            "them (peft: merge_and_unload), or save the weights without it."
        )


def _names(unread: Iterable[Path]) -> list[str]:
    """Of files that nobody reads; what is damaged there changes nothing."""
    names = []
    for file in unread:
        try:
            names += [tensor.name for tensor in stored_tensors("", [file])]
        except BackendError:
            continue
    return names


def _listed(names: Sequence[str], noun: str) -> str:
    """``2 tensors (a, b)``."""
    shown = ", ".join(names[:NAMES_SHOWN]) + (", …" if len(names) > NAMES_SHOWN else "")
    return f"{len(names)} {noun}{'' if len(names) == 1 else 's'} ({shown})"
