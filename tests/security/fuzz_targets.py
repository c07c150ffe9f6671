"""What is fuzzed: every reader of text that strangers write. A target takes a text and may raise EvalsuiteError alone.

Used by the short tests beside this file and by the long runs of ``benchmarks/fuzz_campaign.py``.
"""

from __future__ import annotations

import functools
import gzip
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from evalsuite.answers.parsing import STEPS, parse_answer
from evalsuite.backends.replay.files import Fields, read_predictions
from evalsuite.data.expressions import UNUSABLE, compile_expression
from evalsuite.data.formats import FORMATS, load_format
from evalsuite.data.readers import READERS, RecordFile
from evalsuite.errors import SpecError
from evalsuite.inspection.references import safe_table
from evalsuite.inspection.visible import visible
from evalsuite.metrics import Answer, load_metric
from evalsuite.metrics.music.kern import full_page_tokens, system_tokens
from evalsuite.redaction import without_secrets
from evalsuite.reports.latex import escape_latex
from evalsuite.reports.tables import Cell, Column, Table, escape_markdown, to_csv, to_html
from evalsuite.specs.loader import validate_file

Target = Callable[[str], object]


@functools.cache
def _folder() -> Path:
    """In memory where the system has such a folder: a target writes a file for every input."""
    memory = Path("/dev/shm")
    found = tempfile.TemporaryDirectory(prefix="evalsuite-fuzz-", dir=memory if os.access(memory, os.W_OK) else None)
    _KEPT.append(found)
    return Path(found.name)


_KEPT: list[Any] = []


def _file(name: str, text: str) -> Path:
    path = _folder() / f"{os.getpid()}-{name}"
    data = text.encode("utf-8", "surrogatepass")
    path.write_bytes(gzip.compress(data, 1) if name.endswith(".gz") else data)
    return path


def spec_loader(text: str) -> object:
    return validate_file(_file("spec.yaml", text))


RECORD = {"a": 1, "b": [1, "x", None, {"c": "d"}], "c": {"d": "e, f"}, "box": [1, 2, 3, 4], "text": "['x', 'y']"}


def expressions(text: str) -> object:
    try:
        get = compile_expression(text).get
    except SpecError:
        return None
    try:
        return get(RECORD)
    except UNUSABLE:
        return None


def _predictions(ending: str) -> Target:
    def read(text: str) -> object:
        return list(read_predictions(_file(f"predictions.{ending}", text), Fields()))

    return read


def _records(ending: str) -> Target:
    def read(text: str) -> object:
        return list(RecordFile(_file(f"records.{ending}", text), READERS[ending.removesuffix(".gz")]).records())

    return read


def _format(name: str) -> Target:
    def read(text: str) -> object:
        folder = _folder() / "p1"
        folder.mkdir(exist_ok=True)
        path = folder / f"s{os.getpid()}.txt"
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        return list(RecordFile(path, lambda place, _columns: load_format(name)(place)).records())

    return read


def _metrics(uses: list[tuple[str, dict[str, Any]]], references: list[Any]) -> Target:
    """Each metric with the text as the answer, and the numbers that come of it in their bounds."""
    metrics = [load_metric(name, **parameters) for name, parameters in uses]

    def score(text: str) -> None:
        for metric in metrics:
            answer: Any = Answer(text) if metric.takes_answers else text
            values = metric.score([answer], [references])
            for value in metric.values:
                low, high = value.bounds
                found = values[value.name]
                assert np.isnan(found) or (
                    (low is None or found >= low - 1e-9) and (high is None or found <= high + 1e-9)
                )

    return score


def answer_parsing(text: str) -> object:
    return [parse_answer(text, [step]) for step in STEPS]


def kern(text: str) -> None:
    system_tokens(text)
    for encoding in ("kern", "ekern", "bekern"):
        full_page_tokens(text, encoding)
    for variant in ("current", "2024"):
        load_metric("kern_error_rates", variant=variant).score([text], [["**kern\n=1\n4c\n*-"]])
        load_metric("kern_error_rates", reference_preparation="bekern").score(["4c"], [[text]])


def written_text(text: str) -> None:
    """Text on its way to terminals, pages and tables: what would be obeyed there is gone."""
    assert "\x1b" not in visible(text) and "\x9b" not in visible(text)
    assert not set("\n\r|") & set(escape_markdown(text).replace("\\|", ""))
    assert "<" not in escape_markdown(text)
    for sign in "{}\\":
        assert sign not in _bare(escape_latex(text))
    table = Table("t", (Column("a", "A"), Column("c", "C", "code")), ((Cell.of_text(text), Cell.of_text(text)),))
    assert "<script" not in to_html(table) and to_html(table).count("<td") == 2
    import csv
    import io

    csv.field_size_limit(1 << 30)  # of this reader: longer cells are written, not lost
    rows = list(csv.reader(io.StringIO(to_csv([table]), newline="")))
    assert len(rows) == 2 and not any(cell[:1] in ("=", "@", "\t") for cell in rows[1])
    without_secrets(text)


def _bare(latex: str) -> str:
    for command in (
        "\\textbackslash{}",
        "\\textasciicircum{}",
        "\\textasciitilde{}",
        "\\textless{}",
        "\\textgreater{}",
    ):
        latex = latex.replace(command, "")
    for command in ("$\\pm$", "$\\Delta$", "$\\times$", "\\{", "\\}", "\\$", "\\&", "\\#", "\\_", "\\%"):
        latex = latex.replace(command, "")
    return latex


def _html(text: str) -> None:
    found = safe_table(text)
    assert "<script" not in found and " on" not in "".join(part.split(">")[0] for part in found.split("<"))


TABLE = "<table><tr><td>a</td><td colspan='2'>b</td></tr><tr><td>c</td></tr></table>"
GRITS_CELLS = {
    "cells": [{"row_nums": [0], "column_nums": [0], "bbox": [0, 0, 9, 9], "cell_text": "a"}],
    "size": [99, 99],
}
WORDS = {"words": [{"vertices": [[0, 0], [9, 0], [9, 9], [0, 9]], "text": "word", "legible": True}], "size": [64, 64]}
OBJECTS = {"objects": [{"bbox": [1, 2, 30, 40], "category": "cat", "area": 1200, "id": 1}], "size": [64, 64]}
MASK = {"mask": {"size": [64, 64], "polygons": [[1, 1, 40, 1, 40, 40, 1, 40]]}, "box_xywh": [1, 1, 39, 39]}
CHOICE = {"choices": ["A cat", "A dog"], "answer": "A dog"}
PEOPLE = ["vqa_v2", "vqa_soft", "textvqa", "vizwiz"]
SINGLE = ["anls", "relaxed_accuracy", "exact_match", "number_words", "yes_no", "caption_length", "science_qa"]

TARGETS: dict[str, Target] = {
    "spec loader": spec_loader,
    "expressions": expressions,
    **{
        f"predictions .{ending}": _predictions(ending)
        for ending in ("jsonl", "json", "csv", "tsv", "parquet", "jsonl.gz")
    },
    **{f"records .{ending}": _records(ending) for ending in ("jsonl", "json", "csv", "parquet")},
    **{f"format {name}": _format(name) for name in FORMATS},
    "answer parsing": answer_parsing,
    "answers of ten people": _metrics([(name, {}) for name in PEOPLE], ["yes"] * 10),
    "short answers": _metrics([(name, {}) for name in SINGLE], ["3"]),
    "choices": _metrics([("multiple_choice", {})], [CHOICE]),
    "captions": _metrics([("cider", {}), ("bleu", {}), ("rouge_l", {})], ["a cat on a mat", "the cat"]),
    "html tables, teds": _metrics([("teds", {}), ("teds_structure", {}), ("teds", {"wrap": False})], [TABLE]),
    "html tables, grits": _metrics([("grits_top", {}), ("grits_con", {}), ("grits_con", {"strict": True})], [TABLE]),
    "html tables, shown": _html,
    "kern": kern,
    "smiles": _metrics([("smiles_match", {})], ["C1=CC=CC=C1[C@H](O)N"]),
    "loc/seg": _metrics([("mask_iou", {})], [MASK]),
    "detection": _metrics([("box_ap", {})], [OBJECTS]),
    "text spotting": _metrics([("text_spotting", {}), ("text_spotting", {"text_first": True})], [WORDS]),
    "written text": written_text,
}

SPEC = (Path(__file__).parents[1] / "fixtures" / "own_task.yaml").read_text("utf-8")

SEEDS: dict[str, list[str]] = {
    "spec loader": [SPEC, "kind: group\nid: g\nversion: 1\n"],
    "expressions": ["b[?c=='d'].c | [0]", "join('', [padded(a, `12`), '.jpg'])", "any_order(c.d)", "{x: a, y: b[*].c}"],
    "predictions .jsonl": ['{"id": "1", "text": "a"}\n', '{"doc_id": 0, "doc": {"id": 1}, "resps": [["x"]]}\n'],
    "predictions .json": ['{"1": "a"}', '[{"image_id": 1, "caption": "x"}]'],
    "predictions .csv": ["id,text\n1,a\n", "index,question,answer,prediction\n1,a,b,c\n"],
    "records .json": ['{"info": 1, "data": [{"a": 1}]}', '{"a": {"b": 1}}'],
    "format coco_captions": [
        '{"images": [{"id": 1, "file_name": "a"}], "annotations": [{"image_id": 1, "caption": "x"}]}'
    ],
    "format icdar_words": ["1,2,3,4,5,6,7,8,word\n"],
    "format total_text_words": ["x: [[1 2 3]], y: [[1 2 3]], ornt: [u'm'], transcriptions: [u'WORD']\n"],
    "format mimic_reports": [" FINAL REPORT\n FINDINGS: clear.\n IMPRESSION:\n normal\n"],
    "format table_annotations": [
        '{"filename": "a", "html": {"structure": {"tokens": ["<td>", "</td>"]}, "cells": [{"tokens": ["a"]}]}}'
    ],
    "html tables, teds": [TABLE],
    "html tables, grits": [TABLE],
    "html tables, shown": [TABLE],
    "kern": ["**kern\t**kern\n=1\t=1\n4c 4e\t4g·L\n*-\t*-"],
    "smiles": ["C1=CC=CC=C1[C@H](O)N", "[R1]C/C=C/[Ph]"],
    "loc/seg": ["<loc0010><loc0010><loc0500><loc0600>" + "<seg012>" * 16 + " cat"],
    "detection": [
        "<loc0010><loc0010><loc0500><loc0600> cat ; <loc0010> dog",
        '[{"bbox": [1,2,3,4], "category": "cat"}]',
    ],
    "text spotting": [
        '[{"vertices": [[0,0],[9,0],[9,9],[0,9]], "text": "word"}]',
        "<loc0010><loc0010><loc0500><loc0600> word",
    ],
}

FRAGMENTS = [
    "\x00", "\x1b[31m", "\x9b", "\u202e", "\ud800", "\ufeff", "\r", "\n", "\t", " ", '"', "'", "`", "\\", "|", "<",
    ">", "&", "{", "}", "[", "]", "(", ")", ",", ":", ";", "=", "@", "+", "-", "%", "*", "#", "/", ".", "!", "?", "$",
    "^", "~", "0", "1", "-1", "9999999999999999999999999999999999999999", "1e999", "NaN", "Infinity", "-0.0", "0x",
    "null", "true", "&a", "*a", "!!python/name:os.system", "- ", "a: ", "id: ", "metrics: ", "<<: ", "---\n", "? ",
    "id", "text", "image_id", "caption", "prediction", "doc_id", "resps", '{"', '": ', "[[", "]]", "[{", "}]",
    '"id": 1', '"text": "a"', "a.b", "[*]", "[?a]", "[]", "`1`", "&a", "any_order(", "padded(", "replace(", "items(",
    "unique(", "to_string(", "map(&", "join(", "<table>", "</table>", "<tr>", "<td>", "</td>", "<th>", "<thead>",
    '<td colspan="', 'rowspan="99999"', "<b>", "</b>", "<script>", "onclick=", "<!--", "-->", "<![CDATA[", "<?x",
    '<!DOCTYPE a [<!ENTITY b "c">]>', "&b;", "&#0;", "&lt;", "**kern", "*-", "=1", "4c", "\xb7", "<loc0001>",
    "<loc1023>", "<loc9999>", "<seg001>", "<seg", "<loc", " cat", " ; ", "[C@H]", "[R1]", "c1ccccc1", "C(=O)", "%12",
    "[nH]", "[", "[13C+2]", "1,2,3,4,5,6,7,8,", "x: [[", "transcriptions: [u'", "FINDINGS:", "CHEST", '"vertices": ',
    '"box": ', '"bbox": ', "yes", "no", "A", "Paris", "https://me:pass@host/?key=1",
]  # fmt: skip
