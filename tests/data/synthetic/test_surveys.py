"""Aerial tiles, chest X-rays, solid things and portraits: answers, reports and pictures say the same."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import Any

from evalsuite.data.synthetic import SyntheticSource
from evalsuite.data.synthetic.aerial import PLURALS, THINGS, Tile
from evalsuite.data.synthetic.avatars import SKINS
from evalsuite.data.synthetic.radiographs import Radiograph
from evalsuite.data.synthetic.render.aerial import GRASS, SHADES, render_tile
from evalsuite.data.synthetic.render.radiographs import render_radiograph
from evalsuite.data.synthetic.render.solids import render_view
from evalsuite.data.synthetic.solids import CATEGORIES, Point, Solid, Thing, View

SINGULARS = {words: thing for thing, words in PLURALS.items()}


def records(name: str, size: int = 60, split: str = "test", **parameters: Any) -> list[Any]:
    return list(SyntheticSource(name, parameters, size).records(split))


def groups(found: list[Any], size: int) -> list[list[Any]]:
    return [found[start : start + size] for start in range(0, len(found), size)]


# -- aerial tiles ------------------------------------------------------------------------------------------------------


def counted(tile: Tile, thing: str) -> int:
    return sum(patch.kind == thing for patch in tile.patches)


def answer(tile: Tile, question: str) -> str:
    """From the tile alone, by reading the words of the question."""
    if found := re.fullmatch(r"(?:Is there a|Is a) (.+?)(?: present| in the image)?\?", question):
        return "yes" if counted(tile, found[1]) else "no"
    if found := re.fullmatch(r"What is the number of (.+)\?", question):
        return str(counted(tile, SINGULARS[found[1]]))
    if found := re.fullmatch(r"Is the number of (.+) equal to the number of (.+)\?", question):
        return "yes" if counted(tile, SINGULARS[found[1]]) == counted(tile, SINGULARS[found[2]]) else "no"
    if found := re.fullmatch(r"Are there (more|less) (.+) than (.+)\?", question):
        one, other = (counted(tile, SINGULARS[words]) for words in found.groups()[1:])
        return "yes" if (one > other if found[1] == "more" else one < other) else "no"
    assert question == "Is it a rural or an urban area?"
    return "urban" if counted(tile, "building") > 8 else "rural"


def test_answers_are_what_the_tile_shows() -> None:
    for record in records("aerial_questions", 200):
        assert record["annotation"]["answer"] == answer(record["image"].content, record["question"])


def test_both_answers_occur_for_every_type_of_question() -> None:
    answers: dict[str, set[str]] = {}
    for record in records("aerial_questions", 200):
        answers.setdefault(record["type"], set()).add(record["annotation"]["answer"])
    assert answers["presence"] == answers["comp"] == {"yes", "no"}
    assert answers["rural_urban"] == {"rural", "urban"}


def test_areas_are_those_of_the_drawn_pixels() -> None:
    """Within a hundredth of the tile; roads run over nothing else, and buildings cast shadows outside their area."""
    for record in records("aerial_questions", 6, areas=True, metres=100.0, width=400, height=400):
        tile = record["image"].content
        picture = render_tile(tile)
        pixels = {colour: count for count, colour in picture.getcolors(400**2) or ()}
        for thing in ("road", "water area", "building"):
            share = sum(pixels.get(shade, 0) for shade in SHADES[thing]) / 400**2
            assert abs(share - tile.square_metres(thing) / 100**2) < 0.01, thing


def test_area_questions_take_the_place_of_rural_or_urban_in_high_resolution() -> None:
    assert {record["type"] for record in records("aerial_questions", 8, areas=True)} == {
        "presence",
        "comp",
        "count",
        "area",
    }
    assert "area" not in {record["type"] for record in records("aerial_questions", 8)}


def test_waters_never_touch_and_nothing_overlaps() -> None:
    for record in records("aerial_questions", 20):
        tile: Tile = record["image"].content
        waters = [patch.place for patch in tile.patches if patch.kind == "water area"]
        for position, (x, y, w, h) in enumerate(waters):
            for left, top, wide, high in waters[:position]:
                assert x > left + wide + w or left > x + w + w or y > top + high + h or top > y + h + h
        ground = [patch.place for patch in tile.patches if patch.kind != "road"]
        for position, (x, y, w, h) in enumerate(ground):
            for left, top, wide, high in ground[:position]:
                assert x >= left + wide or left >= x + w or y >= top + high or top >= y + h


def test_every_thing_has_a_colour_of_its_own() -> None:
    colours = [GRASS, *(shade for thing in THINGS for shade in SHADES[thing])]
    assert len(set(colours)) == len(colours)


# -- chest X-rays ------------------------------------------------------------------------------------------------------


def test_findings_name_what_the_picture_has_and_no_more() -> None:
    for record in records("chest_reports", 100):
        image: Radiograph = record["image"].content
        text = record["report"]["findings"].lower()
        assert ("enlarged" in text or "cardiomegaly" in text) == image.large_heart
        assert ("pacemaker" in text) == image.pacemaker
        for name in ("effusion", "pneumothorax", "consolidation", "nodule"):
            sides = getattr(image, name)
            sentence = next((part for part in text.split(".") if name in part and "no " not in part), "")
            assert bool(sentence) == bool(sides)
            assert all(side in sentence or "bilateral" in sentence or "both" in sentence for side in sides)


def test_a_report_without_findings_says_that_nothing_is_wrong() -> None:
    for record in records("chest_reports", 60):
        image: Radiograph = record["image"].content
        found = image.effusion or image.pneumothorax or image.consolidation or image.nodule or image.large_heart
        assert (record["report"]["impression"] == "No acute cardiopulmonary process.") == (not found)


def chest(**shown: Any) -> Radiograph:
    nothing: dict[str, Any] = dict.fromkeys(("effusion", "pneumothorax", "consolidation", "nodule"), ())
    return Radiograph(
        **{**nothing, "large_heart": False, "pacemaker": False, "build": 0.8, **shown}, width=256, height=256
    )


def test_each_finding_changes_the_side_of_the_picture_that_it_is_on() -> None:
    """The left side of the patient is on the right of the picture."""
    from PIL import ImageChops

    plain = render_radiograph(chest())
    for name in ("effusion", "pneumothorax", "consolidation", "nodule"):
        for side, half in (("left", (128, 0, 256, 256)), ("right", (0, 0, 128, 256))):
            difference = ImageChops.difference(plain, render_radiograph(chest(**{name: (side,)})))
            box = difference.getbbox()
            assert box is not None
            inside = difference.crop(half).convert("L").histogram()
            assert sum(inside[8:]) > 0.95 * sum(difference.convert("L").histogram()[8:]), (name, side)


def test_a_large_heart_is_wider() -> None:
    def bright(image: Radiograph) -> int:
        return sum(render_radiograph(image).crop((0, 160, 256, 170)).convert("L").histogram()[150:])

    assert bright(chest(large_heart=True)) > 1.3 * bright(chest())


# -- solid things ------------------------------------------------------------------------------------------------------


def test_views_in_a_row_show_one_object_from_all_around() -> None:
    for group in groups(records("object_views", 32), 8):
        assert len({record["object"] for record in group}) == 1
        assert len({record["image"].content.thing for record in group}) == 1
        assert group[0]["category"] == group[0]["image"].content.thing.category
        angles = sorted(record["image"].content.azimuth for record in group)
        gaps = [later - earlier for earlier, later in pairwise(angles)]
        assert all(abs(gap - 45) < 1e-6 for gap in gaps)


def test_a_category_gives_different_objects() -> None:
    things = {record["image"].content.thing for record in records("object_views", 160)}
    assert len(things) == 20
    assert len({thing.category for thing in things}) > 5


def test_objects_stay_inside_the_picture_from_every_side() -> None:
    """The largest that there are: nothing of them lies on the border of the picture."""
    for category, parts in CATEGORIES.items():
        largest = tuple(replace(part, centre=stretched(part.centre), size=stretched(part.size)) for part in parts)
        for azimuth in range(0, 360, 30):
            picture = render_view(View(Thing(category, largest, ("red", "blue")), azimuth, 64, 64))
            background = picture.getpixel((0, 0))
            frame = [(x, y) for x in range(64) for y in range(64) if x in (0, 63) or y in (0, 63)]
            assert {picture.getpixel(place) for place in frame} == {background}, category


def stretched(point: Point) -> Point:
    return point[0] * 1.2, point[1] * 1.1, point[2] * 1.2


def test_upper_parts_hide_lower_ones() -> None:
    """The viewer looks down: of a plate above another one, as large, the lower one's top cannot be seen."""
    below, above = Solid(4, (0, -0.2, 0), (1, 0.1, 1), colour=0), Solid(4, (0, 0.2, 0), (1, 0.1, 1), colour=1)
    picture = render_view(View(Thing("plates", (above, below), ("red", "blue")), 0.0, 200, 200))
    assert picture.getpixel((100, 75))[2] > picture.getpixel((100, 75))[0]  # type: ignore[index]


def test_faces_point_outwards() -> None:
    """Their corners run counter-clockwise from outside, so that the back of a solid is never drawn."""
    for part in (part for parts in CATEGORIES.values() for part in parts):
        for face in part.faces():
            (x1, y1, z1), (x2, y2, z2), (x3, y3, z3) = face[:3]
            u, v = (x2 - x1, y2 - y1, z2 - z1), (x3 - x2, y3 - y2, z3 - z2)
            normal = (u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0])
            middle = [sum(point[axis] for point in face) / len(face) for axis in range(3)]
            outwards = sum(normal[axis] * (middle[axis] - part.centre[axis]) for axis in range(3))
            assert outwards > 0 or normal == (0, 0, 0)


# -- portraits ---------------------------------------------------------------------------------------------------------


def test_labels_are_class_numbers_and_all_of_them_occur() -> None:
    found = records("portraits", 120)
    assert {record["age"] for record in found} == set(range(9))
    assert {record["gender"] for record in found} == {0, 1}
    assert {record["race"] for record in found} == set(range(7))


def test_figures_have_colours_that_no_person_has_whatever_their_labels() -> None:
    by_race: dict[int, set[str]] = {}
    for record in records("portraits", 200):
        by_race.setdefault(record["race"], set()).add(record["image"].content.skin)
    assert all(skins == set(SKINS) == {"green", "blue", "purple"} for skins in by_race.values())
