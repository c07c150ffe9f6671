"""Muon for the matrices of a model, AdamW for its embeddings, norms and biases: a third of the steps of AdamW alone.

Muon (Jordan et al., 2024, kellerjordan.github.io/posts/muon) makes every singular value of a step alike. Small matrices
of one shape are turned together here, which is several times faster than one by one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

MOMENTUM = 0.95
NEWTON_SCHULZ = (3.4445, -4.775, 2.0315)  # its five steps make singular values nearly one


class Optimizers:
    """Both optimizers as one. rates: the highest of Muon and of AdamW."""

    def __init__(self, model: Any, trained: Iterable[torch.nn.Parameter], rates: tuple[float, float]) -> None:
        tables = {id(module.weight) for module in model.modules() if isinstance(module, torch.nn.Embedding)}
        every, self.rates = list(trained), rates
        self.groups: dict[tuple[int, ...], list[torch.nn.Parameter]] = {}
        for one in every:
            if one.ndim == 2 and id(one) not in tables:
                self.groups.setdefault(tuple(one.shape), []).append(one)
        self.momenta = {shape: torch.zeros(len(group), *shape) for shape, group in self.groups.items()}
        matrices = {id(one) for group in self.groups.values() for one in group}
        self.rest = [one for one in every if id(one) not in matrices]
        self.adamw = torch.optim.AdamW(self.rest, lr=0.0, betas=(0.9, 0.98), weight_decay=0.0, fused=True)

    def step(self, loss: Tensor, share: float) -> None:
        """One step at this share of the highest rates."""
        for one in (*self.rest, *(one for group in self.groups.values() for one in group)):
            one.grad = None
        loss.backward()  # type: ignore[no-untyped-call]
        for shape, group in self.groups.items():
            self._turn(group, self.momenta[shape], self.rates[0] * share)
        torch.nn.utils.clip_grad_norm_(self.rest, 1.0)
        self.adamw.param_groups[0]["lr"] = self.rates[1] * share
        self.adamw.step()

    @staticmethod
    @torch.no_grad()
    def _turn(group: list[torch.nn.Parameter], momentum: Tensor, rate: float) -> None:
        rows, columns = group[0].shape
        gradients = torch.stack([torch.zeros_like(one) if one.grad is None else one.grad for one in group])
        momentum.lerp_(gradients, 1 - MOMENTUM)
        steps = orthogonal(gradients.lerp_(momentum, MOMENTUM)) * (rate * max(1.0, rows / columns) ** 0.5)
        for one, step in zip(group, steps, strict=True):
            one.sub_(step)

    def state_dict(self) -> dict[str, Any]:
        return {"adamw": self.adamw.state_dict(), "momenta": list(self.momenta.values())}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.adamw.load_state_dict(state["adamw"])
        self.momenta = dict(zip(self.momenta, state["momenta"], strict=True))


def orthogonal(matrices: Tensor) -> Tensor:
    """Matrices with the same singular vectors and singular values near one, (n, rows, columns)."""
    if matrices.shape[1] > matrices.shape[2]:
        return orthogonal(matrices.transpose(1, 2)).transpose(1, 2)
    found = matrices / (matrices.norm(dim=(1, 2), keepdim=True) + 1e-7)
    first, second, third = NEWTON_SCHULZ
    for _ in range(5):
        square = found @ found.transpose(1, 2)
        found = first * found + (second * square + third * square @ square) @ found
    return found
