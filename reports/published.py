"""The papers' own numbers, kept as CSV beside this file and read in one common form.

A task spec's row names a table by id (``paligemma2_table13``) and a row in it (``COCOcap``). ``published/README.md``
gives the sources and the cells to treat with care; those carry a ``note`` here.
"""

from __future__ import annotations

import csv
import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from evalsuite.errors import DataError, UnknownName

FOLDER = Path(__file__).parent / "published"
DEFAULT_SIZE, DEFAULT_RESOLUTION = "3B", 224
_PALIGEMMA_1, _PALIGEMMA_2 = "PaliGemma", "PaliGemma 2"


@dataclass(frozen=True, slots=True)
class Published:
    """One printed value. ``size`` is "" and ``resolution`` None where the table names none (``SOTA``, ``Human``).

    value, std: as printed, in the unit of the paper. source: paper and table. note: why to treat it with care, or "".
    """

    model: str
    size: str
    resolution: int | None
    value: float
    std: float | None
    source: str
    note: str = ""

    @property
    def label(self) -> str:
        """Model, size and resolution in one line, such as ``PaliGemma 2 3B 224px``."""
        return " ".join(filter(None, [self.model, self.size, f"{self.resolution}px" if self.resolution else ""]))


@dataclass(frozen=True, slots=True)
class _Entry:
    """A value with the table row and metric it stands for, in the table's spelling."""

    name: str
    metric: str
    cell: Published


def known_tables() -> list[str]:
    """File names, without ``.csv``, of all tables."""
    return sorted(path.stem for path in FOLDER.glob("*.csv"))


def has_table(reference: str) -> bool:
    """Whether ``reference`` names a table that is shipped."""
    return _file_name(reference) is not None


def load_published(name: str) -> list[dict[str, str]]:
    """All rows of one table as text, by its id (``paligemma2_table13``) or file name. Raises UnknownName."""
    stem = _file_name(name)
    if stem is None:
        raise UnknownName("published table", name, map(_table_id, known_tables()))
    with (FOLDER / f"{stem}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def published_values(
    reference: str, paper_name: str, metric: str, *, size: str | None = None, resolution: int | None = None
) -> list[Published]:
    """Everything a table prints for one row and one metric value, in the table's order.

    reference: table id. paper_name: the row (Tables 1, 13, 15) or data set (others) it prints.
    metric: name of one of our values (``cider``, ``s_teds``); empty where the table prints another metric.
    size, resolution: keep only cells of that model size (``3B``) and image size in pixels.
    Raises UnknownName when no such table is shipped.
    """
    wanted_size = None if size is None else _size(size)
    return [
        entry.cell
        for entry in _entries(reference)
        if _same_row(reference, entry.name, paper_name)
        and _same_metric(entry.metric, metric)
        and wanted_size in (None, entry.cell.size)
        and resolution in (None, entry.cell.resolution)
    ]


def published_cell(
    reference: str, paper_name: str, metric: str, *, size: str | None = None, resolution: int | None = None
) -> Published | None:
    """The one PaliGemma value to print beside a result.

    Given a size and resolution: exactly that cell or None. What is not given defaults to 3B and 224 px where the
    table has them, else to the first PaliGemma cell; the caller prints the cell's ``label`` so that nobody is misled.
    """
    cells = [
        cell
        for cell in published_values(reference, paper_name, metric, size=size, resolution=resolution)
        if cell.model in (_PALIGEMMA_1, _PALIGEMMA_2)
    ]
    # min is stable: among equals the first in the table's order stays.
    return min(cells, key=_distance_from_default, default=None)


def _distance_from_default(cell: Published) -> tuple[bool, bool, bool]:
    return cell.model != _PALIGEMMA_2, cell.size != DEFAULT_SIZE, cell.resolution != DEFAULT_RESOLUTION


def _table_id(stem: str) -> str:
    """``paligemma2_table13_scaling`` -> ``paligemma2_table13``; other file names stay."""
    match = re.match(r".*_table\d+", stem)
    return match[0] if match else stem


def _file_name(reference: str) -> str | None:
    """File name of a table id: ``paligemma2_table1`` must not find ``paligemma2_table13_scaling``."""
    for stem in known_tables():
        if stem == reference or stem.startswith(f"{reference}_"):
            return stem if reference else None
    return None


# --- rows and metrics: our spelling against the tables' ------------------------------------------------------------

_WHOLE_ROW_TABLES = ("paligemma1_table1", "paligemma2_table13", "paligemma2_table15")
"""Tables whose rows are named in full by a spec, ``RefCOCO+ (val)``; in the others the data set's name is enough."""

_METRIC_NAMES: dict[str, str] = {
    "accuracy_pct": r"accuracy|exact_?match|correct",
    "cosine_similarity_USEv4_x100": r"cosine",
    "paired_accuracy_pct": r"pair",
    "mean_accuracy_over_question_types_pct": r"mean|average|types",
    "relaxed_accuracy_pct": r"relaxed",
    "ANLS_pct": r"anls",
    "CIDEr": r"cider",
    "mIoU_pct": r"^(mean_|m|mask_|segmentation_)?(mask_)?m?iou$",
    "S-TEDS": r"^(s_teds|teds_s|teds_struct(ure)?)$",
    "TEDS": r"^teds$",
    "GriTS-Top": r"^grits_top$",
    "GriTS-Con": r"^grits_con$",
    "precision": r"precision$",
    "recall": r"recall$",
    "f1": r"f1$",
    "full_match": r"exact_?match|full_?match",
    "CER": r"^(cer|character_error_rate)$",
    "SER": r"^(ser|symbol_error_rate)$",
    "LER": r"^(ler|line_error_rate)$",
    "avg_chars": r"char",
    "avg_sentences": r"sentence",
    "NES_pct": r"^nes|non_?entail",
    "BLEU4": r"^bleu_?4$",
    "ROUGE-L": r"^rouge_?l$",
    "RadGraph-F1": r"radgraph",
    "mAP": r"^(m?ap|mean_average_precision|coco_m?ap)$",
}
"""A table's metric -> pattern of the names our metrics give to the same thing; the same name where it is absent."""


def _same_metric(printed: str, ours: str) -> bool:
    return re.search(_METRIC_NAMES.get(printed, f"^{printed}$"), ours.lower()) is not None


def _same_row(reference: str, printed: str, ours: str) -> bool:
    if not ours:
        return False
    if reference.startswith(_WHOLE_ROW_TABLES):
        return printed.casefold() == " ".join(ours.split()).casefold()
    return _letters(printed) in _letters(ours)


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", text.lower())


def _size(text: str) -> str:
    """``3b`` -> ``3B``."""
    return str(text).strip().upper()


# --- one reader per layout -----------------------------------------------------------------------------------------

Row = Mapping[str, str]

_README_NOTE = "the model's release README prints another value"
_VIZWIZ_NOTE = (
    "PaliGemma 1's test-std score, printed in a row of validation scores; its own validation score at 224 px is 76.4"
)
_SCALE_NOTE = "the paper does not state the scale of this metric"


def _cell(model: str, size: str, resolution: str, value: str, std: str, table: str, note: str = "") -> Published:
    paper = "arXiv 2407.07726" if table.startswith("PaliGemma,") else "arXiv 2412.03555"
    pixels = int(resolution) if resolution else None
    spread = float(std) if std else None
    return Published(model, size, pixels, float(value), spread, f"{table} ({paper})", note)


def _split_model(text: str) -> tuple[str, str, str]:
    """``PaliGemma 2 3B 896px`` -> its model, size and resolution; other names stay whole."""
    match = re.fullmatch(r"(PaliGemma(?: 2)?)(?: (\d+B))?(?: (\d+)px)?", text)
    return (match[1], match[2] or "", match[3] or "") if match else (text, "", "")


def _paligemma1_table1(row: Row) -> _Entry:
    doubtful = row["task"].startswith(("COCO-35L (avg34)", "XM3600", "OCR-VQA")) and row["resolution"] != "896"
    cell = _cell(
        _PALIGEMMA_1, "3B", row["resolution"], row["mean"], row["std"], "PaliGemma, Table 1",
        _README_NOTE if doubtful else "",
    )  # fmt: skip
    return _Entry(row["task"], row["metric_unit"], cell)


def _table13(row: Row) -> _Entry:
    cell = _cell(_PALIGEMMA_2, row["params"], row["resolution"], row["mean"], row["std"], "PaliGemma 2, Table 13")
    return _Entry(row["task"], row["metric_unit"], cell)


def _table15(row: Row) -> _Entry:
    first = row["model"] == "PG1"
    note = _VIZWIZ_NOTE if first and row["task"].startswith("VizWizVQA") else ""
    model = _PALIGEMMA_1 if first else _PALIGEMMA_2
    cell = _cell(model, "3B", row["resolution"], row["value"], "", "PaliGemma 2, Table 15", note)
    return _Entry(row["task"], _units_of_table13()[row["task"]], cell)


def _model_and_metric(
    table: str, default_name: str = "", notes: Mapping[str, str] | None = None
) -> Callable[[Row], _Entry]:
    """Reader of the tables with a ``model`` and a ``metric`` column (2, 3, 4, 5, 6, 8)."""

    def read(row: Row) -> _Entry:
        model, size, resolution = _split_model(row["model"])
        note = (notes or {}).get(row["metric"], "")
        value = row.get("value_pct") or row["value"]
        cell = _cell(model, size or row.get("params", ""), resolution, value, "", f"PaliGemma 2, {table}", note)
        return _Entry(row.get("dataset", default_name), row["metric"], cell)

    return read


def _table7(row: Row) -> _Entry:
    model, size, resolution = _split_model(row["model"])
    cell = _cell(model, size, resolution, row["accuracy_pct"], "", "PaliGemma 2, Table 7", row["note"])
    return _Entry(row["split"], "accuracy_pct", cell)


def _table11(row: Row) -> _Entry:
    model = _PALIGEMMA_1 if row["model"] == "PG1" else _PALIGEMMA_2
    cell = _cell(model, row["params"], row["resolution"], row["mAP"], "", "PaliGemma 2, Table 11")
    return _Entry(row["dataset"], "mAP", cell)


def _table12(row: Row) -> _Entry:
    """Shares of flagged captions; the row names one of our values in words, ``Identity Attack, maximum, Age Group``."""
    words = f"{row['metric']} {row['attribute']} {'max' if row['statistic'] == 'maximum' else 'median'}"
    cell = _cell(_PALIGEMMA_2, row["params"], "", row["value_pct"], "", "PaliGemma 2, Table 12")
    return _Entry("FairFace", words.lower().replace(" ", "_"), cell)


_READERS: dict[str, Callable[[Row], _Entry]] = {
    "paligemma1_table1": _paligemma1_table1,
    "paligemma2_table2_text_spotting": _model_and_metric("Table 2"),
    "paligemma2_table3_tables": _model_and_metric("Table 3"),
    "paligemma2_table4_molecules": _model_and_metric("Table 4"),
    "paligemma2_table5_music": _model_and_metric("Table 5"),
    "paligemma2_table6_docci": _model_and_metric("Table 6", "DOCCI"),
    "paligemma2_table7_vsr": _table7,
    "paligemma2_table8_mimic": _model_and_metric(
        "Table 8", "MIMIC", {name: _SCALE_NOTE for name in ("CIDEr", "BLEU4", "ROUGE-L")}
    ),
    "paligemma2_table11_detection": _table11,
    "paligemma2_table12_safety": _table12,
    "paligemma2_table13_scaling": _table13,
    "paligemma2_table15_vs_paligemma1": _table15,
}


@functools.cache
def _units_of_table13() -> dict[str, str]:
    """Table 15 prints no units; its rows are those of Table 13."""
    return {row["task"]: row["metric_unit"] for row in load_published("paligemma2_table13")}


@functools.cache
def _entries(reference: str) -> tuple[_Entry, ...]:
    rows = load_published(reference)
    reader = _READERS.get(_file_name(reference) or "")
    if reader is None:
        raise DataError(
            f"published table {reference!r} holds no benchmark scores; read it with load_published. "
            f"Tables with scores: {', '.join(_READERS)}"
        )
    return tuple(reader(row) for row in rows)
