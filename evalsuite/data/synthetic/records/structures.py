"""Records of structured outputs: words in scenes, tables of reports, molecules, sheet music."""

from __future__ import annotations

from typing import Any

from evalsuite.data.synthetic.molecules import make_molecule, render_molecule
from evalsuite.data.synthetic.music import make_score
from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.records.base import TEXT_SCALE, Generator, Knob, Parameters, canvas, objects
from evalsuite.data.synthetic.records.pages import scene_text_questions
from evalsuite.data.synthetic.render.music import render_score
from evalsuite.data.synthetic.render.scenes import Rendered
from evalsuite.data.synthetic.world import COLOURS


def scene_words(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """ICDAR 2015 and Total-Text: all words of a picture with their polygons; every eighth picture has one that does not
    count."""
    scene = scene_text_questions(rng, index, parameters)["image"].content
    words = []
    for number, item in enumerate(scene.objects):
        vertices = [[round(x, 1), round(y, 1)] for x, y in scene.polygon(item)]
        legible = not (index % 8 == 7 and number == 0 and len(scene.objects) > 1)
        words.append({"vertices": vertices, "text": item.text if legible else "###", "legible": legible})
    return {"image_id": f"img_{index}", "image": Rendered(scene), "words": words}


def molecules(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """MolScribe: a drawing and its SMILES."""
    molecule = make_molecule(rng)
    return {
        "image_id": f"synthetic-{index:05d}",
        "file_path": f"synthetic/{index:05d}.png",
        "image": Rendered(molecule, render_molecule),
        "SMILES": molecule.smiles,
    }


def sheet_music(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """GrandStaff (``grandstaff``): a system of piano music and its **kern text."""
    score = make_score(rng, parameters["measures"])
    return {"image": Rendered(score, render_score), "transcription": score.kern()}


GENERATORS = (
    Generator("scene_words", scene_words, objects(6, 1, len(COLOURS)) | TEXT_SCALE | canvas()),
    Generator("molecules", molecules, {}),
    Generator("sheet_music", sheet_music, {"measures": Knob(3, 1, 5)}),
)
