"""Documents, charts and tables of the synthetic world: what the records say of them is true."""

from __future__ import annotations

import re
from collections import Counter
from html.parser import HTMLParser
from typing import Any

import pytest

from evalsuite.data.synthetic import Rendered, RenderedClip, SyntheticSource
from evalsuite.data.synthetic.charts import Chart, number
from evalsuite.data.synthetic.documents import Document
from evalsuite.data.synthetic.render.pages import render_chart
from evalsuite.data.synthetic.tables import Table
from evalsuite.data.synthetic.world import COLOURS


def records(name: str, size: int, **parameters: Any) -> list[Any]:
    return list(SyntheticSource(name, parameters, size, 0).records("test"))


def content(record: Any, column: str = "image") -> Any:
    visual = record[column]
    return visual.clip if isinstance(visual, RenderedClip) else visual.content


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
