"""References as a person reads them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from evalsuite.inspection.visible import printable, shortened, visible

LONG = 200
MOST_OF_SUMMARY = 60
MOST_CHARACTERS = 6000
MOST_TABLE_CHARACTERS = 200_000
_LAYOUT = ("table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th")
_KEPT = frozenset([*_LAYOUT, "br", "b", "i", "u", "em", "strong", "s", "sup", "sub"])
_DROPPED = frozenset(["script", "style", "head", "template", "iframe", "object"])


@dataclass(frozen=True, slots=True)
class ReferenceView:
    """A reference. times: how often it occurs. long: several lines or many characters; ``text`` then keeps its layout.

    summary: of a long reference that is no text, else "". table: the table that the text is, as safe HTML, else "".
    """

    text: str
    times: int = 1
    long: bool = False
    summary: str = ""
    table: str = ""


def reference_views(references: Sequence[Any]) -> list[ReferenceView]:
    """Equal texts once, with their number; everything else as JSON."""
    texts = Counter(reference for reference in references if isinstance(reference, str))
    views = [_text_view(text, times) for text, times in texts.items()]
    others = [reference for reference in references if not isinstance(reference, str)]
    return views + [_other_view(other) for other in others]


def _other_view(reference: Any) -> ReferenceView:
    text = as_json(reference)
    if len(text) <= LONG:
        return ReferenceView(text)
    return ReferenceView(shortened(text, MOST_CHARACTERS), long=True, summary=shortened(text, MOST_OF_SUMMARY))


def _text_view(text: str, times: int) -> ReferenceView:
    if "<table" in text[:2000].lower():
        return ReferenceView(shortened(printable(text), MOST_CHARACTERS), times, True, table=safe_table(text))
    if len(text) > LONG or "\n" in text.strip():
        return ReferenceView(shortened(printable(text), MOST_CHARACTERS), times, True)
    return ReferenceView(visible(text), times)


def as_json(value: Any) -> str:
    """JSON in one line; what JSON lacks as it prints."""
    return printable(json.dumps(value, ensure_ascii=False, default=str))


def safe_table(html: str) -> str:
    """The first table of a document, rebuilt from its cells: no attribute but spans, no element that is no table's.

    >>> safe_table('<table onclick="x()"><tr><td colspan="2"><b>1 &lt; 2</b><script>x()</script></td></tr></table>')
    '<table><tr><td colspan="2"><b>1 &lt; 2</b></td></tr></table>'
    """
    from lxml import etree
    from lxml import html as lxml_html

    try:
        root = lxml_html.fromstring(html[:MOST_TABLE_CHARACTERS])
    except (etree.LxmlError, ValueError):
        return ""
    table = root if root.tag == "table" else root.find(".//table")
    return "" if table is None else _rebuilt(table)


def _rebuilt(element: Any) -> str:
    """The element with its children, without the text after it."""
    from html import escape

    tag = element.tag if isinstance(element.tag, str) else ""  # comments and the like have a function there
    if not tag or tag in _DROPPED:
        return ""
    inside = escape(printable(element.text or ""))
    inside += "".join(_rebuilt(child) + escape(printable(child.tail or "")) for child in element)
    if tag not in _KEPT:
        return inside
    if tag == "br":
        return "<br>" + inside
    spans = "".join(
        f' {name}="{int(span)}"'
        for name in ("colspan", "rowspan")
        if (span := element.get(name, "")).isascii() and span.isdigit() and 1 < int(span) <= 1000
    )
    return f"<{tag}{spans}>{inside}</{tag}>"
