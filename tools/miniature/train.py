"""Train the miniature PaliGemma 2 family: three sizes, each at 112, then 224, then 448 pixels.

    python tools/miniature/examples.py POOL
    python tools/miniature/scenes.py SCENES
    python tools/miniature/train.py POOL SCENES OUT --sizes 0.3M 0.8M 1.9M

As PaliGemma was, a model is trained at the lowest resolution first, and each higher one goes on from there with its
position embeddings interpolated. At each resolution the image tower first learns what its patches show; then all is
trained on all tasks at once (a "mix" model), the loss on the answer only. The same pool, code, library versions and one
thread give the same weights. A run that was stopped goes on from its last state when the same command is given again.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from examples import Pool
from scenes import KINDS
from torch import Tensor
from tower import load_scenes, train_tower

from evalsuite.backends.checkpoints.prompt import PromptTokenizer
from evalsuite.backends.tiny import TinyShape, image_processor_config, model_config
from evalsuite.backends.tiny_tokenizer import (
    LOCATIONS,
    SEGMENTS,
    SPACE,
    scored_pieces,
    vocabulary_size,
    write_tokenizer,
)

PATCH = 28  # 16, 64 and 256 image tokens at 112, 224 and 448 px
WORDS = 1000  # pieces of more than one character
SIZES: dict[str, dict[str, int]] = {
    "0.3M": {
        "hidden": 48,
        "mlp": 144,
        "layers": 2,
        "heads": 4,
        "head_dim": 16,
        "vision_hidden": 48,
        "vision_mlp": 144,
        "vision_layers": 2,
        "vision_heads": 4,
    },
    "0.8M": {
        "hidden": 80,
        "mlp": 240,
        "layers": 3,
        "heads": 4,
        "head_dim": 24,
        "vision_hidden": 80,
        "vision_mlp": 240,
        "vision_layers": 3,
        "vision_heads": 4,
    },
    "1.9M": {
        "hidden": 120,
        "mlp": 360,
        "layers": 4,
        "heads": 4,
        "head_dim": 32,
        "vision_hidden": 120,
        "vision_mlp": 320,
        "vision_layers": 4,
        "vision_heads": 4,
    },
}
EXAMPLES = {112: 300_000, 224: 100_000, 448: 50_000}
"""Training examples that each resolution sees, those of the lower ones not counted."""
TOWER_EXAMPLES = {112: 60_000, 224: 80_000, 448: 40_000}
"""Scenes from which the image tower alone learns first what its patches show."""
PEAK_RATE = {"0.3M": 3e-3, "0.8M": 2.5e-3, "1.9M": 2e-3}
LATER_RATE = 0.5  # of the peak, for a model that goes on from a lower resolution
BATCH = 16  # examples, or fewer: many small steps; with 125 in a batch the models stay blind
MOST_TOKENS = 24_576
WINDOW = 32  # batches whose examples are sorted by length together
WARM_UP = 0.03
SAVE_EVERY = 180.0  # seconds
SEED = 0


@dataclass
class Batch:
    """frames: (frames, side, side, 3) uint8, of all examples in order; tokens: (batch, length) with 0 where an image
    or padding lies; image: True for image tokens; prefix, total: lengths with the image, (batch,)."""

    frames: np.ndarray[Any, Any]
    tokens: Tensor
    image: Tensor
    prefix: Tensor
    total: Tensor

    @property
    def size(self) -> int:
        return len(self.prefix)


class Reader:
    """Batches of a pool at one resolution, the same in every run."""

    def __init__(self, pool: Pool, tokenizer: PromptTokenizer, side: int) -> None:
        self.pool, self.tokenizer, self.side = pool, tokenizer, side
        self.tokens_per_frame = (side // PATCH) ** 2
        self.ids = [index for index, item in enumerate(pool.items) if side in item.places]
        self.prompts = {
            index: tokenizer.prompt(pool.items[index].prompt, pool.items[index].max_prompt_tokens) for index in self.ids
        }
        self.answers = {index: tokenizer.answer(pool.items[index].target) for index in self.ids}

    def length(self, index: int) -> int:
        image = self.pool.items[index].frames * self.tokens_per_frame
        return image + len(self.prompts[index]) + len(self.answers[index])

    def batches(self, examples: int) -> Iterator[list[int]]:
        """Examples of each batch until ``examples`` were given: shuffled epochs, similar lengths together."""
        rng = np.random.default_rng([SEED, self.side])
        given = 0
        while True:
            order = rng.permutation(self.ids)
            for start in range(0, len(order), WINDOW * BATCH):
                window = sorted(order[start : start + WINDOW * BATCH].tolist(), key=self.length)
                chunks = list(self._chunks(window))
                for place in rng.permutation(len(chunks)):
                    yield chunks[place]
                    given += len(chunks[place])
                    if given >= examples:
                        return

    def _chunks(self, window: Sequence[int]) -> Iterator[list[int]]:
        chunk: list[int] = []
        for index in window:
            if len(chunk) == BATCH or ((len(chunk) + 1) * self.length(index) > MOST_TOKENS and chunk):
                yield chunk
                chunk = []
            chunk.append(index)
        yield chunk

    def load(self, indices: Sequence[int]) -> Batch:
        longest = max(map(self.length, indices))
        tokens = torch.zeros(len(indices), longest, dtype=torch.long)
        image = torch.zeros(len(indices), longest, dtype=torch.bool)
        prefix, total = [], []
        for row, index in enumerate(indices):
            start = self.pool.items[index].frames * self.tokens_per_frame
            image[row, :start] = True
            text = self.prompts[index] + self.answers[index]
            tokens[row, start : start + len(text)] = torch.tensor(text)
            prefix.append(start + len(self.prompts[index]))
            total.append(start + len(text))
        frames = np.concatenate([self.pool.pixels(index, self.side) for index in indices])
        return Batch(frames, tokens, image, torch.tensor(prefix), torch.tensor(total))


def loss_of(model: Any, batch: Batch) -> tuple[Tensor, Tensor]:
    """Cross entropy of the answers, and of each example, (batch,).

    Every token of an answer weighs 1 / sqrt(its length), so that tables do not drown one-word answers.
    """
    body = model.model
    frames = torch.from_numpy(batch.frames).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    features = body.multi_modal_projector(body.vision_tower(frames).last_hidden_state)
    embeddings = body.language_model.embed_tokens(batch.tokens).clone()
    embeddings[batch.image] = features.flatten(0, 1).to(embeddings.dtype)
    places = torch.arange(batch.tokens.shape[1])
    hidden = body.language_model(
        inputs_embeds=embeddings,
        attention_mask=prefix_mask(batch),
        position_ids=places[None].expand(batch.size, -1),
        use_cache=False,
    ).last_hidden_state
    answering = (places >= batch.prefix[:, None] - 1) & (places < batch.total[:, None] - 1)
    rows = answering.nonzero()[:, 0]
    cap = model.config.text_config.final_logit_softcapping
    logits = torch.tanh(model.lm_head(hidden[answering]).float() / cap) * cap
    targets = batch.tokens[:, 1:][answering[:, :-1]]
    losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    lengths = (batch.total - batch.prefix).float()
    weights = lengths.rsqrt()[rows]
    each = torch.zeros(batch.size).index_add_(0, rows, losses.detach()) / lengths
    return (losses * weights).sum() / weights.sum(), each


def attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float = 1.0,
    softcap: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Plain attention with grouped keys and Gemma 2's soft cap, faster here than the library's two kinds.

    query: (batch, heads, queries, size); key, value: (batch, groups, keys, size). Returns (batch, queries, heads,
    size).
    """
    batch, heads, queries, size = query.shape
    groups = key.shape[1]
    folded = query.reshape(batch, groups, heads // groups * queries, size) * (scaling / (softcap or 1.0))
    logits = torch.matmul(folded, key.transpose(2, 3)).view(batch, groups, heads // groups, queries, -1)
    if softcap is not None:
        logits = logits.tanh() * softcap
    if attention_mask is not None:
        logits = logits + attention_mask[:, :, None].to(logits.dtype)
    weights = logits.softmax(-1).to(value.dtype).view(batch, groups, heads // groups * queries, -1)
    return torch.matmul(weights, value).view(batch, heads, queries, size).transpose(1, 2), None


def prefix_mask(batch: Batch) -> Tensor:
    """(batch, 1, length, length): 0 where a query may look, else the least number. Prefix both ways, answer causal."""
    places = torch.arange(batch.tokens.shape[1])
    allowed = (places[None, None, :] < batch.prefix[:, None, None]) | (places[None, None, :] <= places[None, :, None])
    allowed &= places[None, None, :] < batch.total[:, None, None]
    mask = torch.zeros(allowed.shape).masked_fill_(~allowed, torch.finfo(torch.float32).min)
    return mask[:, None]


def vocabulary(pool: Pool) -> dict[str, float]:
    """The commonest words, markup and marks of the pool with log-probabilities. Digits stay single, as in Gemma."""
    pattern = re.compile(r"<(?:loc|seg)\d+>|</?\w+>|▁?[^\W\d_]{2,}|▁\w|\d|[^\w\s]")
    found: Counter[str] = Counter()
    for item in pool.items:
        for text in (item.prompt, item.target):
            found.update(pattern.findall(text.replace(" ", SPACE)))
    marks = {*LOCATIONS, *SEGMENTS}
    words = {word: count for word, count in found.items() if len(word) > 1 and word not in marks}
    kept = sorted(words, key=lambda word: (-words[word], word))[:WORDS]
    total = sum(found.values())
    return {word: round(math.log(words[word] / total), 6) for word in kept}


def shape_of(size: str, side: int, pieces: int) -> TinyShape:
    rows = vocabulary_size(pieces)
    image = pieces + len(LOCATIONS) + len(SEGMENTS)
    return TinyShape(resolution=side, patch=PATCH, vocabulary=rows, image_token=image, **SIZES[size])


def new_model(shape: TinyShape) -> Any:
    from transformers import AttentionInterface, PaliGemmaConfig, PaliGemmaForConditionalGeneration

    config = PaliGemmaConfig(**model_config(shape))
    AttentionInterface.register("miniature", attention)
    config.text_config._attn_implementation = config.vision_config._attn_implementation = "miniature"
    torch.manual_seed(SEED)
    model: Any = PaliGemmaForConditionalGeneration(config)
    for (
        module
    ) in model.modules():  # the library draws all weights with one deviation, which is too small for narrow layers
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.normal_(module.weight, std=module.in_features**-0.5)
    torch.nn.init.normal_(model.model.language_model.embed_tokens.weight, std=shape.hidden**-0.5)
    model.tie_weights()
    return model.train()


def grow(lower: dict[str, Tensor], model: Any) -> None:
    """Start from the weights of a lower resolution, position embeddings interpolated."""
    name = next(key for key in lower if key.endswith("position_embedding.weight"))
    wanted = model.state_dict()[name].shape[0]
    old = lower[name]
    side, new = int(len(old) ** 0.5), int(wanted**0.5)
    grid = old.T.reshape(1, -1, side, side)
    grid = torch.nn.functional.interpolate(grid, size=(new, new), mode="bicubic", align_corners=False)
    lower = {**lower, name: grid.reshape(old.shape[1], -1).T}
    model.load_state_dict(lower)


def rate(size: str, later: bool, progress: float) -> float:
    peak = PEAK_RATE[size] * (LATER_RATE if later else 1.0)
    if progress < WARM_UP:
        return peak * progress / WARM_UP
    return peak * 0.5 * (1 + math.cos(math.pi * (progress - WARM_UP) / (1 - WARM_UP)))


def train(
    pool: Pool,
    scenes: Path,
    words: dict[str, float],
    out: Path,
    size: str,
    side: int,
    lower: Path | None,
    share: float,
) -> None:
    """Train one model, or go on with it, and write its checkpoint folder."""
    folder = out / f"{size}-{side}"
    if (folder / "model.safetensors").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder, words)
    pieces = len(scored_pieces(words))
    shape = shape_of(size, side, pieces)
    reader = Reader(pool, PromptTokenizer.load(folder, shape.vocabulary, shape.image_token), side)
    model = new_model(shape)
    if lower is not None:
        grow(torch.load(lower, weights_only=True)["model"], model)
    matrices = [p for p in model.parameters() if p.ndim > 1]
    rest = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": 0.02}, {"params": rest, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), eps=1e-8)
    state, seen, step, spent = folder / "state.pt", 0, 0, 0.0
    if state.exists():
        saved = torch.load(state, weights_only=True)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        seen, step, spent = saved["seen"], saved["step"], saved["seconds"]
    else:
        begun = time.monotonic()
        names = [torch.tensor([reader.tokenizer.id_of(SPACE + word) for word in kind]) for kind in KINDS]
        train_tower(model, names, load_scenes(scenes, side), int(TOWER_EXAMPLES[side] * share), print)
        spent = time.monotonic() - begun
        save_state(state, model, optimizer, seen, step, spent)
    total = int(EXAMPLES[side] * share)
    begun = saved_at = time.monotonic()
    by_task: dict[str, list[float]] = {}
    with (folder / "log.jsonl").open("a") as log:
        for number, indices in enumerate(reader.batches(total)):
            if number < step:
                continue
            batch = reader.load(indices)
            for group in optimizer.param_groups:
                group["lr"] = rate(size, lower is not None, min(1.0, seen / total))
            with torch.autocast("cpu", torch.bfloat16):
                loss, each = loss_of(model, batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            seen, step = seen + len(indices), number + 1
            for index, value in zip(indices, each.tolist(), strict=True):
                by_task.setdefault(pool.items[index].task, []).append(value)
            now = time.monotonic()
            if step % 200 == 0:
                means = {task: round(sum(values) / len(values), 4) for task, values in sorted(by_task.items())}
                row = {"step": step, "seen": seen, "of": total, "seconds": round(spent + now - begun, 1), "loss": means}
                log.write(json.dumps(row) + "\n")
                log.flush()
                by_task.clear()
            if now - saved_at > SAVE_EVERY:
                save_state(state, model, optimizer, seen, step, spent + now - begun)
                saved_at = now
    save_state(state, model, optimizer, seen, step, spent + time.monotonic() - begun)
    write_checkpoint(folder, shape, model)


def save_state(file: Path, model: Any, optimizer: Any, seen: int, step: int, seconds: float) -> None:
    work = file.with_suffix(".new")
    values = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
    torch.save({**values, "seen": seen, "step": step, "seconds": seconds}, work)
    work.replace(file)


def write_checkpoint(folder: Path, shape: TinyShape, model: Any) -> None:
    """config, processor and bfloat16 weights under the names of the released checkpoints."""
    from safetensors.torch import save_file

    config = {**model_config(shape), "torch_dtype": "bfloat16"}
    for name, value in (("config.json", config), ("preprocessor_config.json", image_processor_config(shape))):
        (folder / name).write_text(json.dumps(value, indent=1, sort_keys=True) + "\n", "utf-8")
    weights = {released_name(name): value for name, value in model.state_dict().items() if name != "lm_head.weight"}
    kept = {name: value.to(torch.bfloat16).contiguous() for name, value in weights.items()}
    work = folder / "model.new"
    save_file(kept, work, metadata={"format": "pt"})
    work.replace(folder / "model.safetensors")


def released_name(name: str) -> str:
    """The name of a weight in released checkpoints: the language model has a level of its own there."""
    name = name.removeprefix("model.")
    return re.sub(r"^language_model\.", "language_model.model.", name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pool", type=Path)
    parser.add_argument("scenes", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--sizes", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--share", type=float, default=1.0, help="of the training examples, for a quick trial")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    pool = Pool(chosen.pool)
    words = vocabulary(pool)
    for size in chosen.sizes:
        lower: Path | None = None
        for side in EXAMPLES:
            train(pool, chosen.scenes, words, chosen.out, size, side, lower, chosen.share)
            lower = chosen.out / f"{size}-{side}" / "state.pt"


if __name__ == "__main__":
    main()
