"""Long descriptions of scenes: everything there is, where it is, and how it relates to the rest."""

from __future__ import annotations

from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.wording.language import NUMBERS, with_article
from evalsuite.data.synthetic.world import RELATIONS, Scene, SceneObject

_PLACES = (
    ("top left corner", "top", "top right corner"),
    ("left side", "middle", "right side"),
    ("bottom left corner", "bottom", "bottom right corner"),
)


def long_description(rng: SeededRandom, scene: Scene) -> str:
    """A paragraph: an overview, two sentences at most about each object, and the background. Every name is unique."""
    count = len(scene.objects)
    opening = rng.choice(("A picture of", "A front view of", "A drawing of"))
    things = "shape" if count == 1 else "shapes"
    number = NUMBERS[count] if count < len(NUMBERS) else str(count)
    sentences = [f"{opening} {number} flat {things} on {with_article(scene.background)} background."]
    before: list[SceneObject] = []
    for item in rng.shuffled(scene.objects):
        named = with_article(f"{item.size} {item.name}")
        sentences.append(f"{named[0].upper()}{named[1:]} is placed {_placed(item)}.")
        if before and (sentence := _related(scene, item, before[-1])):
            sentences.append(sentence)
        before.append(item)
    sentences.append(rng.choice(("The background is plain.", "There is nothing else in the picture.")))
    return " ".join(sentences)


def place_of(item: SceneObject) -> str:
    """Which of nine equal parts of the picture the middle of the object lies in."""
    x, y = item.centre
    return _PLACES[min(int(y * 3), 2)][min(int(x * 3), 2)]


def _placed(item: SceneObject) -> str:
    place = place_of(item)
    preposition = {"side": "on", "corner": "in", "middle": "in"}.get(place.split()[-1], "at")
    return f"{preposition} the {place}"


def _related(scene: Scene, item: SceneObject, other: SceneObject) -> str:
    for relation, words in (("left of", "to the left of"), ("right of", "to the right of"), ("above", "above")):
        if RELATIONS[relation](scene, item, other):
            return f"It is {words} the {other.name}."
    return f"It is below the {other.name}." if RELATIONS["below"](scene, item, other) else ""
