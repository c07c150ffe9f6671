"""Batches: rows of a picture (or several) with the questions about it, and who may look at whom in a row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from examples import Pool
from scenes import PATCH, Scenes
from torch import Tensor

from evalsuite.backends.checkpoints.prompt import PromptTokenizer

MOST_TOKENS = 24_576  # of a batch, padding counted
WINDOW = 32  # batches whose examples are sorted by length together
SHORT = 10  # tokens; at most MOST_LONG answers about a scene are longer
MOST_LONG = 1
LONGEST = 160  # tokens of an answer of the pool; others are left out
LOOKING, SHORT_ONES, EVERYTHING = "looking", "short ones", "everything"
OPENINGS = ("How", "What", "Is", "Where", "what")
LOOKED_UP = {
    f"scene: {kind}" for kind in ("What color", "What shape", "Is there", "Where is", "what word", "what does")
}
"""Questions that are answered by looking at the patches that one word names."""
PICTURE, PADDING = 0, -1

Turn = tuple[Sequence[int], Sequence[int]]  # token ids of a prompt and of its answer


@dataclass
class Batch:
    """frames: (frames, side, side, 3) uint8, of all rows in order. The rest: (rows, length).

    tokens: ids, 0 for image tokens and padding; image: True for image tokens; turns: number of the question, PICTURE or
    PADDING; places: position ids, which go on from the picture in every turn; weights: of the loss of the prediction
    made at a place, 1 / sqrt(length of its answer), 0 outside answers.
    """

    frames: np.ndarray[Any, Any]
    tokens: Tensor
    image: Tensor
    turns: Tensor
    places: Tensor
    weights: Tensor

    def mask(self) -> Tensor:
        """(rows, 1, length, length): 0 where a query may look, else the least number.

        A prompt sees itself both ways and its picture, an answer also what it said before, nobody another turn.
        """
        answers = torch.zeros_like(self.image)
        answers[:, 1:] = self.weights[:, :-1] > 0
        order = torch.arange(self.tokens.shape[1])
        earlier = order[None, :] <= order[:, None]
        allowed = (self.turns[:, None, :] == self.turns[:, :, None]) & (~answers[:, None, :] | earlier)
        allowed |= (self.turns[:, None, :] == PICTURE) & (self.turns[:, :, None] != PADDING)
        return torch.zeros(allowed.shape).masked_fill_(~allowed, torch.finfo(torch.float32).min)[:, None]


def batch_of(frames: Sequence[np.ndarray[Any, Any]], rows: Sequence[Sequence[Turn]], joined: bool) -> Batch:
    """frames: those of every row, (n, side, side, 3). joined: the picture sees the prompt, as it does when a model is
    asked; each row then has one turn."""
    pictures = [len(part) * (part.shape[1] // PATCH) ** 2 for part in frames]
    texts = [sum(len(prompt) + len(answer) for prompt, answer in turns) for turns in rows]
    shape = (len(rows), max(picture + text for picture, text in zip(pictures, texts, strict=True)))
    tokens, places, turn_of = (torch.zeros(shape, dtype=torch.long) for _ in range(3))
    image, weights = torch.zeros(shape, dtype=torch.bool), torch.zeros(shape)
    turn_of.fill_(PADDING)
    for row, (picture, turns) in enumerate(zip(pictures, rows, strict=True)):
        image[row, :picture], turn_of[row, :picture] = True, 1 if joined else PICTURE
        places[row, :picture] = torch.arange(picture)
        start = picture
        for number, (prompt, answer) in enumerate(turns, 1):
            begin, end = start + len(prompt), start + len(prompt) + len(answer)
            tokens[row, start:end] = torch.tensor([*prompt, *answer])
            turn_of[row, start:end] = number
            places[row, start:end] = torch.arange(picture, picture + end - start)
            weights[row, begin - 1 : end - 1] = len(answer) ** -0.5
            start = end
    return Batch(np.concatenate(frames), tokens, image, turn_of, places, weights)


class SceneQuestions:
    """Batches of scenes, each with many of its questions."""

    def __init__(self, scenes: Scenes, tokenizer: PromptTokenizer, pictures: int, questions: int, longest: int) -> None:
        self.scenes, self.pictures, self.questions, self.longest = scenes, pictures, questions, longest
        self._prompt, self._answer = remembered(tokenizer.prompt), remembered(tokenizer.answer)

        self._kinds = [[kind_of_question(prompt) for prompt, _ in asked] for asked in scenes.asked]
        self._looked_up = [index for index, kinds in enumerate(self._kinds) if LOOKED_UP & {*kinds}]

    def batch(self, rng: np.random.Generator, course: str) -> tuple[Batch, list[list[str]], list[int]]:
        """A batch, the kinds of questions in each row, and the scenes.

        course: LOOKING, SHORT_ONES or EVERYTHING.
        """
        chosen = rng.choice(self._looked_up if course == LOOKING else len(self.scenes), self.pictures).tolist()
        rows: list[list[Turn]] = []
        asked: list[list[str]] = []
        for index in chosen:
            every, most_long = self.scenes.asked[index], MOST_LONG if course == EVERYTHING else 0
            rows.append([])
            asked.append([])
            long = 0
            for place in self._order(index, rng):
                if course == LOOKING and self._kinds[index][place] not in LOOKED_UP:
                    continue
                prompt, answers = every[place]
                answer = self._answer(answers[rng.integers(len(answers))])
                long += len(answer) > SHORT
                if len(rows[-1]) < self.questions and len(answer) <= (self.longest if long <= most_long else SHORT):
                    rows[-1].append((self._prompt(prompt), answer))
                    asked[-1].append(self._kinds[index][place])
        frames = [self.scenes.pixels(index)[None] for index in chosen]
        return batch_of(frames, rows, joined=False), asked, chosen

    def _order(self, index: int, rng: np.random.Generator) -> list[int]:
        """Questions of a scene in random order, one of every kind before the second of one."""
        places, given = rng.permutation(len(self._kinds[index])).tolist(), Counter[str]()
        rounds = []
        for place in places:
            kind = self._kinds[index][place]
            rounds.append(given[kind])
            given[kind] += 1
        return [place for _, place in sorted(zip(rounds, places, strict=True), key=lambda pair: pair[0])]


class PoolQuestions:
    """Batches of the pool of all tasks: shuffled epochs, similar lengths together, the same in every run."""

    def __init__(self, pool: Pool, tokenizer: PromptTokenizer, side: int, size: int, seed: int) -> None:
        self.pool, self.side, self.size, self.seed = pool, side, size, seed
        self.ids = [index for index, item in enumerate(pool.items) if side in item.places]
        prompt, answer = remembered(tokenizer.prompt), remembered(tokenizer.answer)
        items = pool.items
        self.turns = {
            index: (prompt(items[index].prompt, items[index].max_prompt_tokens), answer(items[index].target))
            for index in self.ids
        }
        self.ids = [index for index in self.ids if len(self.turns[index][1]) <= LONGEST]

    def length(self, index: int) -> int:
        return self.pool.items[index].frames * (self.side // PATCH) ** 2 + sum(map(len, self.turns[index]))

    def batches(self) -> Iterator[list[int]]:
        """Examples of each batch, without end."""
        rng = np.random.default_rng([self.seed, self.side])
        while True:
            order = rng.permutation(self.ids)
            for start in range(0, len(order), WINDOW * self.size):
                window = sorted(order[start : start + WINDOW * self.size].tolist(), key=self.length)
                chunks = list(self._chunks(window))
                for place in rng.permutation(len(chunks)):
                    yield chunks[place]

    def _chunks(self, window: Sequence[int]) -> Iterator[list[int]]:
        chunk: list[int] = []
        for index in window:
            if len(chunk) == self.size or ((len(chunk) + 1) * self.length(index) > MOST_TOKENS and chunk):
                yield chunk
                chunk = []
            chunk.append(index)
        yield chunk

    def load(self, indices: Sequence[int]) -> Batch:
        frames = [self.pool.pixels(index, self.side) for index in indices]
        return batch_of(frames, [[self.turns[index]] for index in indices], joined=True)


def kind_of_question(prompt: str) -> str:
    first, *rest = prompt.split()
    if first == "detect":
        return f"scene: detect {'all' if rest[0] == 'all' else 'one'}"
    if first in ("caption", "ocr"):
        return f"scene: {first}" if rest != ["en"] else "scene: caption en"
    if first != "answer":
        return "scene: expression"
    if rest[1] == "The":
        return "scene: statement"
    return f"scene: {' '.join(rest[1:3])}" if rest[1] in OPENINGS else "scene: other"


def remembered(encode: Callable[..., Sequence[int]]) -> Callable[..., Sequence[int]]:
    """Texts recur; each is tokenized once."""
    known: dict[tuple[Any, ...], Sequence[int]] = {}

    def look_up(*asked: Any) -> Sequence[int]:
        if asked not in known:
            known[asked] = tuple(encode(*asked))
        return known[asked]

    return look_up
