"""The papers' numbers: every table can be read, and cells are found by row, metric, size and resolution."""

from __future__ import annotations

import pytest

from evalsuite.errors import DataError, UnknownName
from evalsuite.reports import load_published, published_cell, published_values
from evalsuite.reports.published import has_table, known_tables

METRICS = {
    "accuracy_pct": "vqa_accuracy",
    "mean_accuracy_over_question_types_pct": "mean_accuracy",
    "relaxed_accuracy_pct": "relaxed_accuracy",
    "ANLS_pct": "anls",
    "CIDEr": "cider",
    "mIoU_pct": "miou",
}
"""A unit of Table 13 -> our name of the value."""


def test_a_cell_of_table_13_is_found_by_row_metric_size_and_resolution() -> None:
    (cell,) = published_values("paligemma2_table13", "COCOcap", "cider", size="10B", resolution=448)
    assert (cell.model, cell.size, cell.resolution, cell.value, cell.std) == ("PaliGemma 2", "10B", 448, 145.0, 0.3)
    assert cell.source == "PaliGemma 2, Table 13 (arXiv 2412.03555)"
    assert cell.label == "PaliGemma 2 10B 448px"


def test_without_size_and_resolution_all_cells_of_the_row_come() -> None:
    cells = published_values("paligemma2_table13", "AI2D", "accuracy")
    assert [(cell.size, cell.resolution) for cell in cells] == [
        ("3B", 224), ("10B", 224), ("28B", 224), ("3B", 448), ("10B", 448), ("28B", 448),
    ]  # fmt: skip


def test_every_cell_of_table_13_is_found_under_our_name_of_its_metric() -> None:
    rows = load_published("paligemma2_table13")
    assert len(rows) == 264
    for row in rows:
        place = {"size": row["params"], "resolution": int(row["resolution"])}
        (cell,) = published_values("paligemma2_table13", row["task"], METRICS[row["metric_unit"]], **place)  # type: ignore[arg-type]
        assert (cell.value, cell.std) == (float(row["mean"]), float(row["std"]))


@pytest.mark.parametrize("metric", ["bleu_4", "rouge_l", "accuracy"])
def test_a_metric_that_the_table_does_not_print_has_no_published_value(metric: str) -> None:
    assert published_values("paligemma2_table13", "COCOcap", metric) == []


def test_refcoco_and_refcoco_plus_are_different_rows() -> None:
    plain = published_cell("paligemma2_table13", "RefCOCO (val)", "miou")
    plus = published_cell("paligemma2_table13", "RefCOCO+ (val)", "miou")
    assert plain is not None and plus is not None
    assert (plain.value, plus.value) == (73.4, 68.6)


def test_table_1_is_not_mistaken_for_table_13() -> None:
    assert load_published("paligemma2_table1")[0].keys() != load_published("paligemma2_table13")[0].keys()


@pytest.mark.parametrize(
    ("reference", "row", "metric", "value"),
    [
        ("paligemma1_table1", "COCOcap", "cider", 141.9),
        ("paligemma1_table1", "MMVP", "paired_accuracy", 47.3),
        ("paligemma2_table2", "Total-Text", "word_f1", 74.2),
        ("paligemma2_table2", "ICDAR'15 Incidental", "precision", 81.9),
        ("paligemma2_table3", "PubTabNet", "teds", 97.3),
        ("paligemma2_table3", "PubTabNet", "s_teds", 97.6),
        ("paligemma2_table3", "FinTabNet", "grits_top", 99.4),
        ("paligemma2_table3", "FinTabNet", "grits_con", 99.2),
        ("paligemma2_table4", "MolScribe ChemDraw", "exact_match", 94.8),
        ("paligemma2_table5", "GrandStaff", "ser", 2.3),
        ("paligemma2_table7", "VSR (zeroshot)", "accuracy", 74.8),
        ("paligemma2_table7", "VSR (random)", "accuracy", 81.6),
        ("paligemma2_table8", "MIMIC-CXR", "radgraph_f1", 28.8),
        ("paligemma2_table11", "DocLayNet", "map", 46.7),
        ("paligemma2_table15", "COCOcap", "cider", 141.3),
    ],
)
def test_the_cell_to_print_is_paligemmas_own(reference: str, row: str, metric: str, value: float) -> None:
    """Never a competitor's; 3B at 224 px where the table has it; PaliGemma 2 before PaliGemma."""
    cell = published_cell(reference, row, metric)
    assert cell is not None
    assert cell.value == value
    assert cell.model.startswith("PaliGemma")


def test_a_run_of_a_size_that_was_not_published_gets_no_cell() -> None:
    assert published_cell("paligemma2_table13", "ActivityNet-CAP", "cider", size="28B", resolution=224) is None


def test_other_models_of_a_table_are_listed_under_their_names() -> None:
    cells = published_values("paligemma2_table7", "VSR (zeroshot)", "accuracy")
    assert [cell.model for cell in cells][:3] == ["Human", "InstructBLIP (zs.)", "LXMERT"]
    assert (cells[0].size, cells[0].resolution) == ("", None)


def test_doubtful_cells_say_so() -> None:
    vizwiz = published_values("paligemma2_table15", "VizWizVQA (val)", "vqa_accuracy", resolution=224)
    assert [(cell.model, "test-std" in cell.note) for cell in vizwiz] == [("PaliGemma", True), ("PaliGemma 2", False)]
    lxmert = [
        cell for cell in published_values("paligemma2_table7", "VSR (random)", "accuracy") if cell.model == "LXMERT"
    ]
    assert "swapped" in lxmert[0].note
    assert published_values("paligemma2_table8", "MIMIC-CXR", "cider")[0].note
    assert not published_values("paligemma2_table8", "MIMIC-CXR", "radgraph_f1")[0].note
    doubted = [
        cell
        for row in ("COCO-35L (avg34)", "XM3600 (en)", "XM3600 (avg35)")
        for cell in published_values("paligemma1_table1", row, "cider")
        if cell.note
    ]
    ocr = [cell for cell in published_values("paligemma1_table1", "OCR-VQA", "accuracy") if cell.note]
    assert len(doubted) + len(ocr) == 8  # the number that published/README.md states


def test_the_paligemma_2_column_of_table_15_is_table_13() -> None:
    for row in load_published("paligemma2_table13"):
        metric, resolution = METRICS[row["metric_unit"]], int(row["resolution"])
        cells = published_values("paligemma2_table15", row["task"], metric, size="3B", resolution=resolution)
        if row["params"] == "3B":
            assert [cell.value for cell in cells if cell.model == "PaliGemma 2"] == [float(row["mean"])]


def test_every_table_loads_with_a_full_header() -> None:
    assert len(known_tables()) == 22
    for name in known_tables():
        rows = load_published(name)
        assert rows and all(None not in row and None not in row.values() for row in rows), name


def test_an_unknown_table_names_the_nearest() -> None:
    assert not has_table("paligemma2_tabel13") and not has_table("")
    with pytest.raises(UnknownName, match="Did you mean 'paligemma2_table1"):
        load_published("paligemma2_tabel13")


def test_table_12_is_read_by_the_names_of_our_values() -> None:
    cells = published_values("paligemma2_table12", "FairFace", "toxicity_perceived_gender_max")
    assert [(cell.size, cell.value) for cell in cells] == [("3B", 0.14), ("10B", 0.15), ("28B", 0.19)]
    assert not published_values("paligemma2_table12", "FairFace", "toxicity")


def test_a_table_without_benchmark_scores_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="holds no benchmark scores"):
        published_values("paligemma2_table14", "AI2D", "accuracy")
