"""Records about scenes of objects: questions, captions, counts, pairs, clips, expressions, statements."""

from __future__ import annotations

from typing import Any

from evalsuite.data.synthetic.clips import make_clip
from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.records.base import CLUTTER, Generator, Knob, Parameters, canvas, objects, scene_of
from evalsuite.data.synthetic.render.scenes import Rendered, RenderedClip
from evalsuite.data.synthetic.wording import language


def vqa_ten_answers(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """VQAv2 (``VQAv2``): one question with the answers of ten annotators."""
    scene = scene_of(rng, parameters, 2, repeated=rng.chance(0.5))
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
    scene = scene_of(rng, parameters, 1, repeated=False)
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
    scene = scene_of(rng, parameters, 3, repeated=True)
    questions = zip(language.counting_questions(rng, scene), (True, False), strict=True)
    rows = [
        {"question": question.text, "answer": question.answer, "is_simple": simple, "data_source": "synthetic"}
        for question, simple in questions
    ]
    return {"image": Rendered(scene), "qa": rows}


def image_pairs(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """NLVR2: a statement about two images, true for about one half of the records."""
    left, right = (scene_of(rng, parameters, 1, repeated=True) for _ in range(2))
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
    scene = scene_of(rng, parameters, 3, repeated=True)
    found = [(target, language.referring_expressions(rng, scene, target)) for target in rng.shuffled(scene.objects)]
    named = [(target, expressions) for target, expressions in found if expressions]
    if not named:  # all alike: a scene of different things can always be told apart
        scene = scene_of(rng, parameters, 3, repeated=False)
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
    scene = scene_of(rng, parameters, 2, repeated=False)
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


GENERATORS = (
    Generator("vqa_ten_answers", vqa_ten_answers, objects(6) | CLUTTER | canvas()),
    Generator("captions", captions, objects(4, 1, 12) | CLUTTER | canvas()),
    Generator("counting", counting, objects(12) | CLUTTER | canvas()),
    Generator("image_pairs", image_pairs, objects(5, 1, 12) | canvas()),
    Generator(
        "video_questions", video_questions, objects(4, 1, 5) | {"frames": Knob(160, 1, 100_000)} | canvas(512, 512)
    ),
    Generator("referring_expressions", referring_expressions, objects(6) | canvas(1024, 768)),
    Generator("spatial_statements", spatial_statements, objects(5, 2) | canvas()),
)
