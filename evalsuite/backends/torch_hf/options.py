"""The settings of the torch backend."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from evalsuite.backends.checkpoints.contents import quantization_of
from evalsuite.backends.checkpoints.resolve import Checkpoint, Trust
from evalsuite.backends.settings import Settings
from evalsuite.errors import UsageError, did_you_mean

DTYPES = ("auto", "float32", "bfloat16", "float16")
DEVICES = ("auto", "cpu", "cuda", "mps")
ATTENTION = ("auto", "grouped", "eager", "sdpa")
IMAGE_PIPELINES = ("reference", "processor")
QUANTIZATION = ("none", "int8", "int4")
STORED_QUANTIZATIONS = {
    "bitsandbytes": ("bitsandbytes", "accelerate"),
    "torchao": ("torchao", "accelerate"),
    "compressed-tensors": ("compressed_tensors",),
    "gptq": ("gptqmodel", "optimum"),
    "awq": ("gptqmodel", "accelerate"),
    "auto-round": ("auto_round",),
    "hqq": ("hqq",),
    "quark": ("quark",),
    "aqlm": ("aqlm", "accelerate"),
    "vptq": ("vptq", "accelerate"),
    "spqr": ("spqr_quant", "accelerate"),
    "fp_quant": ("fp_quant",),
    **dict.fromkeys(("bitnet", "eetq", "fbgemm_fp8", "fp8", "mxfp4", "mxfp8"), ("accelerate",)),
}
"""What transformers 5.20 reads of weights that are stored quantized -> the packages it wants. Others it skips, with a
warning, and takes the numbers for plain ones."""


@dataclass(frozen=True)
class TorchOptions:
    """What ``--option name=value`` may set.

    dtype: auto is bfloat16 on cuda and float32 elsewhere. device: auto takes cuda, then mps, then cpu.
    batch_size: most examples at once; None is 32 on cuda and 16 elsewhere. max_batch_cost: most padded tokens at
    once; None depends on the device's memory. threads: of torch on the CPU; None leaves torch's choice.
    image_pipeline: ``reference`` resizes as the papers did, ``processor`` as the checkpoint's own image processor.
    quantization: ``int8`` keeps the weights of the language model's linear layers in 8 bits (torchao), ``int4`` as
    4-bit NormalFloats (bitsandbytes).
    device_map: ``auto`` spreads a model over all GPUs, then the CPU where they do not suffice (accelerate).
    attention: auto is ``grouped`` for PaliGemma 2 (soft caps) and torch's own for PaliGemma.
    allow_pickle_weights, trust_remote_code: both run code that the checkpoint brings; off.
    """

    dtype: str = "auto"
    device: str = "auto"
    batch_size: int | None = None
    max_batch_cost: int | None = None
    threads: int | None = None
    image_pipeline: str = "reference"
    attention: str = "auto"
    quantization: str = "none"
    device_map: str = "none"
    allow_pickle_weights: bool = False
    trust_remote_code: bool = False

    @property
    def trust(self) -> Trust:
        return Trust(self.allow_pickle_weights, self.trust_remote_code)

    @classmethod
    def read(cls, values: Mapping[str, str]) -> TorchOptions:
        """From text values. Raises UsageError, with a suggestion, for an unknown name or a wrong value."""
        settings = Settings("torch", values)
        options = cls(
            dtype=settings.choice("dtype", DTYPES, "auto"),
            device=_device(settings.text("device", "auto")),
            batch_size=settings.integer("batch_size", None),
            max_batch_cost=settings.integer("max_batch_cost", None),
            threads=settings.integer("threads", None),
            image_pipeline=settings.choice("image_pipeline", IMAGE_PIPELINES, "reference"),
            attention=settings.choice("attention", ATTENTION, "auto"),
            quantization=settings.choice("quantization", QUANTIZATION, "none"),
            device_map=settings.choice("device_map", ("none", "auto"), "none"),
            allow_pickle_weights=settings.flag("allow_pickle_weights", False),
            trust_remote_code=settings.flag("trust_remote_code", False),
        )
        settings.finish()
        return options


def refuse_quantizing_twice(checkpoint: Checkpoint, options: TorchOptions) -> None:
    """Raises UsageError: transformers would keep the stored quantization and leave the option out."""
    stored = quantization_of(checkpoint.name, checkpoint.config)
    if stored is not None and options.quantization != "none":
        raise UsageError(
            f"model {checkpoint.name}: its weights are quantized already, by {stored}. Leave out --option "
            f"quantization={options.quantization}, or give the unquantized checkpoint."
        )


def _device(text: str) -> str:
    if text in DEVICES or re.fullmatch(r"cuda:\d+", text):
        return text
    way_out = did_you_mean(text, (*DEVICES, "cuda:N"))
    raise UsageError(f"backend 'torch': option device={text!r} is not valid. {way_out}")
