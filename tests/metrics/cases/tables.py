"""Corpora of tables: bare HTML, with the location tokens that PaliGemma writes, and annotated cells as references."""

from __future__ import annotations

from typing import Any

Boxes = list[list[tuple[int, int, int, int]]]


def html(*rows: str) -> str:
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row.split()) + "</tr>" for row in rows)
    return f"<table>{body}</table>"


def texts() -> dict[str, Any]:
    true = [html("a b", "c d"), html("one two three"), html("x", "y", "z"), html("10 20", "30 40")]
    predictions = [html("a b", "c e"), html("one two"), html("x"), "no table"]
    return {"predictions": predictions, "references": [[table] for table in true], "perfect": true}


def with_boxes(boxes: Boxes) -> str:
    def cell(box: tuple[int, int, int, int]) -> str:
        return f'<td coords="{"".join(f"<loc{corner:04d}>" for corner in box)}">x</td>'

    return "<table>" + "".join("<tr>" + "".join(map(cell, row)) + "</tr>" for row in boxes) + "</table>"


def annotated(boxes: Boxes) -> list[dict[str, Any]]:
    return [
        {"row_nums": [i], "column_nums": [j], "bbox": list(box)}
        for i, row in enumerate(boxes)
        for j, box in enumerate(row)
    ]


def boxes() -> dict[str, Any]:
    true: list[Boxes] = [
        [[(0, 0, 100, 50), (100, 0, 200, 50)], [(0, 50, 100, 100), (100, 50, 200, 100)]],
        [[(10, 10, 500, 30)], [(10, 40, 500, 60)]],
        [[(1, 1, 1023, 1023)]],
    ]
    near: Boxes = [[(0, 0, 100, 50), (110, 0, 200, 50)], [(0, 50, 100, 100), (100, 50, 200, 90)]]
    return {
        "predictions": [with_boxes(near), with_boxes(true[1][:1]), "<table><tr><td>no box</td></tr></table>"],
        "references": [[annotated(true[0])], [with_boxes(true[1])], [annotated(true[2])]],
        "perfect": [with_boxes(table) for table in true],
    }


CASES = {"teds_structure": texts, "grits_top": texts, "grits_con": texts, "grits_loc": boxes}
