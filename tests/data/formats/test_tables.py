"""Annotations of PubTabNet and FinTabNet: structure tokens and cells become one HTML document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evalsuite.data.formats import load_format
from evalsuite.errors import DataError


def read(tmp_path: Path, *lines: Any) -> list[dict[str, Any]]:
    path = tmp_path / "PubTabNet_2.0.0.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return list(load_format("table_annotations")(path))


def annotation(cells: list[list[str]], **columns: Any) -> dict[str, Any]:
    structure = ["<thead>", "<tr>", "<td", ' colspan="2"', ">", "</td>", "</tr>", "</thead>", "<tr>", "<td>", "</td>"]
    html = {"structure": {"tokens": [*structure, "</tr>"]}, "cells": [{"tokens": tokens} for tokens in cells]}
    return {"filename": "PMC1.png", "html": html, **columns}


def test_cells_are_put_in_their_places(tmp_path: Path) -> None:
    (record,) = read(tmp_path, annotation([["<b>", "a", "</b>"], []], split="val", imgid=5))
    table = '<thead><tr><td colspan="2"><b>a</b></td></tr></thead><tr><td></td></tr>'
    assert record == {
        "filename": "PMC1.png",
        "split": "val",
        "imgid": 5,
        "html_table": f"<html><body><table>{table}</table></body></html>",
    }


def test_fintabnet_names_its_tables_otherwise(tmp_path: Path) -> None:
    assert read(tmp_path, annotation([[], []], table_id=31))[0]["imgid"] == 31


@pytest.mark.parametrize("cells", [[["a"]], [["a"], ["b"], ["c"]]])
def test_cells_that_do_not_fit_the_structure_are_named(tmp_path: Path, cells: list[list[str]]) -> None:
    with pytest.raises(DataError, match=r"jsonl:2: no table annotation"):
        read(tmp_path, annotation([[], []]), annotation(cells))


def test_other_lines_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"jsonl:1: no table annotation \(html\.structure\.tokens, html\.cells\)"):
        read(tmp_path, {"filename": "a.png", "html": "<table></table>"})
