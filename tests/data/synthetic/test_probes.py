"""Counting to ten, doubting, telling pairs apart, describing: every answer is read off the scene again."""

from __future__ import annotations

import re
from typing import Any

import pytest

from evalsuite.data.synthetic import SyntheticSource
from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.wording.descriptions import place_of
from evalsuite.data.synthetic.world import Scene, SceneObject


def records(name: str, size: int = 60, split: str = "test", **parameters: Any) -> list[Any]:
    return list(SyntheticSource(name, parameters, size).records(split))


def groups(found: list[Any], size: int) -> list[list[Any]]:
    return [found[start : start + size] for start in range(0, len(found), size)]


def scene_of(record: Any) -> Scene:
    scene: Scene = record["image"].content
    return scene


def named(scene: Scene, name: str) -> list[SceneObject]:
    return [item for item in scene.objects if item.name == name]


def of_shape(scene: Scene, shape: str) -> SceneObject:
    (item,) = [item for item in scene.objects if item.shape == shape]
    return item


def test_a_sibling_makes_the_choices_of_another_record() -> None:
    first, second = SeededRandom("pairs", "test", 0), SeededRandom("pairs", "test", 1)
    first.chance(0.5)  # what was drawn before does not matter
    assert [first.sibling(1).uniform(0, 1), first.sibling(1).uniform(0, 1)] == [second.uniform(0, 1)] * 2


# -- counts_to_ten -----------------------------------------------------------------------------------------------------


def test_the_number_is_how_many_things_of_the_shape_there_are() -> None:
    for record in records("counts_to_ten", 100):
        found = re.fullmatch(r"How many (\w+?)(?:e?s) are there in the image\?", record["question"])
        assert found
        shape = {"circl": "circle", "squar": "square", "triangl": "triangle"}.get(found[1], found[1])
        assert sum(item.shape == shape for item in scene_of(record).objects) == record["number"]


def test_counts_go_from_two_to_ten() -> None:
    assert {record["number"] for record in records("counts_to_ten", 200)} == set(range(2, 11))


# -- object_polls ------------------------------------------------------------------------------------------------------


def test_what_is_asked_about_is_there_when_the_answer_is_yes() -> None:
    for record in records("object_polls", 120):
        found = re.fullmatch(r"Is there an? (.+) in the image\?", record["question"])
        assert found
        assert record["answer"] == ("yes" if named(scene_of(record), found[1]) else "no")


def test_six_questions_in_a_row_are_about_one_image_and_half_of_them_are_answered_yes() -> None:
    for group in groups(records("object_polls", 60), 6):
        assert len({repr(record["image"]) for record in group}) == 1
        assert [record["answer"] for record in group] == ["yes", "no"] * 3
        assert len({record["question"] for record in group}) == 6


def test_what_is_absent_shares_a_colour_or_a_shape_with_something() -> None:
    for record in records("object_polls", 60):
        found = re.fullmatch(r"Is there an? (\w+) (\w+) in the image\?", record["question"])
        assert found
        assert any(found[1] == item.colour or found[2] == item.shape for item in scene_of(record).objects)


# -- near_pairs --------------------------------------------------------------------------------------------------------


def seen(scene: Scene, question: str) -> str:
    """The answer to a question of a pair, from the scene alone."""
    if found := re.fullmatch(r"Is the (\w+) (\w+) or (\w+)\?", question):
        colour = of_shape(scene, found[1]).colour
        assert colour in (found[2], found[3])
        return colour
    if found := re.fullmatch(r"Is the (\w+) on the left or on the right side of the image\?", question):
        item = of_shape(scene, found[1])
        assert item.place[0] + item.place[2] < 0.5 or item.place[0] > 0.5
        return "left" if item.centre[0] < 0.5 else "right"
    found = re.fullmatch(r"Is there an? (.+) in the image\?", question)
    assert found, question
    return "yes" if named(scene, found[1]) else "no"


def test_the_correct_option_is_what_the_scene_shows() -> None:
    for record in records("near_pairs", 200):
        options = re.fullmatch(r"\(a\) (\w+) \(b\) (\w+)", record["Options"])
        assert options
        correct = options[1] if record["Correct Answer"] == "(a)" else options[2]
        assert correct.lower() == seen(scene_of(record), record["Question"])


def test_a_pair_has_one_question_the_same_options_and_both_answers() -> None:
    firsts = set()
    for one, other in groups(records("near_pairs", 80), 2):
        assert (one["Question"], one["Options"]) == (other["Question"], other["Options"])
        assert {one["Correct Answer"], other["Correct Answer"]} == {"(a)", "(b)"}
        assert other["Index"] == one["Index"] + 1 and one["Index"] % 2 == 1
        firsts.add(one["Correct Answer"])
    assert firsts == {"(a)", "(b)"}


def test_the_images_of_a_pair_differ_in_one_object_at_most() -> None:
    for one, other in groups(records("near_pairs", 80), 2):
        alike = set(scene_of(one).objects) & set(scene_of(other).objects)
        assert scene_of(one) != scene_of(other)
        assert max(len(scene_of(one).objects), len(scene_of(other).objects)) - len(alike) == 1


# -- long_captions -----------------------------------------------------------------------------------------------------


def test_every_object_is_described_with_its_place() -> None:
    for record in records("long_captions", 40):
        for item in scene_of(record).objects:
            assert re.search(rf"{item.size} {item.name} is placed \w+ the {place_of(item)}\.", record["description"])


@pytest.mark.parametrize(
    ("words", "axis", "sign"), [("to the left of", 0, -1), ("to the right of", 0, 1), ("above", 1, -1), ("below", 1, 1)]
)
def test_relations_in_descriptions_hold(words: str, axis: int, sign: int) -> None:
    held = 0
    pattern = rf"(\w+ \w+) is placed [^.]+\. It is {words} the (\w+ \w+)\."
    for record in records("long_captions", 60):
        for one, other in re.findall(pattern, record["description"]):
            (first,), (second,) = named(scene_of(record), one), named(scene_of(record), other)
            assert (first.centre[axis] - second.centre[axis]) * sign > 0
            held += 1
    assert held


def test_descriptions_are_paragraphs_of_several_sentences() -> None:
    from evalsuite.metrics.captions.length import split_sentences

    assert min(len(split_sentences(record["description"])) for record in records("long_captions", 20)) >= 5
