"""Records of question data sets in their own columns: GQA, xGQA, MaRVL, A-OKVQA, OK-VQA, VizWiz, OCR-VQA, ST-VQA, AI2D,
ScienceQA and InfographicVQA. Scenes, signs, pages and charts are shared; what is asked, and how it is kept, differs."""

from __future__ import annotations

from typing import Any

from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.records.base import CLUTTER, TEXT_SCALE, Generator, Parameters, canvas, objects, scene_of
from evalsuite.data.synthetic.records.pages import chart_questions, document_questions, scene_text_questions
from evalsuite.data.synthetic.render.scenes import Rendered
from evalsuite.data.synthetic.wording import language, tongues
from evalsuite.data.synthetic.world import COLOURS, SHAPES, SIZES, Kind, Scene, arrange

LETTERS = "ABCDEFGH"


def one_answer(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """GQA (``GQA``): a question with one answer; the image lies in a table of its own."""
    scene = scene_of(rng, parameters, 2, repeated=rng.chance(0.5))
    question = language.scene_questions(rng, scene)[0]
    name = f"n{index}"
    return {
        "id": f"{index:09d}",
        "imageId": name,
        "question": question.text,
        "answer": question.answer,
        "photo": {"id": name, "image": Rendered(scene)},
    }


def translated_question(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """xGQA: what colour something has, asked in the language of the split; the answer is English."""
    tongue = str(parameters["split"]).rpartition("_")[2]
    scene = simple_scene(rng, rng.integer(2, 4), distinct_shapes=True)
    target = rng.choice(scene.objects)
    asked = tongue if tongue in ("bn", "de", "en", "id", "ko", "pt", "ru", "zh") else "en"
    return {
        "id": f"{index:09d}",
        "imageId": f"n{index}",
        "question": tongues.colour_question(asked, target.shape),
        "answer": target.colour,
        "image": Rendered(scene),
    }


def translated_pairs(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """MaRVL: a statement about two images in the language of the split, true for about one half."""
    tongue = str(parameters["split"]).rpartition("_")[2]
    tongue = tongue if tongue in ("id", "sw", "ta", "tr", "zh") else "id"
    left, right = (simple_scene(rng, rng.integer(2, 4)) for _ in range(2))
    wanted = rng.chance(0.5)
    both = [item for item in left.objects if any(item.name == other.name for other in right.objects)]
    if wanted and not both:
        right, both = left, list(left.objects)
    alone = [item for item in left.objects if item not in both]
    if not wanted and not alone:
        right = simple_scene(rng, 1)
        alone = [item for item in left.objects if item.name != right.objects[0].name]
    target = rng.choice(both if wanted else alone)
    return {
        "id": f"{tongue}-{index}",
        "language": tongue,
        "hypothesis": tongues.pair_statement(tongue, target),
        "label": wanted,
        "left_img": Rendered(left),
        "right_img": Rendered(right),
    }


def choices_and_answers(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """A-OKVQA (``A-OKVQA``): four choices, and ten direct answers."""
    question, answer, scene = _asked(rng, parameters)
    choices = _choices(rng, answer, 4)
    return {
        "image": Rendered(scene),
        "question_id": f"{index:022d}",
        "question": question,
        "choices": choices,
        "correct_choice_idx": choices.index(answer),
        "direct_answers": str(language.ten_answers(rng, answer)),
        "difficult_direct_answer": index % 8 == 7,
    }


def listed_answers(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """OK-VQA and VizWiz (``OK-VQA``, ``VizWiz-VQA``): a list of ten answers."""
    question, answer, scene = _asked(rng, parameters)
    return {
        "image": Rendered(scene),
        "question_id": str(index),
        "question": question,
        "answers": language.ten_answers(rng, answer),
    }


def covers(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """OCR-VQA (``OCR-VQA``): several questions about a picture, with an answer each."""
    record = scene_text_questions(rng, index, parameters)
    words = [str(token) for token in record["ocr_tokens"]]
    return {
        "image": record["image"],
        "image_id": f"{index:010d}",
        "questions": [record["question"], "How many words are there?", "Is this a picture of signs?"],
        "answers": [_commonest(record["answers"]), str(len(words)), "Yes"],
    }


def scene_text(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """ST-VQA: what a sign says, with the one or two answers that count."""
    record = scene_text_questions(rng, index, parameters)
    answer = _commonest(record["answers"])
    return {
        "question_id": index,
        "file_path": f"signs/{index:06d}.png",
        "image": record["image"],
        "question": record["question"],
        "answers": [answer, answer.upper()],
    }


def infographics(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """InfographicVQA (``DocVQA``, InfographicVQA): pages and charts; now and then a list in any order."""
    if index % 2:
        record = document_questions(rng, index, parameters)
        question, answers, image = record["question"], list(record["answers"]), record["image"]
    else:
        record = chart_questions(rng, 1, {"value_labels": True})
        question, answers, image = record["question"], [record["answer"]], record["image"]
        if index % 8 == 0:
            names = rng.sample(image.content.categories, 2)
            question = f"Which of these are shown: {names[0]}, {names[1]}, Mars?"
            answers = [", ".join(names)]
    return {
        "questionId": str(index),
        "question": question,
        "answers": answers,
        "image": image,
        "image_url": f"synthetic/{index:06d}.png",
        "data_split": str(parameters["split"]),
    }


def diagrams(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """AI2D (``ai2d``): four options and the place of the right one, as text."""
    question, answer, scene = _asked(rng, parameters)
    options = _choices(rng, answer, 4)
    return {"question": question, "options": options, "answer": str(options.index(answer)), "image": Rendered(scene)}


def science(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """ScienceQA (``ScienceQA``): two to five choices, a hint or none, and now and then no image."""
    question, answer, scene = _asked(rng, parameters)
    choices = _choices(rng, answer, rng.integer(2, 5))
    return {
        "image": None if index % 4 == 3 else Rendered(scene),
        "question": question,
        "choices": choices,
        "answer": choices.index(answer),
        "hint": "Look at the picture." if rng.chance(0.5) else "",
        "subject": "natural science",
        "task": "closed choice",
    }


def simple_scene(rng: SeededRandom, count: int, distinct_shapes: bool = False) -> Scene:
    """A scene of things that :mod:`~evalsuite.data.synthetic.wording.tongues` has words for, each once."""
    if distinct_shapes:
        shapes = rng.sample(tongues.SHAPES, count)
        pairs = [(shape, rng.choice(tongues.COLOURS)) for shape in shapes]
    else:
        pairs = rng.sample([(shape, colour) for shape in tongues.SHAPES for colour in tongues.COLOURS], count)
    kinds: list[Kind] = [(shape, colour, rng.choice(list(SIZES)), None) for shape, colour in pairs]
    return arrange(rng, kinds, lambda size, text: (SIZES[size], SIZES[size]), 1024, 1024)


def _asked(rng: SeededRandom, parameters: Parameters) -> tuple[str, str, Scene]:
    scene = scene_of(rng, parameters, 2, repeated=rng.chance(0.5))
    question = language.scene_questions(rng, scene)[0]
    return question.text, question.answer, scene


def _choices(rng: SeededRandom, answer: str, count: int) -> list[str]:
    """The answer among wrong ones of its kind, in random order."""
    if answer.isdigit():
        pool = [str(number) for number in range(12)]
    elif answer in COLOURS:
        pool = list(COLOURS)
    elif answer in SHAPES:
        pool = list(SHAPES)
    elif answer in ("yes", "no"):
        pool = ["yes", "no", "only partly", "it is hidden", "it is not asked"]
    else:
        pool = ["white", "beige", "light gray", "light blue", "silver"]
    wrong = rng.sample([word for word in pool if word != answer], count - 1)
    return rng.shuffled([answer, *wrong])


def _commonest(answers: list[str]) -> str:
    return max(sorted(set(answers)), key=answers.count)


GENERATORS = (
    Generator("one_answer", one_answer, objects(6) | CLUTTER | canvas()),
    Generator("translated_question", translated_question, {}),
    Generator("translated_pairs", translated_pairs, {}),
    Generator("choices_and_answers", choices_and_answers, objects(6) | CLUTTER | canvas()),
    Generator("listed_answers", listed_answers, objects(6) | CLUTTER | canvas()),
    Generator("covers", covers, objects(5, 1, len(COLOURS)) | TEXT_SCALE | canvas()),
    Generator("scene_text", scene_text, objects(5, 1, len(COLOURS)) | TEXT_SCALE | canvas()),
    Generator("infographics", infographics, TEXT_SCALE),
    Generator("diagrams", diagrams, objects(6) | CLUTTER | canvas()),
    Generator("science", science, objects(6) | CLUTTER | canvas()),
)
