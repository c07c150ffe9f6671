"""Captions and questions in many languages: the same scene, other words."""

from __future__ import annotations

import pytest

from evalsuite.data.synthetic import SyntheticSource
from evalsuite.data.synthetic.wording import tongues
from evalsuite.data.synthetic.world import SceneObject
from evalsuite.specs.registry import TaskRegistry

SPECS = {spec.id: spec for spec in TaskRegistry(plugins=False).select("all")}
ALL = [
    SceneObject(shape, colour, "small", (0.0, 0.0, 0.1, 0.1)) for colour in tongues.COLOURS for shape in tongues.SHAPES
]


@pytest.mark.parametrize("language", tongues.LANGUAGES)
def test_every_thing_has_a_name_of_its_own(language: str) -> None:
    assert len({tongues.thing(language, item) for item in ALL}) == len(ALL)


def test_the_languages_are_those_of_the_benchmarks() -> None:
    crossmodal = {split.name.rpartition("_")[2] for split in SPECS["xm3600"].splits}
    coco = {split.name.rpartition("_")[2] for split in SPECS["coco35l"].splits}
    assert crossmodal == set(tongues.LANGUAGES)
    assert coco == crossmodal - {"quz"}


def test_captions_name_the_things_in_both_orders() -> None:
    red, blue = ALL[0], ALL[9]
    assert tongues.captions("en", [red, blue]) == [
        "red circle and blue square",
        "picture: blue square and red circle",
    ]


def test_adjectives_follow_where_the_language_has_it_so() -> None:
    assert tongues.thing("fr", ALL[0]) == "cercle rouge"
    assert tongues.thing("de", ALL[0]) == "rot Kreis"  # dictionary forms, without agreement
    assert tongues.thing("zh", ALL[0]) == "红色圆形"


@pytest.mark.parametrize("task", ["xm3600", "coco35l", "xgqa", "marvl"])
def test_each_split_speaks_its_language(task: str) -> None:
    """No two splits of a task have a text in common, save where two languages share all their words."""
    texts: dict[str, set[str]] = {}
    synthetic = SPECS[task].data.synthetic
    assert synthetic is not None
    for split in SPECS[task].splits:
        source = SyntheticSource(synthetic.generator, synthetic.parameters, 20, 0)
        for record in source.records(split.name):
            said = record.get("captions") or [record.get("question") or record["hypothesis"]]
            texts.setdefault(split.name.rpartition("_")[2], set()).update(said)
    shared = {(one, other) for one in texts for other in texts if one < other and texts[one] & texts[other]}
    assert shared == set()
