"""Scenes whose every patch and every object is known: what the models learn to see and to find from.

    python tools/miniature/scenes.py SCENES [--count 40000]

Models as small as ours learn shapes and where to look only after millions of examples when they are told nothing but
answers. Here is told what every patch of a picture shows, and a picture comes with all the questions it can answer.
"""

from __future__ import annotations

import argparse
import json
import os
import string
import zlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalsuite.data.synthetic import Rendered
from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.records.captioning import captions_of_text
from evalsuite.data.synthetic.records.pages import SIGN_WORDS
from evalsuite.data.synthetic.records.questions import simple_scene
from evalsuite.data.synthetic.render.drawing import font
from evalsuite.data.synthetic.render.scenes import SIGN_HEIGHT
from evalsuite.data.synthetic.wording import language, tongues
from evalsuite.data.synthetic.wording.descriptions import place_of
from evalsuite.data.synthetic.world import COLOURS, SHAPES, SIGN, Scene, SceneObject, make_scene
from evalsuite.data.targets.segmentation import SEGMENT_TOKENS, location_tokens
from evalsuite.media.preparation import prepare_frames
from evalsuite.types import ImagePreparation

RESOLUTIONS = (112, 224, 448)
PATCH = 28
SHARD = 1000
SHARE = 0.25  # of a patch, or of an object smaller than a patch: what it must cover to be what the patch shows
SIGNS, SIMPLE = 0.35, 0.15  # of all scenes: signs with words, and things that every language has words for
KINDS = (*SHAPES, *(word.lower() for word in SIGN_WORDS))
HUES = tuple(COLOURS)
NOTHING = -1
LETTERS = string.ascii_uppercase + string.digits
READ = 2
MOST_EXPRESSIONS = 4
FIELDS = ("kinds", "hues", "boxes", "letters")

Asked = tuple[str, list[str]]  # a prompt and its right answers


@dataclass(frozen=True)
class Labels:
    """What patches show in each scene.

    Indices of KINDS and HUES, (scenes, patches), or NOTHING; where it lies, y1, x1, y2, x2 in 0..1, (scenes, patches,
    4); the first letters whose middle is in the patch, as indices of LETTERS, (scenes, patches, READ).
    """

    kinds: NDArray[np.int8]
    hues: NDArray[np.int8]
    boxes: NDArray[np.float16]
    letters: NDArray[np.int8]


class Scenes:
    """A finished pool of scenes at one resolution."""

    def __init__(self, folder: Path, side: int) -> None:
        self.side = side
        shards = sorted(folder.glob(f"{side}-*.npz"))
        if not shards:
            raise SystemExit(f"{folder}: no scenes here; make them with tools/miniature/scenes.py {folder}")
        parts = [dict(np.load(file)) for file in shards]
        self.labels = Labels(*(np.concatenate([part[name] for part in parts]) for name in FIELDS))
        self._places = [part["places"] for part in parts]
        self._bytes = [np.memmap(file.with_suffix(".bin"), np.uint8, "r") for file in shards]
        self.asked: list[list[Asked]] = [
            [(prompt, answers) for prompt, answers in json.loads(line)]
            for file in shards
            for line in (folder / f"asked-{file.stem.rpartition('-')[2]}.jsonl").read_text("utf-8").splitlines()
        ]

    def __len__(self) -> int:
        return len(self.asked)

    def pixels(self, index: int) -> NDArray[np.uint8]:
        """(side, side, 3)."""
        shard, place = divmod(index, SHARD)
        offset, length = self._places[shard][place]
        packed = self._bytes[shard][offset : offset + length]
        return np.frombuffer(zlib.decompress(packed), np.uint8).reshape(self.side, self.side, 3)


# -- what a patch shows ------------------------------------------------------------------------------------------------


def kind_of(item: SceneObject) -> str:
    return str(item.text).lower() if item.shape == SIGN else item.shape


def patch_labels(scene: Scene, side: int) -> dict[str, NDArray[Any]]:
    across = side // PATCH
    edges = np.arange(across) / across
    best = np.zeros((across, across))
    kinds, hues = np.full((2, across, across), NOTHING, np.int8)
    boxes = np.zeros((across, across, 4), np.float16)
    for item in scene.objects:
        x, y, width, height = item.place
        over_x = np.clip(np.minimum(edges + 1 / across, x + width) - np.maximum(edges, x), 0, None)
        over_y = np.clip(np.minimum(edges + 1 / across, y + height) - np.maximum(edges, y), 0, None)
        covered = np.outer(over_y, over_x) / min(width * height, across**-2)
        here = covered > np.maximum(best, SHARE)
        best[here] = covered[here]
        kinds[here], hues[here] = KINDS.index(kind_of(item)), HUES.index(item.colour)
        boxes[here] = (y, x, y + height, x + width)
    return {
        "kinds": kinds.ravel(),
        "hues": hues.ravel(),
        "boxes": boxes.reshape(-1, 4),
        "letters": patch_letters(scene, across).reshape(-1, READ),
    }


def patch_letters(scene: Scene, across: int) -> NDArray[np.int8]:
    letters = np.full((across, across, READ), NOTHING, np.int8)
    for item in scene.objects:
        if item.shape == SIGN:
            for letter, x in letter_places(scene, item):
                patch = letters[int(item.centre[1] * across), int(x * across)]
                free = np.flatnonzero(patch == NOTHING)
                if len(free):
                    patch[free[0]] = LETTERS.index(letter)
    return letters


def letter_places(scene: Scene, sign: SceneObject) -> Iterator[tuple[str, float]]:
    """Each letter and where its middle is, as a share of the picture's width."""
    _, _, width, height = scene.pixel_box(sign)
    text, letters = str(sign.text), font(height / SIGN_HEIGHT)
    whole = letters.getlength(text)
    shrunk = min(1.0, (width - 4 * max(0.05 * height, 1.0)) / whole)  # as it is drawn
    for place, letter in enumerate(text):
        middle = letters.getlength(text[:place]) + letters.getlength(letter) / 2
        yield letter, sign.centre[0] + shrunk * (middle - whole / 2) / scene.width


# -- what can be asked -------------------------------------------------------------------------------------------------


def _answer(question: str) -> str:
    return f"answer en {question}"


def asked_of_shapes(rng: SeededRandom, scene: Scene) -> Iterator[Asked]:
    for questions in (language.scene_questions(rng, scene), language.scene_questions(rng, scene)):
        yield from ((_answer(question.text), [question.answer]) for question in questions)
    for _ in range(2):
        yield from ((_answer(question.text), [question.answer]) for question in language.counting_questions(rng, scene))
    there = {item.name for item in scene.objects}
    near = [f"{hue} {shape}" for shape in SHAPES for hue in COLOURS if f"{hue} {shape}" not in there]
    near = [name for name in near if set(name.split()) & set(" ".join(there).split())]
    for name in (*rng.sample(sorted(there), 2), *rng.sample(near, 2)):
        truth = "yes" if name in there else "no"
        yield _answer(f"Is there {language.with_article(name)} in the image?"), [truth]
    shape = rng.choice(scene.objects).shape
    yield (
        _answer(f"How many {language.plural(shape)} are there in the image?"),
        [str(language.count_of(scene, shape=shape))],
    )
    yield "caption en", language.captions(rng, scene)
    yield "detect all classes", [everything(scene)]
    if len(language.unique_names(scene)) > 1:
        for label in (True, False):
            subject, relation, other = language.spatial_statement(rng, scene, label)
            yield _answer(f"The {subject.name} is {relation} the {other.name}."), [str(label)]
    for target in rng.sample(language.unique_names(scene), MOST_EXPRESSIONS):
        yield _answer(f"Where is the {target.name}?"), [place_of(target)]
        yield f"detect {target.name}", [f"{_location(scene, target)} {target.name}"]
    for target in rng.sample(scene.objects, MOST_EXPRESSIONS):
        for expression in language.referring_expressions(rng, scene, target)[:1]:
            yield expression, [_location(scene, target) + "<seg000>" * SEGMENT_TOKENS]
    target = rng.choice(language.unique_names(scene) or scene.objects)
    if language.count_of(scene, shape=target.shape) == 1:
        other = rng.choice([colour for colour in COLOURS if colour != target.colour])
        hues = " or ".join(rng.shuffled([target.colour, other]))
        yield _answer(f"Is the {target.shape} {hues}?"), [target.colour]
        if abs(target.centre[0] - 0.5) > 0.1:
            side = "left" if target.centre[0] < 0.5 else "right"
            yield _answer(f"Is the {target.shape} on the left or on the right side of the image?"), [side]


def asked_in_tongues(rng: SeededRandom, scene: Scene) -> Iterator[Asked]:
    for tongue in rng.sample(tongues.LANGUAGES, 6):
        yield f"caption {tongue}", tongues.captions(tongue, scene.objects)
    for tongue in ("bn", "de", "en", "id", "ko", "pt", "ru", "zh"):
        item = rng.choice(scene.objects)
        if language.count_of(scene, shape=item.shape) == 1:
            yield _answer(tongues.colour_question(tongue, item.shape)), [item.colour]


def asked_of_signs(rng: SeededRandom, record: dict[str, Any]) -> Iterator[Asked]:
    scene: Scene = record["image"].content
    for item in scene.objects:
        answer = str(item.text).lower()
        forms = ("what number is on",) if answer.isdigit() else ("what word is on", "what does it say on")
        for form in forms:
            yield _answer(f"{form} the {item.colour} sign?"), [answer]
    yield _answer("How many words are there?"), [str(len(scene.objects))]
    yield _answer("Is this a picture of signs?"), ["Yes"]
    yield "caption en", list(record["caption_str"])
    yield "ocr", [everything(scene)]


def everything(scene: Scene) -> str:
    """Every object with its box, in the order of reading."""
    return " ; ".join(sorted(f"{_location(scene, item)} {item.text or item.shape}" for item in scene.objects))


def _location(scene: Scene, item: SceneObject) -> str:
    return location_tokens(scene.pixel_box(item), scene.height, scene.width)


# -- making them -------------------------------------------------------------------------------------------------------


def make(rng: SeededRandom) -> tuple[Scene, list[Asked]]:
    kind = rng.uniform(0, 1)
    if kind < SIGNS:
        record = captions_of_text(
            rng, 0, {"max_objects": 5, "text_scale": rng.uniform(0.9, 1.2), "width": 1024, "height": 1024}
        )
        return record["image"].content, list(asked_of_signs(rng, record))
    if kind < SIGNS + SIMPLE:
        scene = simple_scene(rng, rng.integer(1, 4))
        return scene, list(asked_in_tongues(rng, scene))
    repeated, (width, height) = rng.chance(0.4), rng.choice(((1024, 1024), (1024, 1024), (1024, 768), (640, 480)))
    scene = make_scene(rng, rng.integer(1, 10), width, height, repeated=repeated)
    return scene, list(asked_of_shapes(rng, scene))


def build(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor(os.cpu_count()) as processes:
        list(processes.map(_make_shard, [(folder, shard) for shard in range(count // SHARD)]))


def _make_shard(given: tuple[Path, int]) -> None:
    folder, shard = given
    questions = folder / f"asked-{shard:04d}.jsonl"
    if questions.exists():
        return
    packed: dict[int, list[bytes]] = {side: [] for side in RESOLUTIONS}
    labels: dict[int, list[dict[str, NDArray[Any]]]] = {side: [] for side in RESOLUTIONS}
    lines = []
    for place in range(SHARD):
        rng = SeededRandom("miniature", "train", shard, place)
        scene, asked = make(rng)
        lines.append(json.dumps(asked, ensure_ascii=False))
        frames = Rendered(scene).frames()
        preparation = ImagePreparation(antialias=rng.chance(0.5))
        for side in RESOLUTIONS:
            packed[side].append(zlib.compress(prepare_frames(frames, side, preparation).tobytes(), 1))
            labels[side].append(patch_labels(scene, side))
    for side in RESOLUTIONS:
        lengths = np.array([len(piece) for piece in packed[side]])
        arrays = {name: np.stack([one[name] for one in labels[side]]) for name in labels[side][0]}
        file = folder / f"{side}-{shard:04d}.npz"
        file.with_suffix(".bin").write_bytes(b"".join(packed[side]))
        np.savez(file, places=np.stack([np.cumsum(lengths) - lengths, lengths], axis=1), **arrays)
    questions.write_text("\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=40_000)
    chosen = parser.parse_args()
    build(chosen.folder, chosen.count)
