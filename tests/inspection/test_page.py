"""Pages of examples: self-contained, escaped, with everything that a reader needs to judge the data."""

from __future__ import annotations

import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from evalsuite.errors import UnknownName
from evalsuite.inspection.checking import check_data
from evalsuite.inspection.page import check_page, preview_page
from evalsuite.inspection.references import reference_views, safe_table
from evalsuite.inspection.visible import printable
from evalsuite.specs.registry import TaskRegistry
from evalsuite.specs.schema import TaskSpec

Make = Callable[..., TaskSpec]
Write = Callable[..., Path]
Rows = list[dict[str, Any]]
SHIPPED = TaskRegistry(plugins=False)
ATTACK = "<script>alert(1)</script><img src=x onerror=alert(2)>"


class Elements(HTMLParser):
    """Names of the elements of a page, and everything that it would load."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.loaded: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.loaded |= {value or "" for name, value in attributes if name in ("src", "href", "srcset", "data")}


@pytest.mark.parametrize("task", ["docvqa", "nlvr2", "msrvtt_qa", "refcoco", "pubtabnet"])
def test_a_preview_loads_nothing_and_shows_each_picture(task: str) -> None:
    spec = SHIPPED.get(task)
    page = preview_page(spec, "synthetic", count=2)
    found = Elements(page)
    assert all(place.startswith("data:image/") for place in found.loaded)
    assert page.count("<article") == 2
    per_example = (spec.image.frames or 1) if spec.fields.video else len(spec.fields.images)
    assert page.count("data:image/jpeg") == 2 * per_example


def test_overlays_are_drawn_over_the_image() -> None:
    assert {"svg", "polygon"} <= Elements(preview_page(SHIPPED.get("refcoco"), "synthetic", count=2)).names


def test_a_table_is_shown_as_a_table() -> None:
    page = preview_page(SHIPPED.get("pubtabnet"), "synthetic", count=1)
    assert re.search(r'<div class="table"><table>.*</table></div>', page) and "as written" in page


def test_text_of_a_data_set_cannot_become_part_of_the_page(make_spec: Make, write: Write, rows: Rows) -> None:
    fields = {**make_spec().fields.model_dump(exclude_none=True), "strata": {"kind": "question"}}
    attacked = [{**row, "question": ATTACK, "answers": [ATTACK] * 10, "id": f"{ATTACK}{row['id']}"} for row in rows]
    spec = make_spec(fields=fields, title=ATTACK)
    page = preview_page(spec, "files", data_dir=write(attacked))
    assert ATTACK not in page and "&lt;script&gt;" in page
    assert "script" not in Elements(page).names
    assert ATTACK not in check_page([check_data(spec, "files", data_dir=write(attacked))])


def test_a_table_keeps_its_cells_and_spans_alone() -> None:
    html = (
        f'<html><style>td {{color: red}}</style><table border="1"><!-- x --><tr onclick="x()"><td rowspan="2" '
        f'colspan="99999999">a &amp; b</td><td><a href="javascript:x()">c</a>{ATTACK}<br></td></tr></table>'
    )
    assert safe_table(html) == '<table><tr><td rowspan="2">a &amp; b</td><td>c<br></td></tr></table>'
    assert safe_table("<p>none</p>") == safe_table("") == ""


def test_equal_references_are_counted_and_long_ones_keep_their_lines() -> None:
    few, kern = reference_views(["yes", "no", "yes", "**kern\n4c\n*-"])[0], reference_views(["**kern\n4c\n*-"])[0]
    assert (few.text, few.times, few.long) == ("yes", 2, False)
    assert kern.long and kern.text == "**kern\n4c\n*-"


def test_a_reference_that_is_no_text_is_shown_as_json() -> None:
    short, long = reference_views([{"a": 1}, {"mask": list(range(200))}])
    assert short.text == '{"a": 1}' and not short.summary
    assert long.summary.startswith('{"mask": [0, 1') and len(long.summary) < 100


def test_marks_that_turn_text_around_are_written_out() -> None:
    assert printable("a\u202eb\x1b[0m\x00") == "a\\u202eb\\x1b[0m\\x00"
    assert printable("ไทย עברית\tx\n") == "ไทย עברית\tx\n"


def test_an_example_that_cannot_be_used_says_why(make_spec: Make, write: Write, rows: Rows) -> None:
    folder = write(rows)
    (folder / "images" / "1.png").unlink()
    page = preview_page(make_spec(), "files", data_dir=folder)
    assert "1.png: there is no such file" in page and page.count("data:image/jpeg") == 3


def test_the_split_can_be_chosen(make_spec: Make, write: Write, rows: Rows) -> None:
    spec = make_spec(splits=[{"name": "val"}, {"name": "test"}])
    write(rows[:1], "test")
    assert "split test" in preview_page(spec, "files", data_dir=write(rows), split="test")
    with pytest.raises(UnknownName, match="'test'"):
        preview_page(spec, "files", data_dir=write(rows), split="tset")


def test_the_page_of_a_check_lists_problems_columns_and_examples(make_spec: Make, write: Write, rows: Rows) -> None:
    check = check_data(make_spec(), "files", data_dir=write(rows[:3]), pictures=True)
    page = check_page([check])
    assert "3 examples; the published split has 4" in page and "nothing would stop a run" in page
    assert "list of text" in page and page.count("data:image/jpeg") == 2
