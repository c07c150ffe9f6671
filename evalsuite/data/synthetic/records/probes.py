"""Records that probe one ability each: counting, doubting, telling pairs apart, describing everything."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.records.base import CLUTTER, Generator, Parameters, canvas, objects, scene_of
from evalsuite.data.synthetic.render.scenes import Rendered
from evalsuite.data.synthetic.wording.descriptions import long_description
from evalsuite.data.synthetic.wording.language import NUMBERS, plural, with_article
from evalsuite.data.synthetic.world import COLOURS, SHAPES, SIZES, Kind, Scene, SceneObject, arrange

POLLED = 6
"""POPE asks this many questions about an image, one half of them with the answer yes."""


def counts_to_ten(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """CountBenchQA: two to ten things of one shape, perhaps among others."""
    number = rng.integer(2, 10)
    shape, *others = rng.shuffled(list(SHAPES))
    shapes = [shape] * number + [rng.choice(others) for _ in range(rng.integer(0, parameters["max_others"]))]
    kinds: list[Kind] = [(name, rng.choice(list(COLOURS)), rng.choice(("small", "medium")), None) for name in shapes]
    scene = arrange(rng, kinds, lambda size, _: (SIZES[size], SIZES[size]), parameters["width"], parameters["height"])
    return {
        "image": Rendered(scene),
        "text": f"A picture of {NUMBERS[number]} {plural(shape)}.",
        "question": f"How many {plural(shape)} are there in the image?",
        "number": number,
    }


def object_polls(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """POPE: is something there? Six questions in a row are about one image; what is absent shares a colour or shape."""
    place = index % POLLED
    shared = rng.sibling(index - place)
    scene = scene_of(shared, parameters, POLLED // 2, repeated=False)
    present = [item.name for item in shared.shuffled(scene.objects)][: POLLED // 2]
    there = {item.name for item in scene.objects}
    every = [f"{colour} {shape}" for shape in SHAPES for colour in COLOURS]
    near = [name for name in every if name not in there and set(name.split()) & set(" ".join(there).split())]
    asked = [*present, *shared.sample(near, POLLED // 2)]
    # yes, no, yes, ... as in the real files
    name = asked[place // 2 + (place % 2) * (POLLED // 2)]
    return {
        "id": str(index),
        "question_id": str(index + 1),
        "question": f"Is there {with_article(name)} in the image?",
        "answer": "no" if place % 2 else "yes",
        "image_source": f"synthetic_{index - place:012d}",
        "image": Rendered(scene),
        "category": "synthetic",
    }


def near_pairs(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """MMVP: the two images of a pair differ in one thing, which the question of both asks about."""
    half = index % 2
    shared = rng.sibling(index - half)
    scene = scene_of(shared, parameters, 2, repeated=False)
    target = shared.choice(scene.objects)
    question, answers, scenes = shared.choice((_colours, _sides, _presence))(shared, scene, target)
    order = shared.shuffled((0, 1))
    first, second = (answers[place].capitalize() for place in order)
    return {
        "Index": index + 1,
        "Question": question,
        "Options": f"(a) {first} (b) {second}",
        "Correct Answer": "(a)" if order[0] == half else "(b)",
        "image": Rendered(scenes[half]),
    }


Pair = tuple[str, tuple[str, str], tuple[Scene, Scene]]  # question; answers and scenes of both images


def _colours(rng: SeededRandom, scene: Scene, target: SceneObject) -> Pair:
    scene = _only_of_its_shape(scene, target)
    other = rng.choice([colour for colour in COLOURS if colour != target.colour])
    question = f"Is the {target.shape} {target.colour} or {other}?"
    return question, (target.colour, other), (scene, _exchanged(scene, target, replace(target, colour=other)))


def _sides(rng: SeededRandom, scene: Scene, target: SceneObject) -> Pair:
    """The same picture and its mirror image; the object is moved out of the middle."""
    x, y, width, height = target.place
    left = target.centre[0] < 0.5
    moved = replace(target, place=(min(x, 0.45 - width) if left else max(x, 0.55), y, width, height))
    scene = Scene((moved,), scene.background, scene.width, scene.height)
    mirrored = replace(moved, place=(1 - moved.place[0] - width, y, width, height))
    answers = ("left", "right") if left else ("right", "left")
    question = f"Is the {target.shape} on the left or on the right side of the image?"
    return question, answers, (scene, _exchanged(scene, moved, mirrored))


def _presence(rng: SeededRandom, scene: Scene, target: SceneObject) -> Pair:
    without = replace(scene, objects=tuple(item for item in scene.objects if item != target))
    return f"Is there {with_article(target.name)} in the image?", ("yes", "no"), (scene, without)


def _only_of_its_shape(scene: Scene, target: SceneObject) -> Scene:
    return replace(scene, objects=tuple(item for item in scene.objects if item == target or item.shape != target.shape))


def _exchanged(scene: Scene, one: SceneObject, other: SceneObject) -> Scene:
    return replace(scene, objects=tuple(other if item == one else item for item in scene.objects))


def long_captions(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """DOCCI (``docci``): an image and a paragraph about it."""
    scene = scene_of(rng, parameters, 3, repeated=False)
    return {
        "image": Rendered(scene),
        "example_id": f"synthetic_{index:05d}",
        "description": long_description(rng, scene),
    }


GENERATORS = (
    Generator("counts_to_ten", counts_to_ten, {"max_others": objects(3, 0, 10)["max_objects"]} | canvas()),
    Generator("object_polls", object_polls, objects(6, 3, 12) | CLUTTER | canvas()),
    Generator("near_pairs", near_pairs, objects(5, 2, 12) | canvas(512, 512)),
    Generator("long_captions", long_captions, objects(5, 3, 8) | canvas()),
)
