"""One pure function per data set: a random source, an index and parameters give a record in the data set's columns.

The columns are those of the data sets on the hub, so that one field mapping serves both. Where the hub keeps no
identifier, these records have none either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from evalsuite.data.synthetic import language
from evalsuite.data.synthetic.charts import lookup_question, make_chart, reasoning_question
from evalsuite.data.synthetic.clips import make_clip
from evalsuite.data.synthetic.documents import document_question, make_document
from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.render import Rendered, RenderedClip, sign_extent
from evalsuite.data.synthetic.tables import make_table
from evalsuite.data.synthetic.world import COLOURS, MOST_OBJECTS, SIGN, Kind, Scene, arrange, make_scene
from evalsuite.errors import UnknownName, UsageError

Parameter = int | float | str | bool
Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Knob:
    """A parameter of a generator: its default and, for numbers, the smallest and largest value."""

    default: Parameter
    low: float = 0
    high: float = 1


@dataclass(frozen=True, slots=True)
class Generator:
    """``make`` with its parameters. Calling it gives a record; ``complete`` checks parameters without making one."""

    name: str
    make: Callable[[SeededRandom, int, Parameters], dict[str, Any]]
    knobs: Mapping[str, Knob]

    def __call__(self, rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
        return self.make(rng, index, self.complete(parameters))

    def complete(self, parameters: Parameters) -> dict[str, Parameter]:
        """All parameters with defaults filled in. Raises UnknownName or UsageError for one that does not fit."""
        complete: dict[str, Parameter] = {name: knob.default for name, knob in self.knobs.items()}
        for name, value in parameters.items():
            if name not in self.knobs:
                raise UnknownName("parameter", name, self.knobs, where=f"synthetic generator {self.name}")
            complete[name] = self._checked(name, value)
        return complete

    def _checked(self, name: str, value: Any) -> Parameter:
        knob = self.knobs[name]
        where = f"synthetic generator {self.name}: parameter {name!r}"
        if isinstance(knob.default, bool):
            if not isinstance(value, bool):
                raise UsageError(f"{where} must be true or false, not {value!r}")
            return value
        kinds = (int, float) if isinstance(knob.default, float) else (int,)
        if isinstance(value, bool) or not isinstance(value, kinds) or not knob.low <= value <= knob.high:
            kind = "a number" if len(kinds) > 1 else "a whole number"
            raise UsageError(f"{where} must be {kind} of {knob.low:g}..{knob.high:g}, not {value!r}")
        return float(value) if isinstance(knob.default, float) else value


def _canvas(width: int = 1024, height: int = 1024) -> dict[str, Knob]:
    return {"width": Knob(width, 64, 8192), "height": Knob(height, 64, 8192)}


def _scene(rng: SeededRandom, parameters: Parameters, fewest: int, repeated: bool) -> Scene:
    most = parameters["max_objects"]
    count = rng.integer(min(fewest, most), most)
    clutter = parameters.get("clutter", 0.0)
    return make_scene(rng, count, parameters["width"], parameters["height"], repeated, clutter)


# -- questions and captions --------------------------------------------------------------------------------------------


def vqa_ten_answers(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """VQAv2 (``VQAv2``): one question with the answers of ten annotators."""
    scene = _scene(rng, parameters, 2, repeated=rng.chance(0.5))
    question = language.scene_questions(rng, scene)[0]
    answers = [
        {"answer": answer, "answer_confidence": "yes" if answer == question.answer else "maybe", "answer_id": place + 1}
        for place, answer in enumerate(language.ten_answers(rng, question.answer))
    ]
    return {
        "image": Rendered(scene),
        "question": question.text,
        "question_type": question.kind,
        "answer_type": question.answer_type,
        "multiple_choice_answer": question.answer,
        "image_id": index,
        "question_id": index * 1000,
        "answers": answers,
    }


def captions(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """COCO captions (``COCO-Caption``): five captions of an image."""
    scene = _scene(rng, parameters, 1, repeated=False)
    return {
        "question_id": str(index),
        "image": Rendered(scene),
        "question": "",
        "answer": language.captions(rng, scene),
        "file_name": f"{index:012d}.png",
        "height": scene.height,
        "width": scene.width,
    }


def counting(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """TallyQA (``tallyqa-test``): an image with a simple and a complex question."""
    scene = _scene(rng, parameters, 3, repeated=True)
    questions = zip(language.counting_questions(rng, scene), (True, False), strict=True)
    rows = [
        {"question": question.text, "answer": question.answer, "is_simple": simple, "data_source": "synthetic"}
        for question, simple in questions
    ]
    return {"image": Rendered(scene), "qa": rows}


def image_pairs(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """NLVR2: a statement about two images, true for about one half of the records."""
    left, right = (_scene(rng, parameters, 1, repeated=True) for _ in range(2))
    wanted = rng.chance(0.5)
    statements = [text for text, truth in language.pair_statements(left, right) if truth is wanted]
    return {
        "question_id": f"synthetic-{index}-0-0",
        "question": rng.choice(statements),
        "answer": str(wanted),
        "left_image": Rendered(left),
        "right_image": Rendered(right),
    }


def video_questions(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """ActivityNet-QA and MSRVTT-QA: a question about a clip, with ActivityNet-QA's type numbers."""
    count = rng.integer(min(2, parameters["max_objects"]), parameters["max_objects"])
    clip = make_clip(rng, count, parameters["frames"], parameters["width"], parameters["height"])
    kind, question, answer = language.clip_questions(rng, clip)[0]
    name = f"synthetic{index:06d}"
    return {
        "video": RenderedClip(clip),
        "video_name": name,
        "question": question,
        "answer": answer,
        "question_id": f"v_{name}_1",
        "type": kind,
    }


def referring_expressions(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """RefCOCO (``RefCOCO``): expressions for one object, its polygon and its box in pixels."""
    scene = _scene(rng, parameters, 3, repeated=True)
    found = [(target, language.referring_expressions(rng, scene, target)) for target in rng.shuffled(scene.objects)]
    named = [(target, expressions) for target, expressions in found if expressions]
    if not named:  # all alike: a scene of different things can always be told apart
        scene = _scene(rng, parameters, 3, repeated=False)
        target = rng.choice(scene.objects)
        named = [(target, language.referring_expressions(rng, scene, target))]
    target, expressions = named[0]
    return {
        "question_id": str(index),
        "image": Rendered(scene),
        "question": "Provide a short description for this region.",
        "answer": expressions,
        "segmentation": [round(value, 2) for point in scene.polygon(target) for value in point],
        "bbox": [round(value, 2) for value in scene.pixel_box(target)],
        "iscrowd": 0,
        "file_name": f"synthetic_{index:012d}.png",
    }


def spatial_statements(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """VSR (``vsr_zeroshot``): a statement about where two things are, with label 1 when true."""
    label = rng.chance(0.5)
    scene = _scene(rng, parameters, 2, repeated=False)
    subject, relation, other = language.spatial_statement(rng, scene, label)
    file_name = f"{index:012d}.png"
    return {
        "image": Rendered(scene),
        "image_link": file_name,
        "caption": f"The {subject.name} is {relation} the {other.name}.",
        "label": int(label),
        "relation": relation,
        "subj": subject.name,
        "obj": other.name,
        "id": index,
    }


# -- text to read ------------------------------------------------------------------------------------------------------

_WORDS = (
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
    colours, words = rng.sample(list(COLOURS), count), rng.sample(_WORDS, count)
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
        "image": Rendered(page),
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
        "image": Rendered(chart),
    }


def tables(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """PubTabNet (``pubtabnet-html``): a table and its HTML document."""
    table = make_table(
        rng, parameters["max_rows"], parameters["max_columns"], parameters["spans"], parameters["text_scale"]
    )
    return {
        "image": Rendered(table),
        "imgid": index,
        "html_table": table.html(),
        "filename": f"synthetic_{index:06d}.png",
    }


# -- the table of generators -------------------------------------------------------------------------------------------


def _objects(default: int, fewest: int = 1, most: int = MOST_OBJECTS) -> dict[str, Knob]:
    return {"max_objects": Knob(default, fewest, most)}


_CLUTTER = {"clutter": Knob(0.0, 0.0, 0.5)}  # share of an object that another one may cover
_TEXT_SCALE = {"text_scale": Knob(1.0, 0.4, 1.3)}
_FRAMES = {"frames": Knob(160, 1, 100_000)}
_TABLE = {"max_rows": Knob(8, 2, 12), "max_columns": Knob(6, 3, 8), "spans": Knob(True)}

_ALL = (
    Generator("vqa_ten_answers", vqa_ten_answers, _objects(6) | _CLUTTER | _canvas()),
    Generator("captions", captions, _objects(4, 1, 12) | _CLUTTER | _canvas()),
    Generator("counting", counting, _objects(12) | _CLUTTER | _canvas()),
    Generator("image_pairs", image_pairs, _objects(5, 1, 12) | _canvas()),
    Generator("video_questions", video_questions, _objects(4, 1, 5) | _FRAMES | _canvas(512, 512)),
    Generator("referring_expressions", referring_expressions, _objects(6) | _canvas(1024, 768)),
    Generator("spatial_statements", spatial_statements, _objects(5, 2) | _canvas()),
    Generator("scene_text_questions", scene_text_questions, _objects(5, 1, len(COLOURS)) | _TEXT_SCALE | _canvas()),
    Generator("document_questions", document_questions, _TEXT_SCALE),
    Generator("chart_questions", chart_questions, {"value_labels": Knob(True)}),
    Generator("tables", tables, _TABLE | _TEXT_SCALE),
)
GENERATORS: dict[str, Generator] = {generator.name: generator for generator in _ALL}
