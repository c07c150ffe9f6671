"""Train the miniature PaliGemma 2 family: three sizes, each at 224, then 112 and 448 pixels.

    python tools/miniature/examples.py POOL
    python tools/miniature/scenes.py SCENES
    python tools/miniature/train.py POOL SCENES OUT --sizes 0.3M 0.8M 1.9M

As PaliGemma was, a model is trained at 224 pixels first, and each other resolution goes on from there with position
embeddings interpolated. At each resolution the image tower first learns what its patches show (tower.py); then all is
trained on all tasks at once (a "mix" model), the loss on the answer: two of three steps ask many questions about a few
scenes, the third one question each of the pool of all tasks. The same pool, scenes, code, library versions and one
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
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from batches import EVERYTHING, LOOKING, SHORT_ONES, Batch, PoolQuestions, SceneQuestions
from examples import Pool
from optimizers import Optimizers
from scenes import HUES, KINDS, PATCH, Scenes
from torch import Tensor
from tower import THIRDS, Names, Right, Teller, as_input, labels_of, train_tower

from evalsuite.backends.checkpoints.prompt import PromptTokenizer
from evalsuite.backends.tiny.shapes import TinyShape, image_processor_config, model_config
from evalsuite.backends.tiny.tokenizer import (
    LOCATIONS,
    SEGMENTS,
    SPACE,
    scored_pieces,
    vocabulary_size,
    write_tokenizer,
)

WORDS = 1000  # pieces of more than one character
SIZES: dict[str, dict[str, int]] = {
    "0.3M": {
        "hidden": 48,
        "mlp": 72,
        "layers": 3,
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
TOWER_STEPS = {224: 4000, 112: 2500, 448: 1800}
"""Batches from which the image tower alone first learns what its patches show."""
FIRST = 224
STEPS = {FIRST: (10_000,), 112: (2500,), 448: (1000, 1500)}
"""Batches for the whole model at each resolution, by rounds; after the first they come on top of those of the first.

The rate falls to nothing at the end of a round. At 448 pixels there are two, because after one the models gave fewer
right answers to what they were trained on than at 224.
"""
COURSES = {LOOKING: 0.1, SHORT_ONES: 0.35}
"""Until which share of the steps at the first resolution scenes alone are asked about, and what."""
RATES = {"0.3M": (0.002, 4e-4), "0.8M": (0.002, 4e-4), "1.9M": (0.0015, 3e-4)}
"""The highest of Muon and of AdamW; with twice as much a model takes ten times as long until it sees."""
LATER_RATE = 0.7  # of these, for a model that goes on from the first resolution
BATCH = {112: 16, 224: 16, 448: 8}  # examples of the pool: many small steps; with 125 in a batch the models stay blind
PICTURES, QUESTIONS = 8, 8  # of a step that asks many questions about a few scenes
LONGEST_ANSWER = 64  # tokens, of a question about a scene
WARM_UP = 0.02
COOL_DOWN = 0.5  # of the steps: the rate falls to nothing
TELLING = 0.3  # weight of the tower's loss beside that of answers about scenes
BELL = 8  # location tokens, of 1024
SAVE_EVERY = 180.0  # seconds
POOL = "pool"
SEED = 0


def loss_of(model: Any, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """Weighted cross entropy of the answers; where a token of an answer was missed, (rows, length); projected patches.

    Location tokens near the right one count as nearly right: the target is a bell of BELL tokens around it.
    """
    body = model.model
    features = body.multi_modal_projector(body.vision_tower(as_input(batch.frames)).last_hidden_state)
    embeddings = body.language_model.embed_tokens(batch.tokens).clone()
    embeddings[batch.image] = features.flatten(0, 1).to(embeddings.dtype)
    hidden = body.language_model(
        inputs_embeds=embeddings, attention_mask=batch.mask(), position_ids=batch.places, use_cache=False
    ).last_hidden_state
    answering = batch.weights > 0
    cap = model.config.text_config.final_logit_softcapping
    logits = torch.tanh(model.lm_head(hidden[answering]).float() / cap) * cap
    targets = batch.tokens[:, 1:][answering[:, :-1]]
    losses = torch.nn.functional.cross_entropy(logits, targets, reduction="none")
    wrong = logits.argmax(-1) != targets
    first = first_location(model.config.image_token_id)
    places = torch.arange(len(LOCATIONS))
    local = (targets >= first) & (targets < first + len(LOCATIONS))
    distance = places - (targets[local] - first)[:, None]
    bells = (-0.5 * (distance / BELL).square()).softmax(-1)
    likely = logits[local].log_softmax(-1)[:, first : first + len(LOCATIONS)]
    losses = losses.masked_scatter(local, -(bells * likely).sum(-1))
    wrong[local] = (logits[local].argmax(-1) - targets[local]).abs() > 2 * BELL
    weights = batch.weights[answering]
    missed = torch.zeros_like(answering)
    missed[answering] = wrong
    return (losses * weights).sum() / weights.sum(), missed, features


class Patches(torch.nn.Conv2d):
    """The patch embedding as one product of matrices, four times as fast here as a convolution."""

    def forward(self, pictures: Tensor) -> Tensor:
        """(n, 3, side, side) -> (n, width, side / patch, side / patch)."""
        size, last = self.kernel_size[0], pictures.permute(0, 2, 3, 1)  # colours last, as they lie in memory
        cut = last.unflatten(2, (-1, size)).unflatten(1, (-1, size)).transpose(2, 3).flatten(3)
        return torch.nn.functional.linear(cut, self.weight.permute(0, 2, 3, 1).flatten(1), self.bias).permute(
            0, 3, 1, 2
        )


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


def vocabulary(pool: Pool, scenes: Scenes) -> dict[str, float]:
    """The commonest words, markup and marks with log-probabilities. Digits stay single, as in Gemma."""
    pattern = re.compile(r"<(?:loc|seg)\d+>|</?\w+>|▁?[^\W\d_]{2,}|▁\w|\d|[^\w\s]")
    found: Counter[str] = Counter()
    texts = [text for item in pool.items for text in (item.prompt, item.target)]
    texts += [text for asked in scenes.asked[::4] for prompt, answers in asked for text in (prompt, answers[0])]
    for text in texts:
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


def first_location(image_token: int) -> int:
    """Id of the first location token: these and the segmentation tokens come right before the image token."""
    return image_token - len(LOCATIONS) - len(SEGMENTS)


def new_model(shape: TinyShape) -> Any:
    from transformers import AttentionInterface, PaliGemmaConfig, PaliGemmaForConditionalGeneration

    config = PaliGemmaConfig(**model_config(shape))
    AttentionInterface.register("miniature", attention)
    config.text_config._attn_implementation = config.vision_config._attn_implementation = "miniature"
    torch.manual_seed(SEED)
    model: Any = PaliGemmaForConditionalGeneration(config)
    tower, table = model.model.vision_tower.embeddings, model.model.language_model.embed_tokens.weight
    with torch.no_grad():  # the library draws all weights with one deviation, which is too small for narrow layers
        for module in model.modules():
            if isinstance(module, torch.nn.Linear):
                module.weight.normal_(std=module.in_features**-0.5)
        tower.position_embedding.weight.normal_(std=0.3)
        tower.patch_embedding.bias.copy_(-0.95 * tower.patch_embedding.weight.sum((1, 2, 3)))  # a white patch gives 0
        table.normal_(std=shape.hidden**-0.5)
        table[first_location(shape.image_token) :][: len(LOCATIONS)] = smooth(shape.hidden)
    tower.patch_embedding.__class__ = Patches
    model.tie_weights()
    return model.train()


def smooth(width: int) -> Tensor:
    """Embeddings of the location tokens, (1024, width): neighbours are alike."""
    waves = torch.logspace(math.log10(0.25), math.log10(16), width)
    places = torch.linspace(0, 1, len(LOCATIONS))[:, None]
    return torch.cos(2 * math.pi * (places * waves + torch.rand(width))) * (2 / width) ** 0.5


def grow(first: dict[str, Tensor], model: Any) -> None:
    """Start from the weights of another resolution, position embeddings interpolated."""
    name = next(key for key in first if key.endswith("position_embedding.weight"))
    wanted = model.state_dict()[name].shape[0]
    old = first[name]
    side, new = int(len(old) ** 0.5), int(wanted**0.5)
    grid = old.T.reshape(1, -1, side, side)
    grid = torch.nn.functional.interpolate(grid, size=(new, new), mode="bicubic", align_corners=False)
    grown = {**first, name: grid.reshape(old.shape[1], -1).T}
    model.load_state_dict(grown)


def name_words(model: Any, tokenizer: PromptTokenizer) -> None:
    """The spellings of a word that names a thing (plural, capital, without a space before) start from its embedding."""
    table = model.model.language_model.embed_tokens.weight
    with torch.no_grad():
        for word in (*KINDS, *HUES, *THIRDS):
            known = whole_word(tokenizer, word)
            spellings = (word, f"{word}s", word.capitalize(), word.upper())
            for spelling in (*spellings, *(SPACE + spelling for spelling in spellings)):
                token = tokenizer.id_of(spelling)
                if known is not None and token is not None and token != known:
                    table[token] = table[known] + 0.2 * table[token]


def whole_word(tokenizer: PromptTokenizer, word: str) -> int | None:
    """Id of the one token that spells this word, after a space if there is such a token."""
    return tokenizer.id_of(SPACE + word) or tokenizer.id_of(word)


def names_of(tokenizer: PromptTokenizer, image_token: int) -> Names:
    def ids(word: str) -> list[int]:
        whole = tokenizer.id_of(SPACE + word)
        return [whole] if whole is not None else list(tokenizer.answer(word))[:-1]

    thirds = [whole_word(tokenizer, word) or 0 for word in THIRDS]
    return Names([ids(word) for word in KINDS], [ids(word) for word in HUES], thirds, first_location(image_token))


def shares_of_rate(later: bool, rounds: Sequence[int]) -> list[float]:
    """For each step of these rounds."""
    return [
        (LATER_RATE if later else 1.0) * min(1.0, step / steps / WARM_UP, (1 - step / steps) / COOL_DOWN)
        for steps in rounds
        for step in range(steps)
    ]


def course_of(first: bool, step: int, steps: int) -> str:
    """What a step asks about."""
    for course, until in COURSES.items():
        if first and step < until * steps:
            return course
    return EVERYTHING if step % 3 else POOL


@dataclass
class Progress:
    """Of one model at one resolution."""

    step: int = 0
    seconds: float = 0.0
    named: dict[str, float] = field(default_factory=dict)
    """Shares of patches whose shape, word, colour, edges and letters the image tower told in the last batches."""


def train(
    pool: Pool, scenes: Scenes, words: dict[str, float], folder: Path, size: str, start: Path | None, share: float
) -> None:
    """Train one model, or go on with it, and write its checkpoint folder."""
    side = scenes.side
    folder.mkdir(parents=True, exist_ok=True)
    write_tokenizer(folder, words)
    shape = shape_of(size, side, len(scored_pieces(words)))
    tokenizer = PromptTokenizer.load(folder, shape.vocabulary, shape.image_token)
    model = new_model(shape)
    teller = Teller(names_of(tokenizer, shape.image_token), shape.hidden)
    if start is not None:
        saved = torch.load(start, weights_only=True)
        grow(saved["model"], model)
        teller.load_state_dict(saved["teller"])
    optimizers = Optimizers(model, [*model.parameters(), *teller.parameters()], RATES[size])
    state, progress, begun = folder / "state.pt", Progress(), time.monotonic()
    if state.exists():
        saved = torch.load(state, weights_only=True)
        model.load_state_dict(saved["model"])
        teller.load_state_dict(saved["teller"])
        optimizers.load_state_dict(saved["optimizers"])
        progress = Progress(**saved["progress"])
    else:
        first = start is None
        progress.named = train_tower(model, teller, scenes, int(TOWER_STEPS[side] * share), first, print)
        if first:
            name_words(model, tokenizer)
        progress.seconds = time.monotonic() - begun
        save_state(state, model, teller, optimizers, progress)
        begun = time.monotonic()
    spent = begun - progress.seconds
    saved_at, missed, right = begun, Missed(), Right()
    rates = shares_of_rate(start is not None, [int(steps * share) for steps in STEPS[side]])
    steps = len(rates)
    table = model.model.language_model.embed_tokens.weight
    about_scenes = SceneQuestions(scenes, tokenizer, PICTURES, QUESTIONS, LONGEST_ANSWER)
    about_all = PoolQuestions(pool, tokenizer, side, BATCH[side], SEED)
    courses = [course_of(start is None, step, steps) for step in range(steps)]
    given = islice(about_all.batches(), courses[: progress.step].count(POOL), None)
    with (folder / "log.jsonl").open("a") as log:
        for step in range(progress.step, steps):
            if courses[step] == POOL:
                chosen = next(given)
                batch, labels = about_all.load(chosen), [[pool.items[index].task] for index in chosen]
            else:
                rng = np.random.default_rng([SEED, side, step])
                batch, labels, chosen = about_scenes.batch(rng, courses[step])
            with torch.autocast("cpu", torch.bfloat16):
                loss, wrong, patches = loss_of(model, batch)
                if courses[step] != POOL:  # so that the tower forgets nothing
                    loss = loss + TELLING * teller.loss(table, patches, labels_of(scenes, np.array(chosen)), right)
            optimizers.step(loss, rates[step])
            missed.add(batch, wrong, labels)
            progress.step, now = step + 1, time.monotonic()
            progress.seconds = now - spent
            if progress.step % 250 == 0:
                progress.named = right.taken() or progress.named
                log.write(json.dumps({"of": steps, **asdict(progress), "right": missed.taken()}) + "\n")
                log.flush()
            if now - saved_at > SAVE_EVERY:
                save_state(state, model, teller, optimizers, progress)
                saved_at = now
    save_state(state, model, teller, optimizers, progress)
    write_checkpoint(folder, shape, model)


class Missed:
    """How many answers were right, word for word, by what was asked."""

    def __init__(self) -> None:
        self.right: dict[str, list[bool]] = {}

    def add(self, batch: Batch, wrong: Tensor, labels: list[list[str]]) -> None:
        for row, names in enumerate(labels):
            for turn, name in enumerate(names, 1):
                self.right.setdefault(name, []).append(not wrong[row][batch.turns[row] == turn].any().item())

    def taken(self) -> dict[str, float]:
        shares = {name: round(sum(right) / len(right), 3) for name, right in sorted(self.right.items())}
        self.right.clear()
        return shares


def save_state(file: Path, model: Any, teller: Teller, optimizers: Optimizers, progress: Progress) -> None:
    work = file.with_suffix(".new")
    values = {
        "model": model.state_dict(),
        "teller": teller.state_dict(),
        "optimizers": optimizers.state_dict(),
        "progress": asdict(progress),
    }
    torch.save(values, work)
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
    words = vocabulary(pool, Scenes(chosen.scenes, min(STEPS)))
    for size in chosen.sizes:
        start: Path | None = None
        for side in STEPS:
            folder = chosen.out / f"{size}-{side}"
            if not (folder / "model.safetensors").exists():
                train(pool, Scenes(chosen.scenes, side), words, folder, size, start, chosen.share)
            start = chosen.out / f"{size}-{FIRST}" / "state.pt"


if __name__ == "__main__":
    main()
