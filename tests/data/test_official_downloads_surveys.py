"""Files as benchmarks publish them, read through the shipped specs: RSVQA, MMVP, POPE, DOCCI, FairFace, MIMIC-CXR."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evalsuite.data.task_data import open_task_data
from evalsuite.errors import DataError
from evalsuite.specs.registry import TaskRegistry
from evalsuite.types import Example


def examples(task: str, folder: Path, split: str) -> list[Example]:
    """All examples, each of which must be whole, images included."""
    data = open_task_data(TaskRegistry(plugins=False).get(task), "files", data_dir=folder)
    data.check([split])
    found = list(data.examples(split))
    assert data.count(split, exact=True) == len(found)
    for example in found:
        assert isinstance(example, Example), example.error
        assert [visual.frames()[0].mode for visual in example.visuals] == ["RGB"]
    return found  # type: ignore[return-value]


def picture(path: Path, colour: str = "red") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 6), colour).save(path)


def rsvqa(folder: Path, prefix: str) -> None:
    """Two questions of the split, one of another split, and answers in a file of their own."""
    questions = [
        {"id": 0, "active": False},
        {
            "id": 1,
            "img_id": 7,
            "type": "presence",
            "question": "Is a road present?",
            "answers_ids": [1],
            "active": True,
        },
        {"id": 2, "img_id": 7, "type": "count", "question": "How many roads?", "answers_ids": [2], "active": True},
        {"id": 3, "img_id": 7, "type": "area", "question": "Covered by roads?", "answers_ids": [3], "active": True},
    ]
    answers = [{"id": 0, "active": False}] + [
        {"id": n, "question_id": n, "answer": answer, "active": True}
        for n, answer in ((1, "yes"), (2, "4"), (3, "9m2"))
    ]
    (folder / f"{prefix}_questions.json").write_text(json.dumps({"questions": questions}))
    (folder / f"{prefix}_answers.json").write_text(json.dumps({"answers": answers}))


def test_rsvqa_joins_questions_and_answers_and_leaves_numbers_out(tmp_path: Path) -> None:
    rsvqa(tmp_path, "LR_split_test")
    picture(tmp_path / "Images_LR" / "7.tif")
    found = examples("rsvqa_lr", tmp_path, "test")
    assert [example.key.id for example in found] == ["1", "3"]  # the low resolution part has no questions about areas
    assert found[0].references == [{"answer": "yes", "type": "presence"}]
    assert found[0].fields == {"question": "Is a road present?"}


def test_rsvqa_in_high_resolution_also_leaves_areas_out(tmp_path: Path) -> None:
    for prefix in ("USGS_split_test", "USGS_split_test_phili"):
        rsvqa(tmp_path, prefix)
    picture(tmp_path / "Data" / "7.png")
    assert [example.key.id for example in examples("rsvqa_hr", tmp_path, "test_2")] == ["1"]


@pytest.mark.parametrize("first_column", ["Index", "lndex"])
def test_mmvp_takes_the_text_of_the_right_option(tmp_path: Path, first_column: str) -> None:
    (tmp_path / "Questions.csv").write_text(
        f"{first_column},Question,Options,Correct Answer\n"
        "1,Are the wings open?,(a) Open (b) Closed,(a)\n"
        "2,Are the wings open?,(a) Open (b) Closed,(b)\n"
    )
    for number in (1, 2):
        picture(tmp_path / "MMVP Images" / f"{number}.jpg")
    found = examples("mmvp", tmp_path, "test")
    assert [example.references for example in found] == [
        [{"answer": "Open", "index": "1"}],
        [{"answer": "Closed", "index": "2"}],
    ]
    assert found[0].fields == {"question": "Are the wings open?"}


def test_mmvp_on_the_hub_gets_its_original_labels_back() -> None:
    from evalsuite.data.mapping import Mapper

    spec = TaskRegistry(plugins=False).get("mmvp")
    assert spec.data.hub is not None
    mapper = Mapper(spec, spec.fields.with_overrides(spec.data.hub.fields), None)
    answers = []
    for index, label in ((98, "(a)"), (99, "(a)"), (100, "(b)")):
        image = {"bytes": b"-", "path": None}
        record = {
            "Index": index,
            "Question": "?",
            "Options": "(a) Long (b) Short",
            "Correct Answer": label,
            "image": image,
        }
        (example,) = mapper.map(record, "test", 0)
        assert example.references is not None
        answers.append(example.references[0]["answer"])
    assert answers == ["Long", "Short", "Long"]


def test_pope_files_hold_an_object_a_line(tmp_path: Path) -> None:
    row = {"question_id": 1, "image": "a.jpg", "text": "Is there a dog in the image?", "label": "no"}
    lines = [json.dumps({**row, "question_id": number}) for number in (1, 2)]
    (tmp_path / "coco_pope_popular.json").write_text("\n".join(lines) + "\n")
    picture(tmp_path / "images" / "a.jpg")
    found = examples("pope", tmp_path, "popular")
    assert [example.references for example in found] == [["no"], ["no"]]
    assert found[0].fields == {"question": "Is there a dog in the image?"}


def test_docci_keeps_all_splits_in_one_file(tmp_path: Path) -> None:
    rows = [
        {"example_id": f"{split}_0", "split": split, "image_file": f"{split}_0.jpg", "description": f"About {split}."}
        for split in ("train", "test", "qual_dev", "qual_test")
    ]
    (tmp_path / "docci_descriptions.jsonlines").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for split in ("test", "qual_dev"):
        picture(tmp_path / "images" / f"{split}_0.jpg")
        (found,) = examples("docci", tmp_path, split)
        assert (found.key.id, found.references) == (f"{split}_0", [f"About {split}."])


def test_docci_without_the_column_of_splits_is_refused(tmp_path: Path) -> None:
    row = {"example_id": "a", "image_file": "a.jpg", "description": "A dog."}
    (tmp_path / "docci_descriptions.jsonlines").write_text(json.dumps(row))
    with pytest.raises(DataError, match="there is no column 'split'"):
        examples("docci", tmp_path, "qual_dev")


def test_fairface_lists_its_labels_in_words(tmp_path: Path) -> None:
    (tmp_path / "fairface_label_val.csv").write_text(
        "file,age,gender,race,service_test\nval/1.jpg,3-9,Male,East Asian,False\n"
    )
    picture(tmp_path / "val" / "1.jpg")
    (found,) = examples("fairface_toxicity", tmp_path, "validation")
    labels = {"age_group": "3-9", "perceived_gender": "Male", "ethnicity": "East Asian"}
    assert (found.references, dict(found.strata)) == ([labels], labels)


def test_fairface_on_the_hub_has_numbers_for_the_same_labels() -> None:
    data = open_task_data(TaskRegistry(plugins=False).get("fairface_toxicity"), "synthetic")
    for example in data.examples("validation"):
        assert isinstance(example, Example)
        assert example.references == [dict(example.strata)]
        assert example.strata["perceived_gender"] in ("Male", "Female")


def mimic(folder: Path, report: str = " INDICATION: Cough.\n FINDINGS: Clear.\n IMPRESSION: Normal.") -> None:
    rows = ["dicom_id,study_id,subject_id,split", "aa-1,50,10,train", "aa-2,51,11,test", "aa-3,51,11,test"]
    with gzip.open(folder / "mimic-cxr-2.0.0-split.csv.gz", "wt") as file:
        file.write("\n".join(rows) + "\n")
    for patient, study, text in (("p10", "s50", "IMPRESSION: Other."), ("p11", "s51", report)):
        (folder / "files" / "p1" / patient).mkdir(parents=True, exist_ok=True)
        (folder / "files" / "p1" / patient / f"{study}.txt").write_text(text)
    for image in ("aa-2", "aa-3"):
        picture(folder / "files" / "p1" / "p11" / "s51" / f"{image}.jpg")


def test_mimic_cxr_joins_the_list_of_splits_with_the_reports(tmp_path: Path) -> None:
    mimic(tmp_path)
    found = examples("mimic_cxr", tmp_path, "test")
    assert [example.key.id for example in found] == ["aa-2", "aa-3"]
    assert found[0].references == ["FINDINGS: Clear. IMPRESSIONS: Normal."]
    assert found[0].fields == {"indication": "Cough."}


def test_a_section_that_a_report_lacks_is_left_out(tmp_path: Path) -> None:
    mimic(tmp_path, " PORTABLE CHEST: \n IMPRESSION: Normal.")
    (first, _) = examples("mimic_cxr", tmp_path, "test")
    assert (first.references, first.fields) == (["IMPRESSIONS: Normal."], {"indication": ""})


def test_reports_with_neither_findings_nor_impression_are_no_examples(tmp_path: Path) -> None:
    mimic(tmp_path, " TECHNIQUE: One view.")
    with pytest.raises(DataError, match="holds no examples"):
        examples("mimic_cxr", tmp_path, "test")


def test_an_image_whose_report_is_missing_is_an_error_and_not_passed_over(tmp_path: Path) -> None:
    mimic(tmp_path)
    (tmp_path / "files" / "p1" / "p11" / "s51.txt").unlink()
    data: Any = open_task_data(TaskRegistry(plugins=False).get("mimic_cxr"), "files", data_dir=tmp_path)
    assert ["report" in example.error for example in data.examples("test")] == [True, True]
