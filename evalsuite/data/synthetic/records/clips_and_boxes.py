"""Records of clips with captions or questions, and of pictures in which everything is to be found."""

from __future__ import annotations

from typing import Any

from evalsuite.data.synthetic.clips import Clip, direction, make_clip
from evalsuite.data.synthetic.layouts import KINDS, make_layout
from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.records.base import Generator, Knob, Parameters, canvas, objects, scene_of
from evalsuite.data.synthetic.records.scenes import video_questions
from evalsuite.data.synthetic.render.layouts import render_layout
from evalsuite.data.synthetic.render.scenes import Rendered, RenderedClip
from evalsuite.data.synthetic.wording import language

_SECONDS = 25.0  # frames of a clip per second


def clip_captions(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """MSR-VTT, VATEX, Spoken Moments: a clip with several captions."""
    clip = _clip(rng, parameters)
    name = f"synthetic{index:06d}"
    return {"video_id": name, "video": RenderedClip(clip), "captions": _captions(rng, clip)}


def clip_segments(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """ActivityNet captions: a part of a clip, by its seconds, with one caption."""
    clip = _clip(rng, parameters)
    start = round(rng.uniform(0, 60), 2)
    end = round(start + clip.frame_total / _SECONDS, 2)
    return {
        "video_id": f"v_synthetic{index:06d}",
        "video": RenderedClip(clip),
        "segment": [start, end],
        "caption": _captions(rng, clip)[0],
    }


def open_questions(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """NExT-QA, open-ended (``NExTQA``, OE): a question with one answer, for some a second one."""
    record = video_questions(rng, index, parameters)
    return {
        "video": record["video"],
        "qid": str(index),
        "question": record["question"],
        "answer": record["answer"],
        "additional_ref_answer": None,
        "type": ("CW", "DL", "TN")[index % 3],
    }


def all_objects(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """COCO detection: every object with box and class (its shape)."""
    scene = scene_of(rng, parameters, 2, repeated=True)
    found = []
    for number, item in enumerate(scene.objects, 1):
        x, y, width, height = (round(value, 2) for value in scene.pixel_box(item))
        box = [x, y, width, height]
        found.append({"id": number, "bbox": box, "category": item.shape, "area": width * height, "iscrowd": 0})
    return {
        "image_id": index,
        "file_name": f"{index:012d}.png",
        "image": Rendered(scene),
        "height": scene.height,
        "width": scene.width,
        "objects": found,
    }


def page_objects(rng: SeededRandom, index: int, parameters: Parameters) -> dict[str, Any]:
    """DocLayNet (``DocLayNet-v1.1``): the blocks of a page, as lists of boxes and class numbers."""
    page = make_layout(rng, parameters["text_scale"])
    boxes = [list(block.box) for block in page.blocks]
    return {
        "image": Rendered(page, render_layout),
        "bboxes": boxes,
        "category_id": [KINDS.index(block.kind) + 1 for block in page.blocks],
        "area": [round(width * height, 2) for _, _, width, height in boxes],
        "metadata": {"image_id": index, "coco_height": page.height, "coco_width": page.width},
    }


def _clip(rng: SeededRandom, parameters: Parameters) -> Clip:
    count = rng.integer(min(2, parameters["max_objects"]), parameters["max_objects"])
    return make_clip(rng, count, parameters["frames"], parameters["width"], parameters["height"])


def _captions(rng: SeededRandom, clip: Clip) -> list[str]:
    """Three sentences about what moves where."""
    pairs = list(zip(clip.scene.objects, clip.travel, strict=True))
    moving = [(item, way) for item, travel in pairs if (way := direction(travel))]
    item, way = rng.choice(moving)
    name = language.with_article(item.name)
    others = f" past {len(pairs) - 1} other shapes" if len(pairs) > 2 else ""
    total = f"{len(moving)} of {len(pairs)} shapes move"
    return [f"{name} moves {way}{others}", f"{name} is moving {way} in the video", total]


_FRAMES = {"frames": Knob(160, 1, 100_000)}
GENERATORS = (
    Generator("clip_captions", clip_captions, objects(4, 1, 5) | _FRAMES | canvas(512, 512)),
    Generator("clip_segments", clip_segments, objects(4, 1, 5) | {"frames": Knob(480, 1, 100_000)} | canvas(512, 512)),
    Generator("open_questions", open_questions, objects(4, 1, 5) | _FRAMES | canvas(512, 512)),
    Generator("all_objects", all_objects, objects(8, 2) | canvas(640, 480)),
    Generator("page_objects", page_objects, {"text_scale": Knob(1.0, 0.4, 1.3)}),
)
