"""Records of captioning data sets: many languages, new objects, text in scenes, figures, screens and their widgets."""

from __future__ import annotations

from typing import Any

from evalsuite.data.synthetic.charts import make_chart
from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.records.base import CLUTTER, TEXT_SCALE, Generator, Parameters, canvas, objects, scene_of
from evalsuite.data.synthetic.records.pages import scene_text_questions
from evalsuite.data.synthetic.records.questions import simple_scene
from evalsuite.data.synthetic.render.pages import render_chart
from evalsuite.data.synthetic.render.scenes import Rendered
from evalsuite.data.synthetic.render.screens import render_screen
from evalsuite.data.synthetic.screens import make_screen, summaries, widget_captions
from evalsuite.data.synthetic.wording import language, tongues
from evalsuite.data.synthetic.world import COLOURS

_DOMAINS = ("in-domain", "near-domain", "out-of-domain")


def captions_by_language(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """Crossmodal-3600 and COCO-35L: captions in the language of the split (``dev_de``, ``de``)."""
    tongue = str(parameters["split"]).rpartition("_")[2]
    tongue = tongue if tongue in tongues.LANGUAGES else "en"
    scene = simple_scene(rng, rng.integer(1, 4))
    return {
        "image_id": f"{index:016x}",
        "image": Rendered(scene),
        "language": tongue,
        "captions": tongues.captions(tongue, scene.objects),
    }


def new_objects(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """NoCaps (``NoCaps``): captions with the domain that an image belongs to."""
    scene = scene_of(rng, parameters, 1, repeated=False)
    return {
        "image": Rendered(scene),
        "image_id": index,
        "image_file_name": f"{index:016x}.png",
        "annotations_captions": language.captions(rng, scene),
        "image_domain": _DOMAINS[index % 3],
    }


def captions_of_text(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """TextCaps (``TextCaps``): captions that say what is written."""
    record = scene_text_questions(rng, index, parameters)
    signs = record["image"].content.objects
    named = [f"{language.with_article(item.colour)} sign that says {str(item.text).lower()}" for item in signs]
    some = rng.shuffled(named)
    return {
        "image_id": record["image_id"],
        "image": record["image"],
        "caption_str": [
            f"{some[0]}.",
            f"{' and '.join(some[:2])}.",
            f"{len(signs)} signs, one of which says {str(signs[0].text).lower()}.",
            f"a picture with {some[-1]}.",
            f"{', '.join(named)}.",
        ],
    }


def figures(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """SciCap: the caption of a figure, in the record's nested fields."""
    chart = make_chart(rng, True)
    names = [series.name for series in chart.series]
    caption = f"{chart.title} in {chart.unit} for {', '.join(chart.categories)}"
    if len(names) > 1:
        caption += f" ({' and '.join(names)})"
    caption = f"{chart.kind} chart of {caption} .".lower().replace(",", " ,")
    return {
        "figure-ID": f"{index:06d}-Figure1-1.png",
        "image": Rendered(chart, render_chart),
        "0-originalcaption": f"Figure {index + 1}: {caption}",
        "1-lowercase-and-token-and-remove-figure-index": {"caption": caption},
    }


def screen_summaries(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """Screen2Words (``RICO-Screen2Words``): five summaries of a screen."""
    screen = make_screen(rng, parameters["text_scale"])
    return {
        "screenId": str(index),
        "image": Rendered(screen, render_screen),
        "captions": summaries(screen),
        "app_package_name": f"com.example.{screen.title.lower()}",
        "category": screen.title,
    }


def widgets(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """WidgetCap (``RICO-WidgetCaptioning``): phrases for one widget, whose box is given in shares of the screen."""
    screen = make_screen(rng, parameters["text_scale"])
    widget = rng.choice(screen.widgets)
    left, top, right, bottom = widget.box
    return {
        "screenId": str(index),
        "nodeId": f"0.{screen.widgets.index(widget)}",
        "image": Rendered(screen, render_screen),
        "captions": widget_captions(rng, widget),
        "bbox": [left / screen.width, top / screen.height, right / screen.width, bottom / screen.height],
    }


GENERATORS = (
    Generator("captions_by_language", captions_by_language, {}),
    Generator("new_objects", new_objects, objects(4, 1, 12) | CLUTTER | canvas()),
    Generator("captions_of_text", captions_of_text, objects(4, 2, len(COLOURS)) | TEXT_SCALE | canvas()),
    Generator("figures", figures, {}),
    Generator("screen_summaries", screen_summaries, TEXT_SCALE),
    Generator("widgets", widgets, TEXT_SCALE),
)
