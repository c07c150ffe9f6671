"""Records about pictures of other worlds: land from above, chest X-rays, solid things, portraits."""

from __future__ import annotations

from typing import Any

from evalsuite.data.synthetic.aerial import make_tile, tile_question
from evalsuite.data.synthetic.avatars import make_avatar
from evalsuite.data.synthetic.radiographs import make_radiograph, report
from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.records.base import Generator, Knob, Parameters, canvas
from evalsuite.data.synthetic.render.aerial import render_tile
from evalsuite.data.synthetic.render.avatars import render_avatar
from evalsuite.data.synthetic.render.radiographs import render_radiograph
from evalsuite.data.synthetic.render.scenes import Rendered
from evalsuite.data.synthetic.render.solids import render_view
from evalsuite.data.synthetic.solids import View, make_thing

AGES, GENDERS, RACES = 9, 2, 7  # classes of FairFace


def aerial_questions(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """RSVQA: a question about a tile, joined with its answer. With ``areas`` the types of the high resolution part."""
    tile = make_tile(rng, parameters["metres"], parameters["width"], parameters["height"])
    kinds = ("presence", "comp", "count", "area" if parameters["areas"] else "rural_urban")
    kind = kinds[index % len(kinds)]
    question, answer = tile_question(rng, tile, kind)
    return {
        "id": index,
        "img_id": index,
        "type": kind,
        "question": question,
        "answers_ids": [index],
        "active": True,
        "annotation": {"id": index, "question_id": index, "answer": answer, "active": True},
        "image": Rendered(tile, render_tile),
    }


def chest_reports(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """MIMIC-CXR: an image of the list of splits, joined with its report."""
    image = make_radiograph(rng, parameters["width"], parameters["height"])
    sections = report(rng, image)
    subject, study = str(10_000_000 + index), str(50_000_000 + index)
    return {
        "dicom_id": f"{index:08x}-synthetic",
        "study_id": study,
        "subject_id": subject,
        "report": {
            "subject_id": subject,
            "study_id": study,
            "folder": f"p{subject[:2]}/p{subject}/s{study}",
            "indication": sections.indication,
            "findings": sections.findings,
            "impression": sections.impression,
        },
        "image": Rendered(image, render_radiograph),
    }


def object_views(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """Objaverse: one view of an object; views in a row show the same one from all around."""
    views = parameters["views"]
    number, place = divmod(index, views)
    shared = rng.sibling(number * views)
    thing, start = make_thing(shared), shared.uniform(0, 360)
    azimuth = (start + 360 * place / views) % 360
    view = View(thing, azimuth, parameters["width"], parameters["height"])
    return {
        "object": f"synthetic-{number:06d}",
        "category": thing.category,
        "view": place,
        "image": Rendered(view, render_view),
    }


def portraits(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """FairFace: a figure, and labels as class numbers that have nothing to do with how it is drawn."""
    avatar = make_avatar(rng, parameters["width"], parameters["height"])
    return {
        "image": Rendered(avatar, render_avatar),
        "age": rng.integer(0, AGES - 1),
        "gender": rng.integer(0, GENDERS - 1),
        "race": rng.integer(0, RACES - 1),
        "service_test": rng.chance(0.5),
    }


GENERATORS = (
    Generator(
        "aerial_questions",
        aerial_questions,
        {"areas": Knob(False), "metres": Knob(2560.0, 10.0, 10_000.0)} | canvas(256, 256),
    ),
    Generator("chest_reports", chest_reports, canvas(1024, 1024)),
    Generator("object_views", object_views, {"views": Knob(8, 1, 36)} | canvas(512, 512)),
    Generator("portraits", portraits, canvas(448, 448)),
)
