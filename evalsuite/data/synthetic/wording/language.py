"""What people say about scenes: captions, questions with ten answers, statements, referring expressions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evalsuite.data.synthetic.clips import Clip, direction
from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.world import (
    COLOURS,
    RELATIONS,
    SHAPES,
    Scene,
    SceneObject,
    left_of,
)

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
# What an annotator in a hurry or with other words might answer instead.
OTHER_WORDS: dict[str, tuple[str, ...]] = {
    "red": ("dark red", "crimson"),
    "green": ("dark green", "light green"),
    "blue": ("dark blue", "royal blue"),
    "yellow": ("gold", "golden"),
    "orange": ("light orange", "yellow"),
    "purple": ("violet", "dark purple"),
    "pink": ("light pink", "rose"),
    "brown": ("dark brown", "tan"),
    "black": ("dark gray", "very dark"),
    "gray": ("grey", "dark gray"),
    "circle": ("ball", "disc"),
    "square": ("box", "rectangle"),
    "triangle": ("arrow", "pyramid"),
    "diamond": ("rhombus", "kite"),
    "pentagon": ("polygon", "hexagon"),
    "hexagon": ("polygon", "octagon"),
    "star": ("starfish", "5 pointed star"),
    "cross": ("plus", "plus sign"),
    "yes": ("no", "maybe"),
    "no": ("yes", "i don't know"),
    "left": ("left side", "west"),
    "right": ("right side", "east"),
    "white": ("off white", "gray"),
    "beige": ("tan", "cream"),
    "light gray": ("gray", "white"),
    "light blue": ("blue", "sky blue"),
}


@dataclass(frozen=True, slots=True)
class Question:
    """kind: its first words, as in VQAv2's question types; answer_type: yes/no, number or other."""

    text: str
    kind: str
    answer_type: str
    answer: str


def plural(word: str) -> str:
    """
    >>> plural("cross"), plural("star")
    ('crosses', 'stars')
    """
    return word + ("es" if word.endswith("s") else "s")


def with_article(phrase: str) -> str:
    """
    >>> with_article("orange star")
    'an orange star'
    """
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def unique_names(scene: Scene) -> list[SceneObject]:
    """The objects whose colour and shape name exactly one object."""
    names = [item.name for item in scene.objects]
    return [item for item in scene.objects if names.count(item.name) == 1]


def count_of(scene: Scene, shape: str | None = None, colour: str | None = None, size: str | None = None) -> int:
    """Objects that have all the given properties."""
    return sum(
        (shape is None or item.shape == shape)
        and (colour is None or item.colour == colour)
        and (size is None or item.size == size)
        for item in scene.objects
    )


# -- captions ----------------------------------------------------------------------------------------------------------


def captions(rng: SeededRandom, scene: Scene) -> list[str]:
    """Five captions in different words, all true."""
    items = rng.shuffled(scene.objects)
    first, rest = items[0], items[1:]
    named = [with_article(item.name) for item in items]
    sized = [with_article(f"{item.size} {item.name}") for item in items]
    total = NUMBERS[len(items)] if len(items) < len(NUMBERS) else str(len(items))
    thing = "shape" if len(items) == 1 else "shapes"
    background = f"{with_article(scene.background)} background"
    lines = [
        f"{_listed(sized)} on {background}.",
        f"{total} {thing} on {background}: {_listed(named)}.",
        f"The picture shows {_listed(named)}.",
        f"A drawing of {_listed(rng.shuffled(sized))}.",
        f"{with_article(first.name)} on {background}.",
    ]
    for other in rest:  # say where the first thing is, if that is beyond dispute
        relation = next(
            (name for name in ("left of", "right of", "above", "below") if RELATIONS[name](scene, first, other)), None
        )
        if relation:
            where = {"left of": "to the left of", "right of": "to the right of"}.get(relation, relation)
            lines[4] = f"{with_article(first.name)} {where} {with_article(other.name)}."
            break
    return [line[0].upper() + line[1:] for line in rng.shuffled(lines)]


def _listed(phrases: Sequence[str]) -> str:
    return phrases[0] if len(phrases) == 1 else f"{', '.join(phrases[:-1])} and {phrases[-1]}"


# -- questions ---------------------------------------------------------------------------------------------------------


def scene_questions(rng: SeededRandom, scene: Scene) -> list[Question]:
    """One question of each form that the scene allows, in random order."""
    shape = rng.choice([item.shape for item in scene.objects])
    count = count_of(scene, shape=shape)
    asked_shape, asked_colour = rng.choice(list(SHAPES)), rng.choice(list(COLOURS))
    if rng.chance(0.5):
        present = rng.choice(scene.objects)
        asked_shape, asked_colour = present.shape, present.colour
    questions = [
        Question(f"How many {plural(shape)} are there?", "how many", "number", str(count)),
        Question(
            f"Is there {with_article(f'{asked_colour} {asked_shape}')} in the image?",
            f"is there {with_article(asked_colour).split()[0]}",
            "yes/no",
            "yes" if count_of(scene, asked_shape, asked_colour) else "no",
        ),
    ]
    if rng.chance(0.2):
        questions.append(Question("What color is the background?", "what color is the", "other", scene.background))
    single_shapes = [item for item in scene.objects if count_of(scene, shape=item.shape) == 1]
    if single_shapes:
        item = rng.choice(single_shapes)
        questions.append(Question(f"What color is the {item.shape}?", "what color is the", "other", item.colour))
    single_colours = [item for item in scene.objects if count_of(scene, colour=item.colour) == 1]
    if single_colours:
        item = rng.choice(single_colours)
        questions.append(Question(f"What shape is the {item.colour} object?", "what", "other", item.shape))
    named = rng.shuffled(unique_names(scene))
    if len(named) >= 2:
        side = left_of(scene, named[0], named[1])
        if side is not None:
            text = f"Is the {named[0].name} to the left of the {named[1].name}?"
            questions.append(Question(text, "is the", "yes/no", "yes" if side else "no"))
    return rng.shuffled(questions)


def ten_answers(rng: SeededRandom, answer: str) -> list[str]:
    """Ten annotators: six to ten give ``answer``, the others something near it."""
    dissent = rng.choice([0, 0, 0, 1, 1, 2, 3, 4])
    return rng.shuffled([answer] * (10 - dissent) + _others(rng, answer, dissent))


def _others(rng: SeededRandom, answer: str, count: int) -> list[str]:
    if answer.isdigit():
        words = [str(int(answer) + 1), str(max(int(answer) - 1, 0) if answer != "0" else 2)]
    elif answer in OTHER_WORDS:
        words = list(OTHER_WORDS[answer])
    else:  # text that was read: a letter missed, or nothing read at all
        words = [answer[:-1] if len(answer) > 1 else "?", "unanswerable"]
    return [rng.choice(words) for _ in range(count)]


def counting_questions(rng: SeededRandom, scene: Scene) -> tuple[Question, Question]:
    """A simple question (things of one kind) and a complex one (with colour, size or place)."""
    shape = rng.choice([item.shape for item in scene.objects])
    simple = Question(f"How many {plural(shape)} are there?", "how many", "number", str(count_of(scene, shape=shape)))
    item = rng.choice(scene.objects)
    colour, size = item.colour, item.size
    if rng.chance(0.15):  # now and then something that is not there
        colour, size = rng.choice(list(COLOURS)), rng.choice(["small", "medium", "large"])
    of_colour = count_of(scene, item.shape, colour)
    of_size = count_of(scene, item.shape, size=size)
    others = len(scene.objects) - count_of(scene, colour=colour)
    options = [
        (f"How many {colour} {plural(item.shape)} are there?", of_colour),
        (f"How many {size} {plural(item.shape)} are in the picture?", of_size),
        (f"How many objects are not {colour}?", others),
    ]
    for anchor in unique_names(scene):
        sides = [left_of(scene, one, anchor) for one in scene.objects if one is not anchor]
        if None not in sides:
            options.append((f"How many objects are to the left of the {anchor.name}?", sum(map(bool, sides))))
    text, count = rng.choice(options)
    return simple, Question(text, "how many", "number", str(count))


# -- statements --------------------------------------------------------------------------------------------------------


def spatial_statement(rng: SeededRandom, scene: Scene, label: bool) -> tuple[SceneObject, str, SceneObject]:
    """Two uniquely named objects and a relation that clearly holds (label) or clearly does not.

    There is one in every scene of two or more different objects without clutter: two boxes with a gap between them
    are side by side or one above the other.
    """
    named = unique_names(scene)
    options = [
        (one, relation, other)
        for one in named
        for other in named
        for relation, holds in RELATIONS.items()
        if one is not other and holds(scene, one, other) is label
    ]
    # First the relation, so that rare ones (near) are not drowned by common ones (far away from).
    relation = rng.choice(sorted({option[1] for option in options}))
    return rng.choice([option for option in options if option[1] == relation])


def pair_statements(left: Scene, right: Scene) -> list[tuple[str, bool]]:
    """Statements about two images, NLVR2 style, each with its truth. Both truth values always occur."""
    statements: list[tuple[str, bool]] = []
    shapes = sorted({item.shape for item in (*left.objects, *right.objects)})
    for shape in shapes:
        here, there = count_of(left, shape=shape), count_of(right, shape=shape)
        for side, count in (("left", here), ("right", there)):
            for claimed in {count, count + 1, max(count - 1, 1)} - {0}:
                statements.append((f"The {side} image contains exactly {_counted(claimed, shape)}.", claimed == count))
        for claimed in (here + there, here + there + 1):
            verb = "is" if claimed == 1 else "are"
            statements.append((f"There {verb} {_counted(claimed, shape)} in total.", claimed == here + there))
        statements.append((f"There are more {plural(shape)} in the left image than in the right image.", here > there))
        statements.append((f"Both images contain at least one {shape}.", min(here, there) > 0))
    for item in (*left.objects, *right.objects):
        both = count_of(left, item.shape, item.colour) > 0 and count_of(right, item.shape, item.colour) > 0
        statements.append((f"There is {with_article(item.name)} in both images.", both))
    same = len(left.objects) == len(right.objects)
    statements.append(("Both images contain the same number of objects.", same))
    return statements


def _counted(count: int, shape: str) -> str:
    word = NUMBERS[count] if count < len(NUMBERS) else str(count)
    return f"{word} {shape if count == 1 else plural(shape)}"


# -- referring expressions ---------------------------------------------------------------------------------------------


def referring_expressions(rng: SeededRandom, scene: Scene, target: SceneObject) -> list[str]:
    """Up to three expressions that fit ``target`` and nothing else in the scene; empty when there is none."""
    same_shape = [item for item in scene.objects if item.shape == target.shape]
    same_name = [item for item in same_shape if item.colour == target.colour]
    found = []
    if len(same_shape) == 1:
        found.append(f"the {target.shape}")
    if len(same_name) == 1:
        found.append(target.name)
    if sum(item.size == target.size for item in same_name) == 1:
        found.append(f"{target.size} {target.name}")
    for group, phrase in ((same_shape, target.shape), (same_name, target.name)):
        if len(group) > 1:
            found.extend(f"{word} {phrase}" for word in _extremes(group, target))
    for anchor in unique_names(scene):
        for relation in ("left of", "right of", "above", "below"):
            holds = [RELATIONS[relation](scene, item, anchor) for item in same_name if item is not anchor]
            if (
                anchor.name != target.name
                and RELATIONS[relation](scene, target, anchor)
                and holds.count(False) == len(holds) - 1
            ):
                found.append(f"{target.name} {relation} the {anchor.name}")
    return rng.sample(found, 3)


def _extremes(group: Sequence[SceneObject], target: SceneObject) -> list[str]:
    """Words such as leftmost that fit only ``target``, by a clear margin."""
    words = []
    for axis, low, high in ((0, "leftmost", "rightmost"), (1, "topmost", "lowest")):
        others = [item.centre[axis] for item in group if item is not target]
        if all(target.centre[axis] < place - 0.04 for place in others):
            words.append(low)
        if all(target.centre[axis] > place + 0.04 for place in others):
            words.append(high)
    return words


# -- clips -------------------------------------------------------------------------------------------------------------


def clip_questions(rng: SeededRandom, clip: Clip) -> list[tuple[int, str, str]]:
    """(type, question, answer) about a clip, with the type numbers of ActivityNet-QA, in random order."""
    scene = clip.scene
    moving = [item for item, way in zip(scene.objects, clip.travel, strict=True) if direction(way)]
    mover = rng.choice(moving)
    way = direction(clip.travel[scene.objects.index(mover)])
    anyone = rng.choice(scene.objects)
    asked = rng.choice(list(SHAPES)) if rng.chance(0.5) else anyone.shape
    items = [
        (0, f"which direction does the {mover.name} move", str(way)),
        (3, f"is the {anyone.name} moving", "yes" if anyone in moving else "no"),
        (3, f"is there {with_article(asked)} in the video", "yes" if count_of(scene, shape=asked) else "no"),
        (7, "how many objects are moving", str(len(moving))),
        (7, "how many objects are in the video", str(len(scene.objects))),
    ]
    if len(moving) == 1:
        items.append((4, "what color is the moving object", mover.colour))
        items.append((5, "what shape is moving", mover.shape))
    if count_of(scene, shape=anyone.shape) == 1:
        items.append((4, f"what color is the {anyone.shape}", anyone.colour))
    if count_of(scene, colour=anyone.colour) == 1:
        items.append((5, f"what shape is the {anyone.colour} object", anyone.shape))
    return rng.shuffled(items)
