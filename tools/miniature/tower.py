"""The first stage: an image tower that says of every patch, in the words of the language model, what it shows."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scenes import NOTHING, Scenes
from torch import Tensor

BATCH = 48
RATE = 2e-3
WARM_UP = 0.05


def train_tower(model: Any, words: list[Tensor], scenes: Scenes, examples: int, log: Any) -> None:
    """Train the image tower, its projection and the embeddings of ``words`` on ``examples`` scenes.

    words: ids of the tokens that name the shapes and the colours. A projected patch is compared with their embeddings,
    so that the language model later finds in the picture what it reads in a question.
    """
    tower, projector = model.model.vision_tower, model.model.multi_modal_projector
    embeddings, scale = model.model.language_model.embed_tokens.weight, torch.nn.Parameter(torch.tensor(4.0))
    parameters = [*tower.parameters(), *projector.parameters(), embeddings, scale]
    optimizer = torch.optim.AdamW(parameters, lr=0.0, betas=(0.9, 0.98), weight_decay=0.0)
    rng = np.random.default_rng(0)
    begun, right = time.monotonic(), []
    for step in range(examples // BATCH):
        progress = step * BATCH / examples
        rate = RATE * min(1.0, progress / WARM_UP) * 0.5 * (1 + math.cos(math.pi * progress))
        for group in optimizer.param_groups:
            group["lr"] = rate
        chosen = rng.integers(0, len(scenes), BATCH)
        pixels = np.stack([scenes.pixels(int(index)) for index in chosen])
        labels = torch.from_numpy(scenes.labels[chosen].astype(np.int64))
        with torch.autocast("cpu", torch.bfloat16):
            tokens = projector(tower(as_input(pixels)).last_hidden_state)
            logits = [(tokens @ embeddings[ids].T).float() * scale for ids in words]
        losses = [
            torch.nn.functional.cross_entropy(values.flatten(0, 1), labels[:, kind].flatten(), ignore_index=NOTHING)
            for kind, values in enumerate(logits)
        ]
        optimizer.zero_grad(set_to_none=True)
        torch.stack(losses).sum().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        shown = labels[:, 0] != NOTHING
        right.append((logits[0].argmax(-1) == labels[:, 0])[shown].float().mean().item())
        if step % 100 == 99:
            log(f"tower: {step * BATCH} of {examples}, {time.monotonic() - begun:.0f} s, shapes {np.mean(right):.3f}")
            right = []


def as_input(pixels: np.ndarray[Any, Any]) -> Tensor:
    """(n, side, side, 3) uint8 -> (n, 3, side, side) in [-1, 1]."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def load_scenes(folder: Path, side: int) -> Scenes:
    scenes = Scenes(folder, side)
    if not len(scenes):
        raise SystemExit(f"{folder}: no scenes here; make them with tools/miniature/scenes.py {folder}")
    return scenes
