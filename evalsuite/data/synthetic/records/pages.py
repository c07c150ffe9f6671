"""Records about text to read: signs in scenes, pages, charts and tables."""

from __future__ import annotations

from typing import Any

from evalsuite.data.synthetic.charts import lookup_question, make_chart, reasoning_question
from evalsuite.data.synthetic.documents import document_question, make_document
from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.records.base import TEXT_SCALE, Generator, Knob, Parameters, canvas, objects
from evalsuite.data.synthetic.render.pages import render_chart, render_document, render_table
from evalsuite.data.synthetic.render.scenes import Rendered, sign_extent
from evalsuite.data.synthetic.tables import make_table
from evalsuite.data.synthetic.wording import language
from evalsuite.data.synthetic.world import COLOURS, SIGN, Kind, arrange

SIGN_WORDS = (
    "BAKERY", "BANK", "BOOKS", "BUS", "CAFE", "CINEMA", "CLOSED", "DANGER", "EXIT", "FISH", "FLOWERS", "GARAGE",
    "GARDEN", "HOTEL", "LIBRARY", "MARKET", "MUSEUM", "MUSIC", "OFFICE", "OPEN", "PARKING", "PHARMACY", "PIZZA",
    "POLICE", "SALE", "SCHOOL", "SHOES", "SLOW", "STOP", "TAXI", "TICKETS", "TOYS", "WATER", "24", "57", "103", "260",
    "841", "1968", "2025",
)  # fmt: skip
# Font size on a canvas of 1024 pixels: small letters have 4 pixels at 224 (a blur) and 16 at 896.
_LETTERS = {"small": 18 / 1024, "medium": 48 / 1024, "large": 88 / 1024}


def scene_text_questions(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """TextVQA (``textvqa``): what a sign says, with ten answers. Small signs need a high resolution."""
    count = rng.integer(min(2, parameters["max_objects"]), parameters["max_objects"])
    scale = parameters["text_scale"]
    colours, words = rng.sample(list(COLOURS), count), rng.sample(SIGN_WORDS, count)
    kinds: list[Kind] = [
        (SIGN, colour, rng.choice(list(_LETTERS)), word) for colour, word in zip(colours, words, strict=True)
    ]
    scene = arrange(
        rng,
        kinds,
        lambda size, text: sign_extent(len(text or ""), _LETTERS[size] * scale),
        parameters["width"],
        parameters["height"],
    )
    target = rng.choice(scene.objects)
    answer = str(target.text).lower()
    asked = "what number is on" if answer.isdigit() else rng.choice(("what word is on", "what does it say on"))
    reading_order = sorted(scene.objects, key=lambda item: (item.place[1], item.place[0]))
    return {
        "image_id": f"{index:016x}",
        "question_id": index,
        "question": f"{asked} the {target.colour} sign?",
        "image": Rendered(scene),
        "image_width": scene.width,
        "image_height": scene.height,
        "answers": language.ten_answers(rng, answer),
        "ocr_tokens": [str(item.text) for item in reading_order],
        "image_classes": ["Sign"],
    }


def document_questions(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """DocVQA (``DocVQA``): a question about a page of text."""
    page = make_document(rng, parameters["text_scale"])
    question, answers, kind = document_question(rng, page)
    return {
        "questionId": str(index),
        "question": question,
        "question_types": [kind],
        "image": Rendered(page, render_document),
        "docId": index,
        "ucsf_document_id": f"synt{index:04d}",
        "ucsf_document_page_no": "1",
        "answers": list(answers),
    }


def chart_questions(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """ChartQA (``ChartQA``): the human half needs reasoning, the augmented half one drawn value or name."""
    chart = make_chart(rng, parameters["value_labels"])
    human = index % 2 == 0
    question, answer = (reasoning_question if human else lookup_question)(rng, chart)
    return {
        "type": "human_test" if human else "augmented_test",
        "question": question,
        "answer": answer,
        "image": Rendered(chart, render_chart),
    }


def tables(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """PubTabNet (``pubtabnet-html``): a table and its HTML document."""
    table = make_table(
        rng, parameters["max_rows"], parameters["max_columns"], parameters["spans"], parameters["text_scale"]
    )
    return {
        "image": Rendered(table, render_table),
        "imgid": index,
        "html_table": table.html(),
        "filename": f"synthetic_{index:06d}.png",
    }


GENERATORS = (
    Generator("scene_text_questions", scene_text_questions, objects(5, 1, len(COLOURS)) | TEXT_SCALE | canvas()),
    Generator("document_questions", document_questions, TEXT_SCALE),
    Generator("chart_questions", chart_questions, {"value_labels": Knob(True)}),
    Generator(
        "tables",
        tables,
        {"max_rows": Knob(8, 2, 12), "max_columns": Knob(6, 3, 8), "spans": Knob(True)} | TEXT_SCALE,
    ),
)
