"""Table annotations: structure tokens and cells, put together to HTML."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalsuite.data.readers import json_lines
from evalsuite.errors import DataError


def annotated(path: Path) -> Iterator[dict[str, Any]]:
    """PubTabNet and FinTabNet: a table a line, with ``html.structure.tokens`` and ``html.cells``.

    Records ``{filename, split, imgid, html_table, html}``: the HTML document of the table, compact, and the annotation.
    """
    for number, line in enumerate(json_lines(path, None), 1):
        try:
            html = table_html(line["html"])
            image = line.get("imgid", line.get("table_id", number - 1))
            yield {"filename": line["filename"], "split": line.get("split"), "imgid": image, "html_table": html}
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise DataError(
                f"{path}:{number}: no table annotation (html.structure.tokens, html.cells): {error!r}"
            ) from None


def table_html(annotation: dict[str, Any]) -> str:
    """``<html><body><table>…`` of structure tokens with the cells' tokens put in, as the benchmark's script does it.

    >>> structure = ["<tr>", "<td>", "</td>", "<td", ' colspan="2"', ">", "</td>", "</tr>"]
    >>> table_html({"structure": {"tokens": structure}, "cells": [{"tokens": ["<b>", "a", "</b>"]}, {"tokens": []}]})
    '<html><body><table><tr><td><b>a</b></td><td colspan="2"></td></tr></table></body></html>'
    """
    cells = iter(annotation["cells"])
    parts = []
    for token in annotation["structure"]["tokens"]:
        if token == "</td>":
            parts.append("".join(_next(cells)["tokens"]))
        parts.append(token)
    if next(cells, None) is not None:
        raise IndexError("more cells than places for them")
    return f"<html><body><table>{''.join(parts)}</table></body></html>"


def _next(cells: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """The next cell, or an IndexError: inside a generator StopIteration would be lost."""
    for cell in cells:
        return cell
    raise IndexError("fewer cells than places for them")
