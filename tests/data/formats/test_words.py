"""Ground truths of text spotting, as ICDAR 2015 and Total-Text give them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from evalsuite.data.formats import load_format
from evalsuite.data.task_data import open_task_data
from evalsuite.errors import DataError
from evalsuite.specs.registry import TaskRegistry
from evalsuite.types import Example


def icdar(tmp_path: Path, content: str) -> dict[str, Any]:
    path = tmp_path / "gt_img_7.txt"
    path.write_text(content, encoding="utf-8")
    (record,) = load_format("icdar_words")(path)
    return record


def total_text(path: Path) -> dict[str, Any]:
    (record,) = load_format("total_text_words")(path)
    return record


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def test_an_icdar_line_is_four_corners_and_a_word_with_its_commas(tmp_path: Path) -> None:
    record = icdar(tmp_path, "\ufeff377,117,463,117,465,130,378,130,Genaxis, Theatre\r\n")
    assert record["image_id"] == "img_7"
    corners = [[377, 117], [463, 117], [465, 130], [378, 130]]
    assert record["words"] == [{"vertices": corners, "text": "Genaxis, Theatre", "legible": True}]


def test_hashes_mark_words_that_do_not_count(tmp_path: Path) -> None:
    words = icdar(tmp_path, "0,0,1,0,1,1,0,1,###\n0,0,1,0,1,1,0,1,#1\n")["words"]
    assert [word["legible"] for word in words] == [False, True]


def test_an_image_without_words_is_an_image(tmp_path: Path) -> None:
    assert icdar(tmp_path, "")["words"] == []


@pytest.mark.parametrize("line", ["1,2,3,word", "1,2,3,4,5,6,7,x,word", "1,2,3,4,5,6,7,8"])
def test_another_line_is_named_with_its_place(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataError, match=r"gt_img_7\.txt:2: not x1,y1"):
        icdar(tmp_path, f"0,0,1,0,1,1,0,1,ok\n{line}\n")


TEXT = """x: [[206 251 386
 542]], y: [[633 811 931 851]], ornt: [u'c'], transcriptions: [u'PETROSAINS']
x: [[1 2 3]], y: [[4 5 6]], ornt: [u'#'], transcriptions: [u'#']
x: [[1, 2, 3]], y: [[4, 5, 6]], ornt: [u'h'], transcriptions: [u"SAM'S"]
"""


def test_total_text_has_polygons_that_may_break_over_lines(tmp_path: Path) -> None:
    record = total_text(write(tmp_path / "poly_gt_img12.txt", TEXT))
    assert record["image_id"] == "img12"
    assert record["words"][0]["vertices"] == [[206, 633], [251, 811], [386, 931], [542, 851]]
    assert [(word["text"], word["legible"]) for word in record["words"]] == [
        ("PETROSAINS", True), ("#", False), ("SAM'S", True),
    ]  # fmt: skip


def matlab_rows(words: list[dict[str, Any]]) -> np.ndarray:
    """As in the releases: 'x:', xs, 'y:', ys, transcription, orientation."""
    rows = np.empty((len(words), 6), dtype=object)
    for row, word in zip(rows, words, strict=True):
        xs, ys = np.array(word["vertices"], np.uint16).T
        row[:] = ["x:", xs[None], "y:", ys[None], word["text"], "c"]
    return rows


def test_the_matlab_version_holds_the_same(tmp_path: Path) -> None:
    expected = total_text(write(tmp_path / "poly_gt_img12.txt", TEXT))
    savemat(tmp_path / "poly_gt_img12.mat", {"polygt": matlab_rows(expected["words"])})
    assert total_text(tmp_path / "poly_gt_img12.mat") == expected


def test_the_refined_release_has_another_table_in_columns_and_other_file_names(tmp_path: Path) -> None:
    expected = total_text(write(tmp_path / "poly_gt_img12.txt", TEXT))
    rows = matlab_rows(expected["words"])
    for row in rows:
        row[1], row[3] = row[1].T, row[3].T
    savemat(tmp_path / "gt_img12.mat", {"gt": rows})
    assert total_text(tmp_path / "gt_img12.mat") == expected


def test_a_table_without_rows_is_an_image_without_words(tmp_path: Path) -> None:
    savemat(tmp_path / "gt_img3.mat", {"gt": np.empty((0, 0))})
    assert total_text(tmp_path / "gt_img3.mat") == {"image_id": "img3", "words": []}


def test_a_word_without_a_transcription_does_not_count(tmp_path: Path) -> None:
    blank = [{"vertices": [[1, 2], [3, 4], [5, 0]], "text": np.empty((0, 0))}]
    savemat(tmp_path / "gt_img3.mat", {"gt": matlab_rows(blank)})
    line = "x: [[1 3 5]], y: [[2 4 0]], ornt: [u'h'], transcriptions: [u'']"
    assert total_text(tmp_path / "gt_img3.mat") == total_text(write(tmp_path / "gt_img3.txt", line))
    assert total_text(tmp_path / "gt_img3.txt")["words"][0]["legible"] is False


@pytest.mark.parametrize("name", ["poly_gt_img1.txt", "gt_img1.txt", "poly_gt_img1.mat", "gt_img1.mat"])
def test_the_spec_finds_the_files_of_every_release(tmp_path: Path, name: str) -> None:
    if name.endswith(".txt"):
        write(tmp_path / name, TEXT)
    else:
        savemat(tmp_path / name, {"gt": matlab_rows(total_text(write(tmp_path / "words.txt", TEXT))["words"])})
    (tmp_path / "images").mkdir()
    Image.new("RGB", (8, 6)).save(tmp_path / "images" / "img1.jpg")
    data = open_task_data(TaskRegistry(plugins=False).get("total_text"), "files", data_dir=tmp_path)
    (example,) = data.examples("test")
    assert isinstance(example, Example), example.error
    assert example.key.id == "img1"
    assert [word["text"] for word in example.references[0]["words"]] == ["PETROSAINS", "#", "SAM'S"]


def test_polygons_need_as_many_x_as_y(tmp_path: Path) -> None:
    line = "x: [[1 2 3]], y: [[4 5]], ornt: [u'h'], transcriptions: [u'A']"
    with pytest.raises(DataError, match=r"img1\.txt:1: a polygon of 3 x and 2 y values"):
        total_text(write(tmp_path / "poly_gt_img1.txt", line))


def test_what_is_no_ground_truth_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.mat: no MATLAB file"):
        total_text(write(tmp_path / "a.mat", "text"))
    savemat(tmp_path / "rect_gt_img1.mat", {"rectgt": np.zeros((1, 8))})
    with pytest.raises(DataError, match=r"img1\.mat: no table 'gt' or 'polygt' of polygons. Tables: 'rectgt'"):
        total_text(tmp_path / "rect_gt_img1.mat")
    with pytest.raises(DataError, match=r"a\.txt:1: not 'x: "):
        total_text(write(tmp_path / "a.txt", "words"))
