"""Pictures of charts, documents and tables."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from evalsuite.data.synthetic.charts import Chart, number
from evalsuite.data.synthetic.documents import Document, Field
from evalsuite.data.synthetic.render.drawing import INK, canvas, contrast, font
from evalsuite.data.synthetic.tables import Cell, Table
from evalsuite.data.synthetic.world import COLOURS

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

GRID = (215, 215, 220)


# -- charts ------------------------------------------------------------------------------------------------------------


def render_chart(chart: Chart) -> Image:
    """RGB picture with title, axis and, where the chart says so, the value at every mark."""
    picture, draw = canvas(chart.width, chart.height, (255, 255, 255))
    draw.text((chart.width / 2, 40), f"{chart.title} ({chart.unit})", font=font(34), fill=INK, anchor="mm")
    if chart.kind == "pie":
        _draw_pie(draw, chart)
    elif chart.kind == "horizontal bar":
        _draw_horizontal_bars(draw, chart)
    else:
        _draw_upright(draw, chart)
    if len(chart.series) > 1:
        _draw_legend(draw, chart)
    return picture


def axis_ticks(chart: Chart) -> list[float]:
    """Values of the axis's lines: at most seven, 0 first, round, the last above all values."""
    highest = max(max(series.values) for series in chart.series) * 1.05
    power = 10.0 ** (math.floor(math.log10(highest)) - 1)
    step = next(power * factor for factor in (1, 2, 5, 10, 20) if highest / (power * factor) <= 6)
    return [step * tick for tick in range(math.ceil(highest / step) + 1)]


def _draw_legend(draw: ImageDraw, chart: Chart) -> None:
    letters, x = font(26), chart.width * 0.3
    for series, colour in zip(chart.series, chart.colours, strict=True):
        draw.rectangle((x, 76, x + 26, 102), fill=COLOURS[colour])
        draw.text((x + 38, 89), series.name, font=letters, fill=INK, anchor="lm")
        x += 38 + letters.getlength(series.name) + 60


def _draw_upright(draw: ImageDraw, chart: Chart) -> None:
    """Bars that stand, or lines."""
    left, top, right, bottom = 110.0, 130.0, chart.width - 40.0, chart.height - 80.0
    ticks, small, letters = axis_ticks(chart), font(24), font(26)
    scale = (bottom - top) / ticks[-1]
    for value in ticks:
        y = bottom - value * scale
        draw.line((left, y, right, y), fill=GRID if value else INK, width=2)
        draw.text((left - 14, y), number(value), font=small, fill=INK, anchor="rm")
    slot = (right - left) / len(chart.categories)
    for place, category in enumerate(chart.categories):
        draw.text((left + (place + 0.5) * slot, bottom + 34), category, font=letters, fill=INK, anchor="mm")
    draw_marks = _draw_lines if chart.kind == "line" else _draw_bars
    draw_marks(draw, chart, left, bottom, slot, scale)


def _draw_bars(draw: ImageDraw, chart: Chart, left: float, bottom: float, slot: float, scale: float) -> None:
    bar = slot * 0.7 / len(chart.series)
    for row, (series, colour) in enumerate(zip(chart.series, chart.colours, strict=True)):
        for place, value in enumerate(series.values):
            x, y = left + place * slot + slot * 0.15 + row * bar, bottom - value * scale
            draw.rectangle((x, y, x + bar - 4, bottom), fill=COLOURS[colour])
            if chart.value_labels:
                draw.text((x + bar / 2 - 2, y - 18), number(value), font=font(24), fill=INK, anchor="mm")


def _draw_lines(draw: ImageDraw, chart: Chart, left: float, bottom: float, slot: float, scale: float) -> None:
    lines = [
        [(left + (place + 0.5) * slot, bottom - value * scale) for place, value in enumerate(series.values)]
        for series in chart.series
    ]
    for points, colour in zip(lines, chart.colours, strict=True):
        draw.line(points, fill=COLOURS[colour], width=6, joint="curve")
        for x, y in points:
            draw.ellipse((x - 9, y - 9, x + 9, y + 9), fill=COLOURS[colour])
    if not chart.value_labels:
        return
    for place in range(len(chart.categories)):
        # The highest of the lines carries its label above, the others below.
        order = sorted(range(len(lines)), key=lambda row: lines[row][place][1])
        for row in order:
            x, y = lines[row][place]
            text_y = y - 30 if row == order[0] or y + 34 > bottom else y + 30
            text, ink = number(chart.series[row].values[place]), COLOURS[chart.colours[row]]
            draw.text(
                (x, text_y), text, font=font(24), fill=ink, anchor="mm", stroke_width=5, stroke_fill=(255, 255, 255)
            )


def _draw_horizontal_bars(draw: ImageDraw, chart: Chart) -> None:
    letters, small = font(26), font(24)
    left = 60 + max(letters.getlength(category) for category in chart.categories)
    top, right, bottom = 130.0, chart.width - 90.0, chart.height - 80.0
    ticks = axis_ticks(chart)
    scale = (right - left) / ticks[-1]
    for value in ticks:
        x = left + value * scale
        draw.line((x, top, x, bottom), fill=GRID if value else INK, width=2)
        draw.text((x, bottom + 28), number(value), font=small, fill=INK, anchor="mm")
    slot = (bottom - top) / len(chart.categories)
    bar = slot * 0.7 / len(chart.series)
    for place, category in enumerate(chart.categories):
        draw.text((left - 18, top + (place + 0.5) * slot), category, font=letters, fill=INK, anchor="rm")
        for row, (series, colour) in enumerate(zip(chart.series, chart.colours, strict=True)):
            y, value = top + place * slot + slot * 0.15 + row * bar, series.values[place]
            draw.rectangle((left, y, left + value * scale, y + bar - 4), fill=COLOURS[colour])
            if chart.value_labels:
                draw.text(
                    (left + value * scale + 12, y + bar / 2 - 2), number(value), font=small, fill=INK, anchor="lm"
                )


def _draw_pie(draw: ImageDraw, chart: Chart) -> None:
    x, y, radius = chart.width * 0.36, chart.height * 0.54, chart.height * 0.38
    box, angle, letters = (x - radius, y - radius, x + radius, y + radius), -90.0, font(28)
    for place, (category, share) in enumerate(zip(chart.categories, chart.series[0].values, strict=True)):
        colour, end = COLOURS[chart.colours[place]], angle + share * 3.6
        draw.pieslice(box, angle, end, fill=colour, outline=(255, 255, 255), width=3)
        if chart.value_labels:
            middle = math.radians((angle + end) / 2)
            where = (x + radius * 0.75 * math.cos(middle), y + radius * 0.75 * math.sin(middle))
            draw.text(where, f"{number(share)}%", font=letters, fill=contrast(colour), anchor="mm")
        legend_y = chart.height * 0.3 + place * 56
        draw.rectangle((chart.width * 0.72, legend_y - 15, chart.width * 0.72 + 30, legend_y + 15), fill=colour)
        draw.text((chart.width * 0.72 + 46, legend_y), category, font=letters, fill=INK, anchor="lm")
        angle = end


# -- documents ---------------------------------------------------------------------------------------------------------


def render_document(page: Document) -> Image:
    """RGB picture of a page, dark text on off-white."""
    picture, draw = canvas(page.width, page.height, (250, 249, 245))
    margin, line, text = 70.0, 40.0 * page.text_scale, 23.0 * page.text_scale
    draw.text((margin, 64), page.sender, font=font(34 * page.text_scale), fill=INK, anchor="ls")
    draw.line((margin, 82, page.width - margin, 82), fill=INK, width=3)
    draw.text(
        (page.width / 2, 130), page.heading, font=font(30 * page.text_scale), fill=INK, anchor="mm", stroke_width=0.5
    )
    y = 130 + 1.7 * line
    for field in page.fields:
        y = _draw_field(draw, field, margin, y, page.width - margin, text, line)
    y += 0.6 * line
    for position, row in enumerate(page.items):
        _draw_item(draw, row, margin, y, page.width - margin, text, position == 0)
        y += line
    if page.items:
        draw.line((margin, y - line * 0.5, page.width - margin, y - line * 0.5), fill=INK, width=2)
        y += 0.3 * line
    for paragraph in page.paragraphs:
        for part in _wrapped(paragraph, page.width - 2 * margin, text):
            draw.text((margin, y), part, font=font(text), fill=INK, anchor="lm")
            y += 0.85 * line
        y += 0.6 * line
    for field in page.closing:
        y = _draw_field(draw, field, page.width * 0.45, y, page.width - margin, text, line)
    return picture


def _draw_field(draw: ImageDraw, field: Field, x: float, y: float, right: float, text: float, line: float) -> float:
    """Label, value and a dotted rule; returns the next line's place."""
    draw.text((x, y), f"{field.label}:", font=font(text), fill=(90, 90, 95), anchor="lm")
    value_x = x + max(190.0 * text / 23, font(text).getlength(field.label) + 1.2 * text)
    draw.text((value_x, y), field.value, font=font(text), fill=INK, anchor="lm")
    draw.point([(dot, y + 0.65 * text) for dot in range(int(value_x), int(right), 8)], fill=(120, 120, 125))
    return y + line


def _draw_item(
    draw: ImageDraw, row: tuple[str, ...], left: float, y: float, right: float, text: float, head: bool
) -> None:
    width = right - left
    stroke = 0.4 if head else 0.0
    draw.text((left, y), row[0], font=font(text), fill=INK, anchor="lm", stroke_width=stroke)
    for share, value in zip((0.56, 0.78, 1.0), row[1:], strict=True):
        draw.text((left + share * width, y), value, font=font(text), fill=INK, anchor="rm", stroke_width=stroke)
    if head:
        draw.line((left, y + 0.8 * text, right, y + 0.8 * text), fill=INK, width=2)


def _wrapped(paragraph: str, room: float, text: float) -> list[str]:
    lines, letters = [""], font(text)
    for word in paragraph.split():
        longer = f"{lines[-1]} {word}".strip()
        if letters.getlength(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


# -- tables ------------------------------------------------------------------------------------------------------------


def render_table(table: Table) -> Image:
    """RGB picture of the grid: every cell has its border, headers are bold."""
    picture, draw = canvas(table.width, table.height, (255, 255, 255))
    text = 24.0 * table.text_scale
    edges = _column_edges(table, text)
    for row, column, cell in table.grid():
        top = 24 + row * table.row_height
        box = (edges[column], top, edges[column + cell.colspan], top + cell.rowspan * table.row_height)
        draw.rectangle(box, outline=(60, 60, 65), width=1, fill=(238, 240, 244) if row < len(table.head) else None)
        _draw_cell(draw, cell, box, text, centred=column > 0 or cell.colspan > 1)
    return picture


def _column_edges(table: Table, text: float) -> list[int]:
    """Widths follow the longest text of a column and fill the picture."""
    letters = font(text)
    widths = [60.0] * table.column_count()
    for _, column, cell in table.grid():
        if cell.colspan == 1:
            widths[column] = max(widths[column], letters.getlength(cell.text) + 36)
    scale = (table.width - 48) / sum(widths)
    edges = [24.0]
    for width in widths:
        edges.append(edges[-1] + width * scale)
    return [round(edge) for edge in edges]


def _draw_cell(draw: ImageDraw, cell: Cell, box: tuple[int, int, int, int], text: float, centred: bool) -> None:
    left, top, right, bottom = box
    wide = font(text).getlength(cell.text)
    letters = font(text if wide <= right - left - 12 else text * (right - left - 12) / wide)
    middle = (top + bottom) / 2
    stroke = 0.5 if cell.bold else 0.0
    if centred:
        draw.text(((left + right) / 2, middle), cell.text, font=letters, fill=INK, anchor="mm", stroke_width=stroke)
    else:
        draw.text((left + 12, middle), cell.text, font=letters, fill=INK, anchor="lm", stroke_width=stroke)
