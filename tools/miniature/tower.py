"""The first stage: an image tower that says what its patches show, and a first layer that finds what a word names."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from optimizers import Optimizers
from scenes import FIELDS, LETTERS, NOTHING, READ, SHAPES, Scenes
from torch import Tensor
from torch.nn.functional import cross_entropy

from evalsuite.data.targets.segmentation import LAST

BATCH = {112: 48, 224: 48, 448: 32}
WORDS = 24  # looked for in every picture
THIRDS = ("left", "middle", "right", "top", "bottom")
AXES = ([3, 1, 4], [0, 1, 2])  # of THIRDS, downwards and across
BINS = 64  # into which a place is told
EDGE_WEIGHT = 0.25
RATES = (0.02, 2e-3)  # of Muon and of AdamW


class Names:
    """Ids of the tokens that name each kind and each hue; a name of several tokens is the mean of their embeddings."""

    def __init__(self, kinds: list[list[int]], hues: list[list[int]], thirds: list[int], location: int) -> None:
        """thirds: ids of THIRDS. location: id of the first location token."""
        self.thirds, self.location = thirds, location
        names = [*kinds, *hues]
        self.first_hue = len(kinds)
        self.words = [ids[0] if len(ids) == 1 else None for ids in names]
        self._tokens = torch.tensor(sorted({token for ids in names for token in ids}))
        self._shares = torch.stack([(self._tokens[:, None] == torch.tensor(ids)).float().mean(1) for ids in names])

    def vectors(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """(kinds, width) and (hues, width)."""
        every = self._shares @ embeddings[self._tokens]
        return every[: self.first_hue], every[self.first_hue :]


def third_of(boxes: Tensor) -> tuple[Tensor, Tensor]:
    """In which third the middle of a box lies, downwards and across: 0, 1 or 2; boxes: (n, 4), y1, x1, y2, x2."""
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2
    down, across = (3 * middle).long().clamp(0, 2).unbind(-1)
    return down, across


class Right:
    """Shares of right labels since they were taken last."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[int, int]] = {}

    def add(self, name: str, right: Tensor) -> None:
        hits, total = self._counts.get(name, (0, 0))
        self._counts[name] = hits + int(right.sum()), total + right.numel()

    def taken(self) -> dict[str, float]:
        shares = {name: round(hits / max(total, 1), 3) for name, (hits, total) in self._counts.items()}
        self._counts.clear()
        return shares


class Teller(torch.nn.Module):
    """Compares projected patches with the words for what they show.

    So the language model later finds in the picture what it reads in a question: kinds and hues, and the third of the
    picture in which the thing lies. Layers of its own, which are thrown away after training, tell the thing's edges in
    the embeddings of location tokens, and the letters that the patch shows.
    """

    def __init__(self, names: Names, width: int) -> None:
        super().__init__()
        self.names = names
        torch.manual_seed(0)
        self.edges = torch.nn.ModuleList(torch.nn.Linear(width, width, bias=False) for _ in range(4))
        self.read = torch.nn.Linear(width, READ * len(LETTERS))
        self.scale = torch.nn.Parameter(torch.tensor(4.0))

    def loss(self, embeddings: Tensor, tokens: Tensor, labels: tuple[Tensor, ...], right: Right) -> Tensor:
        """embeddings: of the language model. tokens: (pictures, patches, width). labels: FIELDS of the pictures."""
        kinds, hues, boxes, letters = labels
        names, shown = self.names, hues != NOTHING
        there, boxes = tokens[shown], boxes[shown].float()
        with torch.autocast("cpu", torch.bfloat16):
            logits = [(there @ vectors.T).float() * self.scale for vectors in names.vectors(embeddings)]
            thirds = (there @ embeddings[names.thirds].T).float() * self.scale
            texts = self.read(there).float().unflatten(-1, (READ, -1))
            bins = embeddings[names.location : names.location + LAST + 1 : (LAST + 1) // BINS].detach()
            lines = [(edge(there) @ bins.T).float() * self.scale for edge in self.edges]
        kinds, hues, letters = kinds[shown].long(), hues[shown].long(), letters[shown].long()
        loss = cross_entropy(logits[0], kinds) + cross_entropy(logits[1], hues)
        if (letters != NOTHING).any():
            loss = loss + cross_entropy(texts.flatten(0, 1), letters.flatten(), ignore_index=NOTHING)
        for axis, third in enumerate(third_of(boxes)):
            loss = loss + cross_entropy(thirds[:, AXES[axis]], third)
        for values, edge in zip(lines, boxes.unbind(-1), strict=True):
            loss = loss + EDGE_WEIGHT * cross_entropy(values, (edge * BINS).clamp(0, BINS - 1).long())
        found = logits[0].argmax(-1) == kinds
        right.add("shapes", found[kinds < len(SHAPES)])
        right.add("words", found[kinds >= len(SHAPES)])
        right.add("colours", logits[1].argmax(-1) == hues)
        told = torch.stack([values.argmax(-1) for values in lines], dim=-1)
        right.add("edges", (told - BINS * boxes).abs() < 2)
        right.add("letters", (texts.argmax(-1) == letters)[letters != NOTHING])
        return loss


def labels_of(scenes: Scenes, chosen: np.ndarray[Any, Any]) -> tuple[Tensor, ...]:
    return tuple(torch.from_numpy(getattr(scenes.labels, name)[chosen]) for name in FIELDS)


def train_tower(
    model: Any, teller: Teller, scenes: Scenes, steps: int, first: bool, log: Callable[[str], None]
) -> dict[str, float]:
    """Train the image tower and its projection on ``steps`` batches of scenes; what it names right in the end.

    One half of the scenes of a batch has signs. first: the embeddings and the language model's first attention are
    trained, too: half of its heads learn to look, from a word, at the patches that it names.
    """
    tower, projector = model.model.vision_tower, model.model.multi_modal_projector
    language = model.model.language_model
    embeddings = language.embed_tokens.weight
    trained = [*tower.parameters(), *projector.parameters(), *teller.parameters()]
    if first:
        trained += [embeddings, *language.layers[0].self_attn.parameters()]
    optimizers = Optimizers(model, trained, RATES)
    rng = np.random.default_rng(scenes.side)
    signs, size = np.flatnonzero(scenes.labels.kinds.max(1) >= len(SHAPES)), BATCH[scenes.side]
    begun, right, shares = time.monotonic(), Right(), dict[str, float]()
    for step in range(steps):
        chosen = np.concatenate([rng.choice(signs, size // 2), rng.integers(0, len(scenes), size - size // 2)])
        pixels, labels = np.stack([scenes.pixels(int(index)) for index in chosen]), labels_of(scenes, chosen)
        with torch.autocast("cpu", torch.bfloat16):
            tokens = projector(tower(as_input(pixels)).last_hidden_state)
            loss = teller.loss(embeddings, tokens, labels, right)
            if first:
                loss = loss + looking(language, tokens, teller.names, labels[0], labels[1], rng)
        optimizers.step(loss, min(1.0, 20 * step / steps) * (1 - step / steps))
        if step % 100 == 99 or step == steps - 1:
            shares = right.taken()
            log(f"tower {scenes.side}: {step + 1} of {steps}, {time.monotonic() - begun:.0f} s, {shares}")
    return shares


def looking(
    language: Any, tokens: Tensor, names: Names, kinds: Tensor, hues: Tensor, rng: np.random.Generator
) -> Tensor:
    """Minus log of the attention that a word pays to the patches that it names, in the first group of heads of the
    first layer; tokens: (pictures, patches, width)."""
    pictures, patches, _ = tokens.shape
    words = [place for place, token in enumerate(names.words) if token is not None]
    asked = torch.from_numpy(rng.choice(words, (pictures, WORDS)))
    ids = torch.tensor([token or 0 for token in names.words])[asked]
    hues = torch.where(hues == NOTHING, NOTHING, hues + names.first_hue)
    named = (kinds[:, None] == asked[:, :, None]) | (hues[:, None] == asked[:, :, None])
    there = named.any(-1)
    attention = language.layers[0].self_attn
    hidden = torch.cat([tokens, language.embed_tokens(ids).to(tokens.dtype)], 1)
    size, group = attention.head_dim, attention.num_key_value_groups
    cos, sin = language.rotary_emb(hidden, torch.arange(hidden.shape[1])[None])
    inner = language.layers[0].input_layernorm(hidden)
    queries = attention.q_proj(inner).unflatten(-1, (-1, size)).transpose(1, 2)[:, :group]
    keys = attention.k_proj(inner).unflatten(-1, (-1, size)).transpose(1, 2)[:, :1]
    queries, keys = (part * cos[:, None] + _turned(part) * sin[:, None] for part in (queries, keys))
    logits = (queries[:, :, patches:] @ keys.transpose(2, 3)).float() * attention.scaling
    weights = logits.log_softmax(-1)[..., :patches].masked_fill(~named[:, None], -1e9).logsumexp(-1)
    return -(weights * there[:, None]).sum() / (there.sum() * group)


def _turned(part: Tensor) -> Tensor:
    one, other = part.chunk(2, dim=-1)
    return torch.cat([-other, one], dim=-1)


def as_input(pixels: np.ndarray[Any, Any]) -> Tensor:
    """(n, side, side, 3) uint8 -> (n, 3, side, side) in [-1, 1]."""
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
