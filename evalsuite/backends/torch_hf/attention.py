"""Attention with a logit soft cap and grouped keys that neither repeats the keys nor fills the memory.

Gemma 2 caps attention logits, which torch's fused attention cannot do; the plain implementation of transformers
copies keys and values once per query head and holds all logits at once, gigabytes for one 896 px image.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

NAME = "evalsuite_grouped"
MAX_LOGITS = 1 << 26  # attention logits that are held at once (256 MB in float32)


def register() -> None:
    """Make the function known to transformers under ``NAME``."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, grouped_attention)


def grouped_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    softcap: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """softmax(cap(q k^T * scaling) + mask) v, as transformers calls it.

    query: (batch, heads, queries, size); key and value: (batch, groups, keys, size); attention_mask: added to the
    logits, (batch, 1, 1 or queries, keys). Returns (batch, queries, heads, size). No dropout: inference only.
    """
    batch, heads, queries, size = query.shape
    groups, keys = key.shape[1], key.shape[2]
    scale = size**-0.5 if scaling is None else scaling
    grouped = query.reshape(batch, groups, heads // groups, queries, size)
    step = max(1, MAX_LOGITS // (batch * heads * keys))
    parts = []
    for start in range(0, queries, step):
        mask = attention_mask
        if mask is not None and mask.shape[2] > 1:
            mask = mask[:, :, start : start + step]
        parts.append(_attend(grouped[:, :, :, start : start + step], key, value, mask, scale, softcap))
    out = parts[0] if len(parts) == 1 else torch.cat(parts, dim=3)
    return out.reshape(batch, heads, queries, size).transpose(1, 2), None


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scale: float, cap: float | None) -> Tensor:
    """query: (batch, groups, heads per group, queries, size); the result has the same shape."""
    batch, groups, per_group, queries, size = query.shape
    folded = query.reshape(batch, groups, per_group * queries, size)
    logits = torch.matmul(folded, key.transpose(2, 3)).float().view(batch, groups, per_group, queries, -1)
    logits.mul_(scale)
    if cap is not None:
        logits.div_(cap).tanh_().mul_(cap)
    if mask is not None:
        logits.add_(mask[:, :, None])
    weights = logits.softmax(dim=-1).to(value.dtype).view(batch, groups, per_group * queries, -1)
    return torch.matmul(weights, value).view(batch, groups, per_group, queries, size)
