"""The settings of the cpu backend."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from evalsuite.backends.settings import Settings
from evalsuite.errors import UsageError

PRECISIONS = ("int8", "int4", "bf16", "float32")
ACTIVATIONS = ("auto", "float32", "bf16", "int8")


@dataclass(frozen=True)
class CpuOptions:
    """What ``--option name=value`` may set.

    precision: how weights are kept. ``int4`` concerns the layers of the language model; embeddings and image tower
    have 8 bits then. activations: what is computed in; auto is bf16 for bf16 weights, which know nothing else, and
    float32 for all others, in which the batch does not change an answer. ``bf16`` and ``int8`` (rounded per token in
    groups of 32) are faster. threads: None takes all cores. batch_size: most examples at once. max_batch_cost: most
    padded tokens at once.
    """

    precision: str = "int8"
    activations: str = "float32"
    threads: int | None = None
    batch_size: int = 16
    max_batch_cost: int = 8192

    @classmethod
    def read(cls, values: Mapping[str, str]) -> CpuOptions:
        """From text values. Raises UsageError, with a suggestion, for an unknown name or a wrong value."""
        settings = Settings("cpu", values)
        precision = settings.choice("precision", PRECISIONS, cls.precision)
        activations = settings.choice("activations", ACTIVATIONS, "auto")
        if activations == "auto":
            activations = "bf16" if precision == "bf16" else "float32"
        if precision == "bf16" and activations != "bf16":
            raise UsageError(f"backend 'cpu': precision=bf16 is computed in bf16, not activations={activations}.")
        if activations == "int8" and precision not in ("int8", "int4"):
            raise UsageError(f"backend 'cpu': activations=int8 needs quantized weights, not precision={precision}.")
        options = cls(
            precision=precision,
            activations=activations,
            threads=settings.integer("threads", None),
            batch_size=settings.integer("batch_size", None) or cls.batch_size,
            max_batch_cost=settings.integer("max_batch_cost", None) or cls.max_batch_cost,
        )
        settings.finish()
        return options
