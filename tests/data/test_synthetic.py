"""The synthetic world: the same everywhere, different in every split, in real columns, and true."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import re
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest

from evalsuite.data.synthetic import Rendered, RenderedClip, SyntheticSource, generators
from evalsuite.data.synthetic.charts import Chart, number
from evalsuite.data.synthetic.clips import Clip
from evalsuite.data.synthetic.documents import Document
from evalsuite.data.synthetic.randomness import SeededRandom
from evalsuite.data.synthetic.render import render_scene
from evalsuite.data.synthetic.render_pages import render_chart
from evalsuite.data.synthetic.tables import Table
from evalsuite.data.synthetic.world import BACKGROUNDS, COLOURS, SHAPES, Scene, SceneObject
from evalsuite.errors import UnknownName, UsageError
from evalsuite.types import Visual

COLUMNS = {
    "vqa_ten_answers": "image question question_type answer_type multiple_choice_answer image_id question_id answers",
    "captions": "question_id image question answer file_name height width",
    "document_questions": (
        "questionId question question_types image docId ucsf_document_id ucsf_document_page_no answers"
    ),
    "chart_questions": "type question answer image",
    "counting": "image qa",
    "image_pairs": "question_id question answer left_image right_image",
    "video_questions": "video video_name question answer question_id type",
    "referring_expressions": "question_id image question answer segmentation bbox iscrowd file_name",
    "scene_text_questions": (
        "image_id question_id question image image_width image_height answers ocr_tokens image_classes"
    ),
    "spatial_statements": "image image_link caption label relation subj obj id",
    "tables": "image imgid html_table filename",
    "counts_to_ten": "image text question number",
    "object_polls": "id question_id question answer image_source image category",
    "near_pairs": "Index|Question|Options|Correct Answer|image",
    "long_captions": "image example_id description",
    "aerial_questions": "id img_id type question answers_ids active annotation image",
    "chest_reports": "dicom_id study_id subject_id report image",
    "object_views": "object category view image",
    "portraits": "image age gender race service_test",
}
IDS = {
    "vqa_ten_answers": "question_id",
    "captions": "question_id",
    "document_questions": "questionId",
    "image_pairs": "question_id",
    "video_questions": "question_id",
    "referring_expressions": "question_id",
    "scene_text_questions": "question_id",
    "spatial_statements": "id",
    "tables": "imgid",
    "object_polls": "question_id",
    "near_pairs": "Index",
    "long_captions": "example_id",
    "aerial_questions": "id",
    "chest_reports": "dicom_id",
}
DIGESTS = {  # of four records; a change here needs a new GENERATOR_VERSION
    "vqa_ten_answers": "c76e752f81f6ae5f",
    "captions": "1f11c4357eb8e679",
    "counting": "ae85ffc0a718730f",
    "image_pairs": "c3ff3dd442503cf9",
    "video_questions": "f5d98a4b1dbc7ceb",
    "referring_expressions": "57cacab3eaad10a8",
    "spatial_statements": "d6c22ed4e8d33359",
    "scene_text_questions": "74b70a30bb00b046",
    "document_questions": "958053fc6b48e5b0",
    "chart_questions": "62bfe359ad01566c",
    "tables": "654a4e9dcb8e3558",
    "counts_to_ten": "0e4ca090dccaa2e1",
    "object_polls": "c9856af879be4ad2",
    "near_pairs": "8a0bb473f075c147",
    "long_captions": "3cb63286270e46e7",
    "aerial_questions": "252126e773f15c10",
    "chest_reports": "8766ddc5214166cf",
    "object_views": "3e64778006d1fe0e",
    "portraits": "9bd6481d6c3834b8",
}
SINGULAR = {**{f"{shape}s": shape for shape in SHAPES}, "crosses": "cross", **{shape: shape for shape in SHAPES}}
NUMBERS = {"one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10}

every_generator = pytest.mark.parametrize("name", sorted(COLUMNS))


def records(name: str, size: int = 40, split: str = "test", seed: int = 0, **parameters: Any) -> list[Any]:
    return list(SyntheticSource(name, parameters, size, seed).records(split))


def json_part(record: Any) -> dict[str, Any]:
    return {key: value for key, value in record.items() if not isinstance(value, (Rendered, RenderedClip))}


def pictures(record: Any) -> list[bytes]:
    visuals = [value for value in record.values() if isinstance(value, Rendered)]
    clips = [value for value in record.values() if isinstance(value, RenderedClip)]
    frames = [frame for visual in visuals for frame in visual.frames()] + [clip.frame(7) for clip in clips]
    return [frame.tobytes() for frame in frames]


def content(record: Any, column: str = "image") -> Any:
    visual = record[column]
    return visual.clip if isinstance(visual, RenderedClip) else visual.content


def drawn(record: Any) -> list[str]:
    return [repr(content(record, column)) for column in visual_columns(record)]


def visual_columns(record: Any) -> list[str]:
    return [key for key, value in record.items() if isinstance(value, (Rendered, RenderedClip))]


def having(scene: Scene, words: str) -> list[SceneObject]:
    """Objects that fit words such as ``large red squares``."""
    found = list(scene.objects)
    for word in words.split():
        if word not in ("object", "objects"):
            wanted = SINGULAR.get(word, word)
            found = [item for item in found if wanted in (item.shape, item.colour, item.size)]
    return found


def only(scene: Scene, words: str) -> SceneObject:
    (item,) = having(scene, words)
    return item


# -- sources -----------------------------------------------------------------------------------------------------------


def test_every_generator_has_its_columns_listed_here() -> None:
    assert set(COLUMNS) == set(generators())


@every_generator
def test_records_have_exactly_the_columns_of_the_data_set(name: str) -> None:
    for record in records(name, 6):
        assert sorted(record) == sorted(COLUMNS[name].split("|" if "|" in COLUMNS[name] else None))
        json.dumps(json_part(record))


@every_generator
def test_same_seed_gives_equal_records_and_equal_pixels(name: str) -> None:
    one, other = records(name, 3), records(name, 3)
    assert one == other
    assert [pictures(record) for record in one] == [pictures(record) for record in other]


@every_generator
def test_records_are_the_same_on_every_machine(name: str) -> None:
    """The digest covers the columns and, for pictures, the plain data that they are drawn from."""
    text = json.dumps([{**json_part(record), "drawn": drawn(record)} for record in records(name, 4)], sort_keys=True)
    assert hashlib.blake2b(text.encode(), digest_size=8).hexdigest() == DIGESTS[name]


@every_generator
def test_splits_and_seeds_have_different_pictures(name: str) -> None:
    """Records of one split may share a picture, as several questions about an image do."""
    groups = [records(name, 8, "test"), records(name, 8, "train"), records(name, 8, "test", seed=1)]
    everything = [text for group in groups for text in {text for record in group for text in drawn(record)}]
    assert len(set(everything)) == len(everything)


@pytest.mark.parametrize("name", sorted(IDS))
def test_identifiers_are_unique_in_a_split(name: str) -> None:
    assert max(Counter(record[IDS[name]] for record in records(name, 60)).values()) == 1


@every_generator
def test_a_smaller_size_gives_the_first_records_of_a_larger_one(name: str) -> None:
    assert records(name, 3) == records(name, 9)[:3]


def test_count_and_fingerprint_say_what_the_data_is() -> None:
    source = SyntheticSource("captions", {"max_objects": 3}, 5, seed=2)
    assert source.count("val") == 5 == len(list(source.records("val")))
    assert source.fingerprint("val") == {
        "kind": "synthetic",
        "generator": "captions",
        "version": 1,
        "seed": 2,
        "split": "val",
        "size": 5,
        "parameters": {"max_objects": 3, "clutter": 0.0, "width": 1024, "height": 1024},
    }


def test_unknown_generators_and_parameters_are_named() -> None:
    with pytest.raises(UnknownName, match="Did you mean 'captions'"):
        SyntheticSource("caption", {}, 1)
    with pytest.raises(UnknownName, match=r"generator counting: unknown parameter 'max_object'\. Did you mean"):
        SyntheticSource("counting", {"max_object": 3}, 1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"max_objects": 99}, "whole number of 1..24, not 99"),
        ({"max_objects": 2.5}, "whole number"),
        ({"max_objects": True}, "whole number"),
        ({"clutter": 0.9}, "a number of 0..0.5"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        SyntheticSource("counting", parameters, 1)


def test_making_records_loads_no_imaging_library() -> None:
    """Drawing is lazy: planning a run over synthetic data stays cheap."""
    code = (
        "import sys; from evalsuite.data.synthetic import generators, SyntheticSource\n"
        "for name in generators(): next(iter(SyntheticSource(name, {}, 1).records('test')))\n"
        "sys.exit('PIL' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_seeded_random_is_fair_enough_and_in_range() -> None:
    rng = SeededRandom("a", 1)
    assert Counter(rng.integer(1, 4) for _ in range(400)).keys() == {1, 2, 3, 4}
    assert sorted(rng.shuffled(range(9))) == list(range(9))
    assert len(set(rng.sample("abcdef", 4))) == 4


# -- visuals -----------------------------------------------------------------------------------------------------------


@every_generator
def test_visuals_know_their_size_without_drawing(name: str) -> None:
    record = records(name, 1)[0]
    for column in visual_columns(record):
        visual = record[column]
        if isinstance(visual, RenderedClip):
            assert (visual.frame_total, visual.frame(0).size) == (160, visual.size)
        else:
            assert isinstance(record[column], Visual)
            as_visual: Visual = visual
            (picture,) = as_visual.frames()
            assert (as_visual.frame_count, picture.size, picture.mode) == (1, visual.size, "RGB")


@every_generator
def test_a_copied_record_is_equal_and_draws_the_same(name: str) -> None:
    record = records(name, 1)[0]
    copied = copy.deepcopy(record)
    assert copied == record
    assert pictures(copied) == pictures(record)


def test_scenes_can_be_drawn_at_any_size() -> None:
    scene = content(records("referring_expressions", 1)[0])
    assert render_scene(scene, 256).size == (256, 192)


# -- scenes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["counting", "referring_expressions", "scene_text_questions", "captions"])
def test_objects_lie_inside_and_never_overlap(name: str) -> None:
    for record in records(name, 30):
        places = [item.place for item in content(record).objects]
        assert all(x >= 0 and y >= 0 and x + w <= 1 and y + h <= 1 for x, y, w, h in places)
        for position, one in enumerate(places):
            assert not any(overlap(one, other) for other in places[:position])


def overlap(one: Any, other: Any) -> bool:
    apart = one[0] + one[2] <= other[0] or other[0] + other[2] <= one[0]
    return not (apart or one[1] + one[3] <= other[1] or other[1] + other[3] <= one[1])


def test_clutter_lets_objects_overlap() -> None:
    scenes = [content(record) for record in records("counting", 20, clutter=0.5, max_objects=20)]
    assert any(
        overlap(one.place, other.place)
        for scene in scenes
        for one in scene.objects
        for other in scene.objects
        if one != other
    )


def test_crowded_scenes_keep_every_object() -> None:
    counts = {len(content(record).objects) for record in records("counting", 40, max_objects=24)}
    assert max(counts) == 24


def test_moving_objects_never_meet_and_stay_inside() -> None:
    for record in records("video_questions", 20):
        clip: Clip = record["video"].clip
        for frame in range(0, clip.frame_total, 20):
            places = [item.place for item in clip.at(frame).objects]
            assert all(x >= 0 and y >= 0 and x + w <= 1 and y + h <= 1 for x, y, w, h in places)
            assert not any(overlap(places[i], places[j]) for i in range(len(places)) for j in range(i))


# -- truth -------------------------------------------------------------------------------------------------------------


def visual_answer(scene: Scene, question: str) -> str:
    """Answer a question from the scene alone, by reading its words."""
    if found := re.fullmatch(r"How many objects are not (\w+)\?", question):
        return str(sum(item.colour != found[1] for item in scene.objects))
    if found := re.fullmatch(r"How many objects are to the left of the (.+)\?", question):
        anchor = only(scene, found[1])
        return str(sum(item.centre[0] < anchor.centre[0] for item in scene.objects if item is not anchor))
    if found := re.fullmatch(r"How many (.+) are (there|in the picture)\?", question):
        return str(len(having(scene, found[1])))
    if found := re.fullmatch(r"Is there an? (.+) in the image\?", question):
        return "yes" if having(scene, found[1]) else "no"
    if found := re.fullmatch(r"Is the (.+) to the left of the (.+)\?", question):
        return "yes" if only(scene, found[1]).centre[0] < only(scene, found[2]).centre[0] else "no"
    if question == "What color is the background?":
        return scene.background
    if found := re.fullmatch(r"What color is the (\w+)\?", question):
        return only(scene, found[1]).colour
    found = re.fullmatch(r"What shape is the (\w+) object\?", question)
    assert found, question
    return only(scene, found[1]).shape


def test_vqa_answers_are_what_the_scene_shows() -> None:
    for record in records("vqa_ten_answers", 200):
        assert visual_answer(content(record), record["question"]) == record["multiple_choice_answer"]


def test_vqa_annotators_mostly_agree_with_the_truth() -> None:
    agreeing = []
    for record in records("vqa_ten_answers", 60):
        assert [answer["answer_id"] for answer in record["answers"]] == list(range(1, 11))
        agreeing.append(sum(answer["answer"] == record["multiple_choice_answer"] for answer in record["answers"]))
        kind = {"yes": "yes/no", "no": "yes/no"}.get(record["multiple_choice_answer"])
        assert record["answer_type"] == (kind or ("number" if record["multiple_choice_answer"].isdigit() else "other"))
    assert min(agreeing) >= 6
    assert {10, 9}.issubset(agreeing)


def test_counts_are_the_objects_in_the_scene() -> None:
    answers = set()
    for record in records("counting", 120):
        simple, complex_ = record["qa"]
        assert (simple["is_simple"], complex_["is_simple"]) == (True, False)
        for row in record["qa"]:
            assert visual_answer(content(record), row["question"]) == row["answer"]
            answers.add(row["answer"])
    assert {"0", "1", "2", "3", "4"} <= answers


def test_captions_name_only_what_is_there() -> None:
    for record in records("captions", 60):
        scene = content(record)
        assert len(set(record["answer"])) == 5
        for caption in record["answer"]:
            text = re.sub(r"on an? [\w ]+ background", "", caption.lower()).rstrip(".")
            for phrase in re.findall(rf"\ban? ((?:small |medium |large )?\w+ (?:{'|'.join(SHAPES)}))\b", text):
                assert having(scene, phrase), (caption, phrase)
            if scene.background not in caption:
                assert not any(f"{background} background" in caption for background in BACKGROUNDS)


def test_spatial_labels_follow_from_the_scene() -> None:
    labels: Counter[int] = Counter()
    for record in records("spatial_statements", 150):
        scene = content(record)
        one, other = only(scene, record["subj"]), only(scene, record["obj"])
        assert record["caption"] == f"The {record['subj']} is {record['relation']} the {record['obj']}."
        assert relation_truth(record["relation"], one.place, other.place) is bool(record["label"]), record["caption"]
        labels[record["label"]] += 1
    assert min(labels[0], labels[1]) > 45


def relation_truth(relation: str, one: Any, other: Any) -> bool:
    (x, y), (ox, oy) = ((place[0] + place[2] / 2, place[1] + place[3] / 2) for place in (one, other))
    gap_x = max(one[0] - other[0] - other[2], other[0] - one[0] - one[2], 0.0)
    gap_y = max(one[1] - other[1] - other[3], other[1] - one[1] - one[3], 0.0)
    gap = (gap_x**2 + gap_y**2) ** 0.5
    if "left" in relation:
        return bool(x < ox)
    if "right" in relation:
        return bool(x > ox)
    if relation == "above":
        return bool(y < oy)
    if relation in ("below", "under"):
        return bool(y > oy)
    return bool(gap < 0.25) if relation in ("near", "next to") else bool(gap > 0.25)


def pair_truth(left: Scene, right: Scene, text: str) -> bool:
    if found := re.fullmatch(r"The (left|right) image contains exactly (\w+) (\w+)\.", text):
        return len(having(left if found[1] == "left" else right, found[3])) == NUMBERS[found[2]]
    if found := re.fullmatch(r"There (?:is|are) (\w+) (\w+) in total\.", text):
        return len(having(left, found[2])) + len(having(right, found[2])) == NUMBERS[found[1]]
    if found := re.fullmatch(r"There are more (\w+) in the left image than in the right image\.", text):
        return len(having(left, found[1])) > len(having(right, found[1]))
    if found := re.fullmatch(r"(?:Both images contain at least one|There is an?) (.+?)(?: in both images)?\.", text):
        return bool(having(left, found[1]) and having(right, found[1]))
    assert text == "Both images contain the same number of objects.", text
    return len(left.objects) == len(right.objects)


def test_pair_statements_are_judged_rightly_and_balanced() -> None:
    answers: Counter[str] = Counter()
    for record in records("image_pairs", 500):
        truth = pair_truth(content(record, "left_image"), content(record, "right_image"), record["question"])
        assert record["answer"] == str(truth), record["question"]
        answers[record["answer"]] += 1
    assert min(answers["True"], answers["False"]) > 200


def moving(clip: Clip) -> list[SceneObject]:
    ends = zip(clip.at(0).objects, clip.at(clip.frame_total - 1).objects, strict=True)
    return [first for first, last in ends if first.place != last.place]


def clip_answer(clip: Clip, question: str) -> str:
    start, end = clip.at(0), clip.at(clip.frame_total - 1)
    if found := re.fullmatch(r"which direction does the (.+) move", question):
        (x, y), (to_x, to_y) = only(start, found[1]).centre, only(end, found[1]).centre
        if abs(to_x - x) > abs(to_y - y):
            return "right" if to_x > x else "left"
        return "down" if to_y > y else "up"
    if found := re.fullmatch(r"is the (.+) moving", question):
        return "yes" if only(start, found[1]) in moving(clip) else "no"
    if found := re.fullmatch(r"is there an? (\w+) in the video", question):
        return "yes" if having(start, found[1]) else "no"
    if found := re.fullmatch(r"how many objects are (moving|in the video)", question):
        return str(len(moving(clip) if found[1] == "moving" else start.objects))
    if question in ("what color is the moving object", "what shape is moving"):
        (item,) = moving(clip)
        return item.colour if "color" in question else item.shape
    if found := re.fullmatch(r"what color is the (\w+)", question):
        return only(start, found[1]).colour
    found = re.fullmatch(r"what shape is the (\w+) object", question)
    assert found, question
    return only(start, found[1]).shape


def test_clip_answers_follow_from_the_first_and_last_frame() -> None:
    types: Counter[int] = Counter()
    for record in records("video_questions", 150):
        assert clip_answer(record["video"].clip, record["question"]) == record["answer"], record["question"]
        types[record["type"]] += 1
    assert set(types) == {0, 3, 4, 5, 7}


def test_frames_of_a_clip_differ_and_end_at_its_length() -> None:
    clip = records("video_questions", 1)[0]["video"]
    assert clip.frame(0).tobytes() != clip.frame(clip.frame_total - 1).tobytes()
    with pytest.raises(IndexError, match="frame 160 of a clip of 160 frames"):
        clip.frame(160)


# -- regions -----------------------------------------------------------------------------------------------------------


def test_the_polygon_is_where_the_pixels_are() -> None:
    """The mask drawn from the segmentation is, up to its rim, exactly what the object's absence changes."""
    from PIL import Image, ImageChops, ImageDraw

    for record in records("referring_expressions", 12):
        scene, polygon = content(record), record["segmentation"]
        target = next(item for item in scene.objects if flat(scene.polygon(item)) == pytest.approx(polygon, abs=0.01))
        without = replace(scene, objects=tuple(item for item in scene.objects if item is not target))
        changed = ImageChops.difference(Rendered(scene).frames()[0], Rendered(without).frames()[0]).convert("L")
        pixels = sum(changed.point(lambda value: 255 if value else 0).histogram()[255:])
        mask = Image.new("L", (scene.width, scene.height))
        ImageDraw.Draw(mask).polygon(polygon, fill=255)
        assert pixels == pytest.approx(mask.histogram()[255], rel=0.01)
        points = list(zip(polygon[::2], polygon[1::2], strict=True))
        # Pixels that the outline touches are painted whole: half of them too much.
        assert pixels == pytest.approx(shoelace(points), abs=0.75 * perimeter(points))


def flat(points: list[tuple[float, float]]) -> list[float]:
    return [value for point in points for value in point]


def shoelace(points: list[tuple[float, float]]) -> float:
    return abs(sum(x * ny - nx * y for (x, y), (nx, ny) in pairwise([*points, points[0]]))) / 2


def perimeter(points: list[tuple[float, float]]) -> float:
    return sum(math.dist(one, other) for one, other in pairwise([*points, points[0]]))


def test_the_box_encloses_the_polygon_tightly() -> None:
    for record in records("referring_expressions", 20):
        xs, ys = record["segmentation"][::2], record["segmentation"][1::2]
        box = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
        assert record["bbox"] == pytest.approx(box, abs=0.02)


def test_an_expression_fits_one_object_only() -> None:
    for record in records("referring_expressions", 80):
        scene = content(record)
        assert 1 <= len(record["answer"]) <= 3
        for expression in record["answer"]:
            target = referred(scene, expression)
            assert flat(scene.polygon(target)) == pytest.approx(record["segmentation"], abs=0.01), expression


def referred(scene: Scene, expression: str) -> SceneObject:
    words = expression.removeprefix("the ").split()
    extremes = {"leftmost": (0, min), "rightmost": (0, max), "topmost": (1, min), "lowest": (1, max)}
    if words[0] in extremes:
        axis, pick = extremes[words[0]]
        return pick(having(scene, " ".join(words[1:])), key=lambda item: item.centre[axis])
    if place := re.fullmatch(r"(.+?) (left of|right of|above|below) the (.+)", expression):
        anchor = only(scene, place[3])
        fits = [item for item in having(scene, place[1]) if relation_truth(place[2], item.place, anchor.place)]
        (item,) = [item for item in fits if item is not anchor]
        return item
    return only(scene, " ".join(words))


# -- text --------------------------------------------------------------------------------------------------------------


def test_scene_text_answers_are_written_on_the_sign_asked_for() -> None:
    for record in records("scene_text_questions", 60):
        scene = content(record)
        sign = only(scene, re.search(r"the (\w+) sign", record["question"])[1])  # type: ignore[index]
        assert Counter(record["answers"]).most_common(1)[0][0] == str(sign.text).lower()
        assert len(record["answers"]) == 10
        assert sorted(record["ocr_tokens"]) == sorted(str(item.text) for item in scene.objects)


def test_small_signs_need_a_high_resolution() -> None:
    """Letters of a small sign are under 4 pixels at 224 and over 14 at 896; large ones can be read at 224."""
    heights: dict[str, set[float]] = {"small": set(), "medium": set(), "large": set()}
    for record in records("scene_text_questions", 60):
        for item in content(record).objects:
            heights[item.size].add(item.place[3] / 1.7)
    assert max(heights["small"]) * 224 < 4 < 14 < min(heights["small"]) * 896
    assert min(heights["large"]) * 224 > 14


def test_document_answers_are_written_on_the_page() -> None:
    kinds = set()
    for record in records("document_questions", 80):
        page: Document = content(record)
        lines = [page.sender, *(field.value for field in (*page.fields, *page.closing))]
        written = [*lines, *(cell for row in page.items for cell in row)]
        assert any(answer in written for answer in record["answers"])
        kinds.update(record["question_types"])
    assert kinds == {"form", "table/list", "layout"}


def test_invoice_totals_add_up() -> None:
    pages = [content(record) for record in records("document_questions", 40)]
    invoices = [page for page in pages if page.kind == "invoice"]
    assert invoices
    for page in invoices:
        rows = [[float(cell.replace(",", "")) for cell in row[1:]] for row in page.items[1:]]
        assert all(quantity * price == pytest.approx(amount) for quantity, price, amount in rows)
        (total,) = page.closing
        assert float(total.value.replace("$", "").replace(",", "")) == pytest.approx(sum(row[2] for row in rows))


def chart_answer(chart: Chart, question: str) -> str:
    series = next(
        (s for s in chart.series if len(chart.series) > 1 and re.search(rf"\b{s.name}\b", question)), chart.series[0]
    )
    values = dict(zip(chart.categories, series.values, strict=True))
    named = [name for name in re.findall(r"[A-Z][a-z]+|\d{4}", question) if name in values]
    if "difference" in question:
        return number(max(values.values()) - min(values.values()))
    if "sum" in question:
        return number(values[named[0]] + values[named[1]])
    if question.startswith("Is the value"):
        return "Yes" if values[named[0]] > values[named[1]] else "No"
    if found := re.search(r"above ([\d.]+)\?", question):
        return str(sum(value > float(found[1]) for value in values.values()))
    if question.startswith("What is the color"):
        return chart.colours[chart.categories.index(named[0])].capitalize()
    if question.startswith("Which color"):
        return chart.colours[chart.series.index(series)].capitalize()
    if named:
        return number(values[named[0]])
    pick = max if "highest" in question else min
    if question.startswith("Which"):
        return pick(values, key=lambda name: values[name])
    return number(pick(values.values()))


def test_chart_answers_follow_from_what_is_drawn() -> None:
    kinds: Counter[str] = Counter()
    for index, record in enumerate(records("chart_questions", 200)):
        chart = content(record)
        assert record["answer"] == chart_answer(chart, record["question"]), record["question"]
        assert record["type"] == ("augmented_test" if index % 2 else "human_test")
        kinds[chart.kind] += 1
    assert set(kinds) == {"bar", "horizontal bar", "line", "pie"}


def test_augmented_chart_answers_are_drawn_values_or_names() -> None:
    for record in records("chart_questions", 100)[1::2]:
        chart = content(record)
        drawn = {number(value) for series in chart.series for value in series.values} | set(chart.categories)
        assert record["answer"] in drawn


def test_bars_are_as_high_as_their_values() -> None:
    """Count the pixels of a bar's colour in each column: heights are proportional to the values."""
    charts = [content(record) for record in records("chart_questions", 40)]
    chart = next(chart for chart in charts if chart.kind == "bar" and len(chart.series) == 1)
    picture, colour = Rendered(chart, render_chart).frames()[0], COLOURS[chart.colours[0]]
    pixels = picture.load()
    assert pixels is not None
    heights = [sum(pixels[x, y] == colour for y in range(picture.height)) for x in range(picture.width)]
    tops = [
        height for height, before in zip(heights[1:], heights, strict=False) if height > before + 20 and before < 20
    ]
    values = chart.series[0].values
    assert [top / tops[0] for top in tops] == pytest.approx([value / values[0] for value in values], rel=0.05)


def test_pie_shares_add_up_to_a_hundred() -> None:
    pies = [content(record) for record in records("chart_questions", 60) if content(record).kind == "pie"]
    assert pies
    assert all(sum(pie.series[0].values) == 100 for pie in pies)


class _Reader(HTMLParser):
    """Collects each cell's text, spans and whether it is bold or in the head."""

    def __init__(self) -> None:
        super().__init__()
        self.cells: list[dict[str, Any]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.open.append(tag)
        if tag == "td":
            self.cells.append(
                {"text": "", "head": "thead" in self.open, **{key: int(value or 1) for key, value in attrs}}
            )

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.cells[-1]["text"] += data
        self.cells[-1]["bold"] = "b" in self.open


def test_table_html_parses_to_the_cells_that_are_drawn() -> None:
    spans: Counter[str] = Counter()
    for record in records("tables", 40):
        table: Table = content(record)
        reader = _Reader()
        reader.feed(record["html_table"])
        assert reader.open == []
        assert [cell["text"] for cell in reader.cells] == [cell.text for _, _, cell in table.grid()]
        assert all(cell["bold"] for cell in reader.cells if cell["head"] and cell["text"])
        assert [cell.get("colspan", 1) for cell in reader.cells] == [cell.colspan for _, _, cell in table.grid()]
        assert [cell.get("rowspan", 1) for cell in reader.cells] == [cell.rowspan for _, _, cell in table.grid()]
        spans.update(key for cell in reader.cells for key in ("colspan", "rowspan") if key in cell)
    assert set(spans) == {"colspan", "rowspan"}


def test_table_cells_tile_the_grid() -> None:
    """Every place of the grid belongs to exactly one cell, so that what is drawn has no holes and no overlaps."""
    for record in records("tables", 40):
        table: Table = content(record)
        covered = Counter(
            (row + down, column + right)
            for row, column, cell in table.grid()
            for down in range(cell.rowspan)
            for right in range(cell.colspan)
        )
        assert set(covered.values()) == {1}
        assert len(covered) == (len(table.head) + len(table.body)) * table.column_count()


def test_tables_without_spans_have_none() -> None:
    assert not any("span" in record["html_table"] for record in records("tables", 30, spans=False))
